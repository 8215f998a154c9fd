"""Files beneath one directory, named by strangers: a name never leads out of it.

Each part of a path is opened from the directory before it, without following links, so neither
`..` nor a symbolic link nor a rename meanwhile can lead elsewhere (openat2 with RESOLVE_BENEATH
and RESOLVE_NO_SYMLINKS, spelt out). Blocking: use `asyncio.to_thread`.
"""

import contextlib
import errno
import os
import secrets
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mirror.errors import FileNotReadable, InputRefused, RequestTooLarge
from mirror.vocabulary.said import say
from mirror.vocabulary.said_system import system_said

FILE_BYTES_MAX = 1024 * 1024
FILES_MAX = 1000
NAME_BYTES_MAX = 255
DEPTH_MAX = 8
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class FileFacts:
    """One regular file. path: beneath the root, with slashes."""

    path: str
    bytes: int
    changed_us: int
    executable: bool


def list_files(root: Path) -> list[FileFacts]:
    """Every regular file beneath the root, FILES_MAX at most, by path; links are passed over."""
    found: list[FileFacts] = []
    for directory, names, files in os.walk(root, followlinks=False):
        names[:] = sorted(name for name in names if not name.startswith("."))
        for name in files:
            path = Path(directory) / name
            with contextlib.suppress(OSError):
                facts = path.lstat()
                if stat.S_ISREG(facts.st_mode) and not name.startswith("."):
                    found.append(_facts(str(path.relative_to(root)), facts))
        if len(found) >= FILES_MAX:
            break
    return sorted(found[:FILES_MAX], key=lambda one: one.path)


def read_beneath(root: Path, path: str) -> tuple[bytes, FileFacts]:
    """Read a whole file. Raises: InputRefused, FileNotReadable, RequestTooLarge."""
    with _parent(root, path, create=False) as (directory, name):
        try:
            # Not to be held by a pipe: a name may be anything.
            flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
            descriptor = os.open(name, flags, dir_fd=directory)
        except OSError as error:
            raise _failed(path, error) from error
        try:
            facts = os.fstat(descriptor)
            if not stat.S_ISREG(facts.st_mode):
                raise FileNotReadable(file=path, observed=say("file.irregular"))
            with open(descriptor, "rb", closefd=False) as file:
                content = file.read(FILE_BYTES_MAX + 1)
        finally:
            os.close(descriptor)
    if len(content) > FILE_BYTES_MAX:
        raise RequestTooLarge(what=path, bytes_max=FILE_BYTES_MAX)
    return content, _facts(path, facts)


def write_beneath(root: Path, path: str, content: bytes, *, executable: bool) -> FileFacts:
    """Replace or make a file, on disk on return; missing directories are made.

    Raises: InputRefused, FileNotReadable, RequestTooLarge.
    """
    if len(content) > FILE_BYTES_MAX:
        raise RequestTooLarge(what=path, bytes_max=FILE_BYTES_MAX)
    with _parent(root, path, create=True) as (directory, name):
        beside = f".{secrets.token_hex(8)}.new"
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            descriptor = os.open(beside, flags, 0o600, dir_fd=directory)
            try:
                with open(descriptor, "wb") as file:  # noqa: PTH123 - a descriptor
                    os.fchmod(descriptor, 0o755 if executable else 0o644)
                    file.write(content)
                    file.flush()
                    os.fsync(descriptor)
                    facts = os.fstat(descriptor)
                os.rename(beside, name, src_dir_fd=directory, dst_dir_fd=directory)
            except BaseException:
                with contextlib.suppress(OSError):
                    os.unlink(beside, dir_fd=directory)
                raise
            os.fsync(directory)
        except OSError as error:
            raise _failed(path, error) from error
    return _facts(path, facts)


def remove_beneath(root: Path, path: str) -> None:
    """Remove a file. Raises: InputRefused (MIR-806), FileNotReadable (MIR-108)."""
    with _parent(root, path, create=False) as (directory, name):
        try:
            found = os.stat(name, dir_fd=directory, follow_symlinks=False)
            if not stat.S_ISREG(found.st_mode):
                raise FileNotReadable(file=path, observed=say("file.irregular"))
            os.unlink(name, dir_fd=directory)
            os.fsync(directory)
        except OSError as error:
            raise _failed(path, error) from error


def check_path(path: str) -> tuple[str, ...]:
    """Split a path into its parts. Raises: InputRefused (MIR-806)."""
    parts = tuple(path.split("/"))
    bad = not path.isprintable() or len(parts) > DEPTH_MAX
    for part in parts:
        # What begins with a dot is ours (files half written), or hides.
        bad = bad or not part or part.startswith(".") or len(part.encode()) > NAME_BYTES_MAX
    if bad:
        raise InputRefused(
            what=say("file.name"),
            observed=repr(path[:100]),
            remedy=say("do.give_path"),
        )
    return parts


@contextlib.contextmanager
def _parent(root: Path, path: str, *, create: bool) -> Iterator[tuple[int, str]]:
    """Open the directory that the file lies in, part by part."""
    *directories, name = check_path(path)
    try:
        descriptor = os.open(root, _DIRECTORY)
    except OSError as error:
        raise _failed(str(root), error) from error
    try:
        for part in directories:
            try:
                if create:
                    with contextlib.suppress(FileExistsError):
                        os.mkdir(part, 0o755, dir_fd=descriptor)
                inner = os.open(part, _DIRECTORY, dir_fd=descriptor)
            except OSError as error:
                raise _failed(path, error) from error
            os.close(descriptor)
            descriptor = inner
        yield descriptor, name
    finally:
        os.close(descriptor)


def _facts(path: str, found: os.stat_result) -> FileFacts:
    return FileFacts(path, found.st_size, found.st_mtime_ns // 1000, bool(found.st_mode & 0o100))


def _failed(path: str, error: OSError) -> FileNotReadable:
    if error.errno in {errno.ELOOP, errno.ENOTDIR}:
        return FileNotReadable(file=path, observed=say("file.link_or_none"))
    return FileNotReadable(file=path, observed=system_said(error))

"""Configuration files on disk: written so that a power loss leaves the old one or the new one."""

import contextlib
import ctypes
import errno
import fcntl
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from mirror.errors import FileNotReadable
from mirror.vocabulary.said_system import system_said

OLD = ".old"
_AT_FDCWD, _RENAME_EXCHANGE = -100, 2  # linux/fcntl.h, linux/fs.h
_LIBC = ctypes.CDLL(None, use_errno=True)


def read_bytes(path: Path) -> bytes:
    """Read a whole file. Raises: FileNotReadable (MIR-108)."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise FileNotReadable(file=path, observed=system_said(error)) from error


def write_durably(path: Path, content: bytes, mode: int = 0o644) -> None:
    """Replace a file; on return the new content survives a power loss.

    Raises: FileNotReadable (MIR-108); the old file is then untouched.
    """
    temporary = beside(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with made_new(temporary, mode) as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        sync_directory(path.parent)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise FileNotReadable(file=path, observed=system_said(error)) from error


def beside(path: Path) -> Path:
    """Name a file beside this one, until it takes its place; nobody can guess it."""
    return path.with_name(f".{path.name}.{secrets.token_hex(4)}")


def made_new(path: Path, mode: int) -> BinaryIO:
    """Make a file that was not there, to be written; with these rights before a byte is in it.

    It may hold a secret, and its directory be everybody's (/tmp): what somebody has put at its
    name, a file of theirs or a link, is not written to. Raises: OSError.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(path, flags, 0o600)
    os.fchmod(descriptor, mode)
    return os.fdopen(descriptor, "wb")


def sync_directory(path: Path) -> None:
    """Make names created or removed in a directory durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_tree(top: Path) -> None:
    """Make a directory durable with everything in it, what the files hold too."""
    for directory, _, names in os.walk(top):
        for name in names:
            flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
            descriptor = os.open(Path(directory) / name, flags)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        sync_directory(Path(directory))


def replace_directory(new: Path, target: Path) -> None:
    """Put a directory, complete and beside the target, in the target's place, durably.

    At each moment the target is the old one or the new one. Where the file system cannot exchange
    two names, a crash leaves the old one as `.NAME.old`: see `finish_replacements`.
    """
    sync_tree(new)
    old = _old_of(target)
    if old.exists() and not target.exists():
        old.rename(target)
    shutil.rmtree(old, ignore_errors=True)
    if not target.exists():
        new.rename(target)
    elif _exchange(new, target):
        new.rename(old)
    else:
        target.rename(old)
        new.rename(target)
    sync_directory(target.parent)
    shutil.rmtree(old, ignore_errors=True)


def finish_replacements(directory: Path) -> None:
    """Give back its name to what a crash left between two names. Nobody else may replace now."""
    for old in directory.glob(f".*{OLD}"):
        target = old.with_name(old.name[1:].removesuffix(OLD))
        if old.is_dir() and not target.exists():
            old.rename(target)
            sync_directory(directory)


def _old_of(target: Path) -> Path:
    return target.with_name(f".{target.name}{OLD}")


def _exchange(one: Path, other: Path) -> bool:
    """Exchange two names in one step; False where that cannot be done. Raises: OSError."""
    rename = getattr(_LIBC, "renameat2", None)
    if rename is None:
        return False
    names = [_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other)]
    if rename(*names, ctypes.c_uint(_RENAME_EXCHANGE)) == 0:
        return True
    number = ctypes.get_errno()
    if number in (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP):
        return False
    raise OSError(number, os.strerror(number), str(other))


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold an exclusive lock between processes of this host, waiting for it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        fcntl.flock(file.fileno(), fcntl.LOCK_EX)
        yield

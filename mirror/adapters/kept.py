"""Versions kept aside in a lower directory: list them, read one, remove one (invariant 7).

    .mirror/aside/FOLDER/files/...    the objects, under the paths they had
    .mirror/aside/FOLDER/list.jsonl   a line a version, written by mirror/daemon/plane/aside.py

A path comes from a person or from the peer, so each step is opened by itself and no link is
followed. It decides nothing, and never touches what is not kept aside.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

ASIDE = (b".mirror", b"aside")
FILES_NAME, LIST_NAME = b"files", b"list.jsonl"
ID_BYTES = 6
PIECE_BYTES_MAX = 512 << 10  # beside extended attributes in one message
DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
OURS_PREFIX = "trusted.mirror."
_FS_IOC_SETFLAGS = 0x40086602


@dataclass(frozen=True, slots=True)
class Version:
    """One version. path: where it stood; kept: beneath its folder; both as os.fsdecode gives.

    kept_ns: when it was kept. what: replaced, deleted, or restored over.
    """

    root: int
    folder: str
    path: str
    kept: str
    size_bytes: int
    mtime_ns: int
    kept_ns: int
    side: str
    what: str

    @property
    def id(self) -> str:
        """What a person types to mean this one; the same each time."""
        text = f"{self.root}\0{self.folder}\0{self.kept}"
        return hashlib.blake2b(os.fsencode(text), digest_size=ID_BYTES).hexdigest()


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of a version, with all attributes. data: after hole_bytes of zeros.

    Of a symbolic link, data is its text. xattrs: without ours.
    """

    mode: int
    uid: int
    gid: int
    atime_ns: int
    mtime_ns: int
    size_bytes: int
    rdev: int
    xattrs: tuple[tuple[str, bytes], ...]
    hole_bytes: int
    data: bytes


class Kept:
    """What is kept aside in one lower directory. Any thread; no state."""

    def __init__(self, lower: str, root: int) -> None:
        self._lower = lower
        self._root = root

    def versions(self) -> Iterator[Version]:
        """Every version that is still there, folder by folder. Raises: OSError."""
        try:
            with self._walk(ASIDE) as aside, os.scandir(aside) as entries:
                folders = sorted(os.fsencode(entry.name) for entry in entries)
        except FileNotFoundError:
            return
        for folder in folders:
            yield from self._of_folder(folder)

    def _of_folder(self, folder: bytes) -> Iterator[Version]:
        try:
            with self._walk((*ASIDE, folder)) as fd:
                lines = _read_list(fd)
                seen: set[str] = set()
                for line in lines:
                    version = self._version(folder, line, fd)
                    if version is not None and version.kept not in seen:
                        seen.add(version.kept)
                        yield version
        except (FileNotFoundError, NotADirectoryError):
            return

    def _version(self, folder: bytes, line: dict[str, Any], fd: int) -> Version | None:
        kept = str(line["kept"])
        try:
            with _opened(fd, _parts(os.fsencode(kept))[:-1]) as above:
                name = kept.rsplit("/", 1)[-1]
                status = os.stat(name, dir_fd=above, follow_symlinks=False)
        except OSError:
            return None  # removed since
        return Version(
            root=self._root,
            folder=os.fsdecode(folder),
            path=str(line["path"]),
            kept=kept,
            size_bytes=status.st_size,
            mtime_ns=status.st_mtime_ns,
            kept_ns=int(line.get("kept_ns") or status.st_ctime_ns),
            side=str(line.get("side") or ""),
            what=str(line.get("what") or ""),
        )

    def read(self, folder: str, kept: str, offset: int, size: int) -> Piece:
        """A piece of one version, at most PIECE_BYTES_MAX. Raises: OSError."""
        with self._object(folder, kept) as (above, name):
            status = os.stat(name, dir_fd=above, follow_symlinks=False)
            fd = os.open(name, os.O_PATH | os.O_NOFOLLOW, dir_fd=above)
            try:
                xattrs = _xattrs(fd)
            finally:
                os.close(fd)
            hole, data = 0, b""
            if stat.S_ISREG(status.st_mode):
                fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW, dir_fd=above)
                try:
                    hole, data = _read_piece(fd, offset, min(size, PIECE_BYTES_MAX))
                finally:
                    os.close(fd)
            elif stat.S_ISLNK(status.st_mode):
                data = os.fsencode(os.readlink(name, dir_fd=above))
        return Piece(
            status.st_mode,
            status.st_uid,
            status.st_gid,
            status.st_atime_ns,
            status.st_mtime_ns,
            status.st_size,
            status.st_rdev,
            xattrs,
            hole,
            data,
        )

    def remove(self, folder: str, kept: str) -> int:
        """Remove one version, and its folder after the last. Returns: bytes freed.

        Raises: OSError.
        """
        with self._object(folder, kept) as (above, name):
            status = os.stat(name, dir_fd=above, follow_symlinks=False)
            if stat.S_ISDIR(status.st_mode):
                raise OSError(errno.EISDIR, "a directory is no version", kept)
            _unlink(name, above)
        self._prune(os.fsencode(folder), _parts(os.fsencode(kept))[:-1])
        return status.st_blocks * 512 if status.st_nlink == 1 else 0

    def _prune(self, folder: bytes, parts: tuple[bytes, ...]) -> None:
        """Remove directories that hold nothing any more, and the folder with the last of them."""
        for count in range(len(parts), 0, -1):
            with self._walk((*ASIDE, folder, *parts[: count - 1])) as above:
                try:
                    os.rmdir(parts[count - 1], dir_fd=above)
                except OSError as error:
                    if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                        raise
                    return
        with self._walk((*ASIDE, folder)) as fd:
            os.unlink(LIST_NAME, dir_fd=fd)
        with self._walk(ASIDE) as aside:
            os.rmdir(folder, dir_fd=aside)

    @contextmanager
    def _object(self, folder: str, kept: str) -> Iterator[tuple[int, bytes]]:
        """The directory of a version, and its name there."""
        parts = _parts(os.fsencode(kept))
        if parts[:1] != (FILES_NAME,) or len(parts) < 2:
            raise OSError(errno.EINVAL, "not a version kept aside", kept)
        with self._walk((*ASIDE, *_parts(os.fsencode(folder)), *parts[:-1])) as above:
            yield above, parts[-1]

    @contextmanager
    def _walk(self, parts: tuple[bytes, ...]) -> Iterator[int]:
        with walked(self._lower, parts) as fd:
            yield fd


def shown(node: str, directory: str, version: Version) -> dict[str, Any]:
    """One version as the command line, the console and their JSON have it."""
    return {
        "id": version.id,
        "node": node,
        "directory": directory,
        "folder": version.folder,
        "path": os.fsencode(version.path).decode(errors="backslashreplace"),
        "size_bytes": version.size_bytes,
        "mtime_us": version.mtime_ns // 1_000,
        "kept_us": version.kept_ns // 1_000,
        "side": version.side,
        "what": version.what,
    }


def free_bytes(lower: str) -> int:
    """Room left on the disk of a lower directory. Raises: OSError."""
    status = os.statvfs(lower)
    return status.f_bavail * status.f_frsize


def parts_of(path: bytes) -> tuple[bytes, ...]:
    """The names of a path of the application beneath a lower directory. Raises: OSError."""
    parts = _parts(path)
    if parts[0] == ASIDE[0]:
        raise OSError(errno.EINVAL, "not a path of the application", os.fsdecode(path))
    return parts


def _parts(path: bytes) -> tuple[bytes, ...]:
    parts = tuple(path.split(b"/"))
    if any(part in (b"", b".", b"..") or b"\0" in part for part in parts):
        raise OSError(errno.EINVAL, "not a path", os.fsdecode(path))
    return parts


@contextmanager
def walked(top: str, parts: tuple[bytes, ...], *, make: bool = False) -> Iterator[int]:
    """A descriptor of a directory beneath another, without following a link on the way.

    make: directories that are missing are made. Raises: OSError (ENOTDIR for a link).
    """
    fd = os.open(top, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with _opened(fd, parts, make=make) as below:
            yield below
    finally:
        os.close(fd)


@contextmanager
def _opened(top: int, parts: tuple[bytes, ...], *, make: bool = False) -> Iterator[int]:
    """A descriptor of a directory beneath another, each step by itself."""
    fd = os.dup(top)
    try:
        for part in parts:
            if make:
                with suppress(FileExistsError):
                    os.mkdir(part, 0o755, dir_fd=fd)
            below = os.open(part, DIRECTORY, dir_fd=fd)
            os.close(fd)
            fd = below
        yield fd
    finally:
        os.close(fd)


def _read_list(folder: int) -> list[dict[str, Any]]:
    """The lines of a folder; one that a power loss tore is none."""
    try:
        fd = os.open(LIST_NAME, os.O_RDONLY | os.O_NOFOLLOW, dir_fd=folder)
    except FileNotFoundError:
        return []
    lines = []
    with os.fdopen(fd, "rb") as file:
        for text in file:
            try:
                line = json.loads(text)
            except ValueError:
                continue
            if isinstance(line, dict) and "kept" in line and "path" in line:
                lines.append(line)
    return lines


def _xattrs(fd: int) -> tuple[tuple[str, bytes], ...]:
    path = f"/proc/self/fd/{fd}"
    names = (name for name in os.listxattr(path) if not name.startswith(OURS_PREFIX))
    return tuple((name, os.getxattr(path, name)) for name in names)


def _read_piece(fd: int, offset: int, size: int) -> tuple[int, bytes]:
    """Bytes of a hole from offset on, and the bytes after it; both nothing at the end."""
    end = os.fstat(fd).st_size
    if offset >= end:
        return 0, b""
    try:
        begin = os.lseek(fd, offset, os.SEEK_DATA)
    except OSError as error:
        if error.errno != errno.ENXIO:  # only a hole is left
            raise
        return end - offset, b""
    stop = min(os.lseek(fd, begin, os.SEEK_HOLE), begin + size)
    return begin - offset, os.pread(fd, stop - begin, begin)


def _unlink(name: bytes, above: int) -> None:
    """Unlink; flags of the object that forbid it go first."""
    try:
        os.unlink(name, dir_fd=above)
    except PermissionError:
        fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=above)
        try:
            fcntl.ioctl(fd, _FS_IOC_SETFLAGS, bytes(8))
        finally:
            os.close(fd)
        os.unlink(name, dir_fd=above)

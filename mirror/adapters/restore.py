"""Writes one file through the mount of a replicated directory, as an application would.

Complete under another name first, then put in place by a rename: whoever reads meanwhile sees the
one or the other. It knows nothing of where the pieces come from.
"""

from __future__ import annotations

import errno
import os
import secrets
import stat
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

from mirror.adapters.kept import parts_of, walked


@dataclass(frozen=True, slots=True)
class Attributes:
    """What is set on the file; mode has the type bits. link: the text of a symbolic link."""

    mode: int
    uid: int
    gid: int
    atime_ns: int
    mtime_ns: int
    size_bytes: int
    rdev: int
    xattrs: Sequence[tuple[str, bytes]]
    link: bytes = b""


Pieces = Iterator[tuple[int, bytes]]  # offset, bytes; what is between them is a hole


def put(top: str, path: bytes, attributes: Attributes, pieces: Pieces) -> None:
    """Make `path` beneath `top` what is said; directories that are missing are made.

    The application may rename and link there meanwhile, and is not root: no link is followed, and
    what is set is set on what was made here, whatever has its name by then.
    Raises: OSError; then what stood there stands there still.
    """
    *above, name = parts_of(path)
    fresh = b".restored-%s" % secrets.token_hex(8).encode()
    with walked(top, tuple(above), make=True) as parent:
        try:
            fd = _made(parent, fresh, attributes, pieces)
            try:
                _set(fd, attributes)
            finally:
                os.close(fd)
            os.rename(fresh, name, src_dir_fd=parent, dst_dir_fd=parent)
        except BaseException:
            with suppress(FileNotFoundError):
                os.unlink(fresh, dir_fd=parent)
            raise
        os.fsync(parent)


def _made(parent: int, name: bytes, attributes: Attributes, pieces: Pieces) -> int:
    """Make the object, without attributes; a descriptor of it, of O_PATH unless it is a file."""
    if stat.S_ISREG(attributes.mode):
        fd = os.open(
            name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600, dir_fd=parent
        )
        try:
            _write(fd, attributes.size_bytes, pieces)
        except BaseException:
            os.close(fd)
            raise
        return fd
    if stat.S_ISLNK(attributes.mode):
        os.symlink(attributes.link, name, dir_fd=parent)
    else:
        mode = stat.S_IFMT(attributes.mode) | 0o600
        os.mknod(name, mode, attributes.rdev, dir_fd=parent)
    fd = os.open(name, os.O_PATH | os.O_NOFOLLOW, dir_fd=parent)
    if stat.S_IFMT(os.fstat(fd).st_mode) != stat.S_IFMT(attributes.mode):
        os.close(fd)
        raise OSError(errno.EBUSY, "somebody put another one in its place", os.fsdecode(name))
    return fd


def _write(fd: int, size_bytes: int, pieces: Pieces) -> None:
    os.ftruncate(fd, size_bytes)
    for offset, data in pieces:
        done = 0
        while done < len(data):
            done += os.pwrite(fd, data[done:], offset + done)
    os.fsync(fd)


def _set(fd: int, attributes: Attributes) -> None:
    # Of the object itself, a link too: a descriptor of O_PATH is taken for nothing else.
    it = f"/proc/self/fd/{fd}"
    os.chown(it, attributes.uid, attributes.gid)
    if not stat.S_ISLNK(attributes.mode):
        os.chmod(it, stat.S_IMODE(attributes.mode))  # noqa: PTH101 - a descriptor
    for name, value in attributes.xattrs:
        os.setxattr(it, name, value)
    os.utime(it, ns=(attributes.atime_ns, attributes.mtime_ns))

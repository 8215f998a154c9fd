"""Writes one file through the mount of a replicated directory, as an application would.

Complete under another name first, then put in place by a rename: whoever reads meanwhile sees the
one or the other. It knows nothing of where the pieces come from.
"""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path


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

    Raises: OSError; then what stood there stands there still.
    """
    target = Path(top) / os.fsdecode(path)
    target.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    fresh = target.parent / f".restored-{secrets.token_hex(8)}"
    try:
        _make(fresh, attributes, pieces)
        _set(fresh, attributes)
        fresh.replace(target)
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise
    fd = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _make(path: Path, attributes: Attributes, pieces: Pieces) -> None:
    if stat.S_ISLNK(attributes.mode):
        path.symlink_to(os.fsdecode(attributes.link))
        return
    if not stat.S_ISREG(attributes.mode):
        os.mknod(path, stat.S_IFMT(attributes.mode) | 0o600, attributes.rdev)
        return
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        os.ftruncate(fd, attributes.size_bytes)
        for offset, data in pieces:
            done = 0
            while done < len(data):
                done += os.pwrite(fd, data[done:], offset + done)
        os.fsync(fd)
    finally:
        os.close(fd)


def _set(path: Path, attributes: Attributes) -> None:
    os.chown(path, attributes.uid, attributes.gid, follow_symlinks=False)
    if not stat.S_ISLNK(attributes.mode):
        path.chmod(stat.S_IMODE(attributes.mode))
    for name, value in attributes.xattrs:
        os.setxattr(path, name, value, follow_symlinks=False)
    times = (attributes.atime_ns, attributes.mtime_ns)
    os.utime(path, ns=times, follow_symlinks=False)

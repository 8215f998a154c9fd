"""One tree -> one entry per name: everything of it that both nodes must have alike (invariant 10).

What may differ is left out: access time, change time, inode numbers, link counts of directories,
the order of listings; the product's own `.mirror` at the top and `trusted.mirror.*` attributes.
Blocks are hashed with another function than reintegration uses, so that one of its collisions
would be seen here.
"""

import ctypes
import errno
import fcntl
import functools
import hashlib
import json
import os
import stat
import struct
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

HIDDEN_DIRECTORY = ".mirror"
OWN_ATTRIBUTES = "trusted.mirror."
BLOCK_BYTES = 1 << 20

_TYPES = {
    stat.S_IFREG: "file",
    stat.S_IFDIR: "directory",
    stat.S_IFLNK: "symlink",
    stat.S_IFIFO: "fifo",
    stat.S_IFSOCK: "socket",
    stat.S_IFCHR: "character device",
    stat.S_IFBLK: "block device",
}
_OPEN = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
_QUIETLY = _OPEN | os.O_NOATIME | os.O_NONBLOCK
_FIEMAP = struct.Struct("=QQIIII")  # linux/fiemap.h: fiemap, and fiemap_extent below
_EXTENT = struct.Struct("=QQQ16xI12x")
_FS_IOC_FIEMAP = 0xC020660B
_FIEMAP_FLAG_SYNC, _EXTENT_LAST, _EXTENT_UNWRITTEN = 1, 1, 0x800
_EXTENTS_AT_ONCE = 64
# Of linux/fs.h; those of chattr that are replicated. A file system has others of its own.
_FS_IOC_GETFLAGS = 0x80086601
_FLAGS = {0x08: "S", 0x10: "i", 0x20: "a", 0x40: "d", 0x80: "A", 0x10000: "D"}

Range = tuple[int, int]  # from, to (not included), in bytes
IsLocal = Callable[[str, bool], bool]  # path relative to the top, whether it is a directory


def nothing_is_local(_path: str, _directory: bool) -> bool:  # noqa: FBT001 - as IsLocal
    """All is replicated."""
    return False


@dataclass(frozen=True, slots=True)
class Entry:
    """One name. Fields that its type does not have are empty.

    path: relative to the top, "." for the top itself; bytes that are no UTF-8 are escaped as
    os.fsdecode does. mtime_ns: since 1970. blocks: digest of each BLOCK_BYTES of content, a hole
    reading as zeros. data: what was written; neither holes nor what is only reserved. object: for
    something with several names, the first of them that was met, which may be this one. flags: the
    letters of chattr.
    """

    path: str
    type: str
    mode: int
    uid: int
    gid: int
    mtime_ns: int
    size_bytes: int = 0
    blocks: tuple[str, ...] = ()
    data: tuple[Range, ...] = ()
    target: str = ""
    device: int = 0
    xattrs: tuple[tuple[str, str], ...] = ()
    object: str = ""
    flags: str = ""

    def to_json(self) -> str:
        """As one line of ASCII."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """The value that to_json wrote."""
        values = json.loads(text)
        values["blocks"] = tuple(values["blocks"])
        values["data"] = tuple((start, end) for start, end in values["data"])
        values["xattrs"] = tuple((name, value) for name, value in values["xattrs"])
        return cls(**values)


def digest_tree(root: Path, is_local: IsLocal = nothing_is_local) -> Iterator[Entry]:
    """Every entry of the tree at `root`, a directory before what is in it, names in order.

    is_local(path, directory): what is not replicated, and left out with all beneath it.
    The filesystem is written back first: until then its map of holes is a guess.
    Raises OSError: a tree that cannot be read whole is not equal to anything.
    """
    top = os.open(root, _OPEN | os.O_DIRECTORY)
    first_names: dict[tuple[int, int], str] = {}
    open_directories = [top]
    pending: list[Iterator[str]] = []
    path: list[str] = []
    try:
        _write_back(top)
        yield _entry(top, ".", ".", first_names)
        pending.append(_names(top, skip=HIDDEN_DIRECTORY))
        # Not recursive: a tree may be deeper than Python's stack, and than the longest path.
        while pending:
            name = next(pending[-1], None)
            if name is None:
                pending.pop()
                os.close(open_directories.pop())
                if path:
                    path.pop()
                continue
            directory = open_directories[-1]
            if is_local("/".join([*path, name]), _is_directory(directory, name)):
                continue
            entry = _entry(directory, name, "/".join([*path, name]), first_names)
            yield entry
            if entry.type == "directory":
                below = os.open(name, _OPEN | os.O_DIRECTORY, dir_fd=directory)
                open_directories.append(below)
                pending.append(_names(below))
                path.append(name)
    finally:
        for descriptor in open_directories:
            os.close(descriptor)


def _is_directory(directory: int, name: str) -> bool:
    return stat.S_ISDIR(os.stat(name, dir_fd=directory, follow_symlinks=False).st_mode)


def _write_back(descriptor: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.syncfs(descriptor) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), "syncfs")


def _names(directory: int, skip: str = "") -> Iterator[str]:
    return iter(sorted(name for name in os.listdir(directory) if name != skip))


def _entry(directory: int, name: str, path: str, first_names: dict[tuple[int, int], str]) -> Entry:
    found = os.stat(name, dir_fd=directory, follow_symlinks=False)
    kind = stat.S_IFMT(found.st_mode)
    several = kind != stat.S_IFDIR and found.st_nlink > 1
    is_device = kind in (stat.S_IFCHR, stat.S_IFBLK)
    blocks, data = _content(directory, name) if kind == stat.S_IFREG else ((), ())
    return Entry(
        path=path,
        type=_TYPES[kind],
        mode=stat.S_IMODE(found.st_mode),
        uid=found.st_uid,
        gid=found.st_gid,
        mtime_ns=found.st_mtime_ns,
        size_bytes=found.st_size if kind == stat.S_IFREG else 0,
        blocks=blocks,
        data=data,
        target=os.readlink(name, dir_fd=directory) if kind == stat.S_IFLNK else "",
        device=found.st_rdev if is_device else 0,
        xattrs=_xattrs(f"/proc/self/fd/{directory}/{name}"),
        object=first_names.setdefault((found.st_dev, found.st_ino), path) if several else "",
        flags=_flags(directory, name) if kind in (stat.S_IFREG, stat.S_IFDIR) else "",
    )


def _flags(directory: int, name: str) -> str:
    descriptor = os.open(name, _QUIETLY, dir_fd=directory)
    try:
        answer = fcntl.ioctl(descriptor, _FS_IOC_GETFLAGS, bytes(8))
    except OSError as error:
        if error.errno in (errno.ENOTTY, errno.EOPNOTSUPP):
            return ""  # a file system that has none
        raise
    finally:
        os.close(descriptor)
    (found,) = struct.unpack_from("=I", answer)
    return flag_letters(found)


def flag_letters(flags: int) -> str:
    """FS_IOC flags as chattr writes them; those that are not replicated are left out."""
    return "".join(letter for flag, letter in _FLAGS.items() if flags & flag)


def _xattrs(path: str) -> tuple[tuple[str, str], ...]:
    """All namespaces, ACLs among them (system.posix_acl_*); values in hexadecimal."""
    names = os.listxattr(path, follow_symlinks=False)
    return tuple(
        (name, os.getxattr(path, name, follow_symlinks=False).hex())
        for name in sorted(names)
        if not name.startswith(OWN_ATTRIBUTES)
    )


def _content(directory: int, name: str) -> tuple[tuple[str, ...], tuple[Range, ...]]:
    descriptor = os.open(name, _QUIETLY, dir_fd=directory)
    try:
        size_bytes = os.fstat(descriptor).st_size
        data = tuple(_data_ranges(descriptor, size_bytes))
        blocks = tuple(_block_digests(descriptor, size_bytes, data))
        # Preallocated room that somebody has read into memory is data to SEEK_DATA: no change.
        return blocks, tuple(_without(data, _reserved(descriptor)))
    finally:
        os.close(descriptor)


def _data_ranges(descriptor: int, size_bytes: int) -> Iterator[Range]:
    at = 0
    while at < size_bytes:
        try:
            start = os.lseek(descriptor, at, os.SEEK_DATA)
        except OSError as error:
            if error.errno == errno.ENXIO:  # only a hole is left
                return
            raise
        at = os.lseek(descriptor, start, os.SEEK_HOLE)
        yield start, at


def _reserved(descriptor: int) -> list[Range]:
    """Room that is allocated and was never written; [] where the file system does not say."""
    found: list[Range] = []
    start, last = 0, False
    while not last:
        question = bytearray(_FIEMAP.size + _EXTENTS_AT_ONCE * _EXTENT.size)
        fields = (start, (1 << 64) - 1 - start, _FIEMAP_FLAG_SYNC, 0, _EXTENTS_AT_ONCE, 0)
        _FIEMAP.pack_into(question, 0, *fields)
        try:
            fcntl.ioctl(descriptor, _FS_IOC_FIEMAP, question)
        except OSError as error:
            if error.errno in (errno.ENOTTY, errno.EOPNOTSUPP):
                return []
            raise
        count = _FIEMAP.unpack_from(question)[3]
        last = count == 0
        for at in range(count):
            where = _FIEMAP.size + at * _EXTENT.size
            logical, _, length, flags = _EXTENT.unpack_from(question, where)
            start, last = logical + length, bool(flags & _EXTENT_LAST)
            if flags & _EXTENT_UNWRITTEN:
                found.append((logical, start))
    return found


def _without(ranges: Iterable[Range], taken: Iterable[Range]) -> Iterator[Range]:
    """What is left of ranges; both in order, neither touching itself."""
    cuts = list(taken)
    for start, end in ranges:
        at = start
        for cut_start, cut_end in cuts:
            if cut_end > at and cut_start < end:
                if cut_start > at:
                    yield at, cut_start
                at = min(cut_end, end)
        if at < end:
            yield at, end


def _block_digests(descriptor: int, size_bytes: int, data: tuple[Range, ...]) -> Iterator[str]:
    following = iter(data)
    start, end = next(following, (size_bytes, size_bytes))
    for offset in range(0, size_bytes, BLOCK_BYTES):
        length = min(BLOCK_BYTES, size_bytes - offset)
        while end <= offset and start < size_bytes:
            start, end = next(following, (size_bytes, size_bytes))
        if start >= offset + length:
            yield _digest_of_zeros(length)
        else:
            yield _digest(_read(descriptor, offset, length))


def _read(descriptor: int, offset: int, length: int) -> bytes:
    parts: list[bytes] = []
    while length > 0:
        part = os.pread(descriptor, length, offset)
        if not part:
            break  # truncated meanwhile; the digest of what there is will tell
        parts.append(part)
        offset += len(part)
        length -= len(part)
    return b"".join(parts)


def _digest(block: bytes) -> str:
    return hashlib.blake2b(block, digest_size=16).hexdigest()


@functools.lru_cache(maxsize=64)
def _digest_of_zeros(length: int) -> str:
    return _digest(bytes(length))

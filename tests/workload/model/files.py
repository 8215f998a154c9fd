"""Open files and their content."""

import errno
import stat
from dataclasses import dataclass, field

from tests.workload.model.names import create
from tests.workload.model.tree import Inode, Refused, Tree
from tests.workload.operations import Operation, digest, pattern, user_of
from tests.workload.syscalls import (
    FLAG_APPEND,
    FLAG_IMMUTABLE,
    KEEP_SIZE,
    PUNCH_HOLE,
    ZERO_RANGE,
)


@dataclass(frozen=True, slots=True)
class Slot:
    """An open file, and how it was opened."""

    inode: Inode
    flags: frozenset[str] = field(default_factory=frozenset)

    @property
    def readable(self) -> bool:
        """True when it can be read."""
        return "O_WRONLY" not in self.flags

    @property
    def writable(self) -> bool:
        """True when it can be written."""
        return bool(self.flags & {"O_WRONLY", "O_RDWR"})


def lose_privileges(inode: Inode, op: Operation) -> None:
    """What a change of content by an ordinary user takes away.

    Setgid without execution by the group is no privilege (it meant mandatory locks once). ext4
    takes it away where the writer is not in the group; a FUSE server hears nothing of groups and
    keeps it. The generator has only root write to such a file.
    """
    uid, _ = user_of(op)
    inode.xattrs.pop("security.capability", None)
    if uid == 0 or not inode.is_file:
        return
    permissions = stat.S_IMODE(inode.mode)
    if permissions & stat.S_IXGRP:
        permissions &= ~stat.S_ISGID
    inode.set_permissions(permissions & ~stat.S_ISUID)


def open_file(tree: Tree, slots: dict[int, Slot], op: Operation) -> None:
    """open(2), always with O_NOFOLLOW."""
    flags = frozenset(op["flags"])
    directory, name = tree.parent(op["path"])
    inode = directory.entries.get(name)
    if inode is None:
        if "O_CREAT" not in flags:
            raise Refused(errno.ENOENT)
        inode = create(tree, op, stat.S_IFREG | op["mode"])
    else:
        if "O_CREAT" in flags and inode.is_kind(stat.S_IFLNK):
            _check_sticky(directory, inode, op)
        _check_open(inode, flags)
        if "O_TRUNC" in flags:
            _resize(inode, 0, op)
    slots[op["slot"]] = Slot(inode, flags)


def _check_sticky(directory: Inode, inode: Inode, op: Operation) -> None:
    """The kernel's may_create_in_sticky: of a symbolic link no sysctl switches it off."""
    caller, _ = op.get("user", (0, 0))
    is_shared = directory.mode & stat.S_ISVTX and directory.mode & stat.S_IWOTH
    if is_shared and "O_EXCL" not in op["flags"] and inode.uid not in (directory.uid, caller):
        raise Refused(errno.EACCES)


def _check_open(inode: Inode, flags: frozenset[str]) -> None:
    writing = bool(flags & {"O_WRONLY", "O_RDWR", "O_TRUNC"})
    if {"O_CREAT", "O_EXCL"} <= flags:
        raise Refused(errno.EEXIST)
    if inode.is_kind(stat.S_IFLNK):
        raise Refused(errno.ELOOP)
    if inode.is_directory and (writing or "O_CREAT" in flags):
        raise Refused(errno.EISDIR)
    appends = "O_APPEND" in flags and "O_TRUNC" not in flags
    if inode.flags & FLAG_IMMUTABLE and writing:
        raise Refused(errno.EPERM)
    if inode.flags & FLAG_APPEND and writing and not appends:
        raise Refused(errno.EPERM)


def write(slots: dict[int, Slot], op: Operation) -> int:
    """pwrite(2); with O_APPEND at the end, whatever the offset says."""
    slot = slots[op["slot"]]
    if not slot.writable:
        raise Refused(errno.EBADF)
    content = slot.inode.content
    offset = content.size if "O_APPEND" in slot.flags else op["offset"]
    content.write(offset, pattern(op["tag"], op["length"]))
    if op["length"]:
        lose_privileges(slot.inode, op)
        slot.inode.mtime_ns = None
    return int(op["length"])


def read(slots: dict[int, Slot], op: Operation) -> str:
    """pread(2)."""
    slot = slots[op["slot"]]
    if not slot.readable:
        raise Refused(errno.EBADF)
    return digest(slot.inode.content.read(op["offset"], op["length"]))


def _resize(inode: Inode, size: int, op: Operation) -> None:
    inode.content.resize(size)
    lose_privileges(inode, op)
    inode.mtime_ns = None


def truncate(tree: Tree, op: Operation) -> None:
    """truncate(2)."""
    inode = tree.lookup(op["path"])
    if inode.is_directory:
        raise Refused(errno.EISDIR)
    if not inode.is_file:
        raise Refused(errno.EINVAL)
    if inode.fixed:
        raise Refused(errno.EPERM)
    _resize(inode, op["size"], op)


def ftruncate(slots: dict[int, Slot], op: Operation) -> None:
    """ftruncate(2)."""
    slot = slots[op["slot"]]
    if not slot.writable:
        raise Refused(errno.EINVAL)
    _resize(slot.inode, op["size"], op)


def fallocate(slots: dict[int, Slot], op: Operation) -> None:
    """fallocate(2), in the modes that reach a FUSE server."""
    slot = slots[op["slot"]]
    if not slot.writable:
        raise Refused(errno.EBADF)
    content = slot.inode.content
    if op["mode"] & (PUNCH_HOLE | ZERO_RANGE):
        content.zero(op["offset"], op["length"])
    if not op["mode"] & KEEP_SIZE:
        content.grow(op["offset"] + op["length"])
    slot.inode.xattrs.pop("security.capability", None)
    slot.inode.mtime_ns = None


def copy(slots: dict[int, Slot], op: Operation) -> int:
    """copy_file_range(2), until all is copied or the source ends."""
    source, target = slots[op["slot"]], slots[op["to_slot"]]
    if not source.readable or not target.writable or "O_APPEND" in target.flags:
        raise Refused(errno.EBADF)
    data = source.inode.content.read(op["offset"], op["length"])
    target.inode.content.write(op["to_offset"], data)
    if data:
        target.inode.xattrs.pop("security.capability", None)
        target.inode.mtime_ns = None
    return len(data)


def store(slots: dict[int, Slot], op: Operation) -> None:
    """Stores through a mapping, and msync."""
    inode = slots[op["slot"]].inode
    inode.content.write(op["offset"], pattern(op["tag"], op["length"]))
    inode.mtime_ns = None

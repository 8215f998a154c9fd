"""Objects and names."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.workload import acl
from tests.workload.acl import Acl
from tests.workload.content import Content
from tests.workload.syscalls import FLAG_APPEND, FLAG_IMMUTABLE

NAME_BYTES_MAX = 255


class Refused(Exception):
    """The operation must fail with this errno."""

    def __init__(self, number: int) -> None:
        super().__init__(os.strerror(number))
        self.errno = number


@dataclass(slots=True, eq=False)
class Inode:
    """An object. mode: with the type bits. mtime_ns None: whatever the clock said."""

    number: int
    mode: int
    uid: int
    gid: int
    names: int = 1
    mtime_ns: int | None = None
    rdev: int = 0
    target: str = ""
    flags: int = 0
    content: Content = field(default_factory=Content)
    entries: dict[str, Inode] = field(default_factory=dict)
    xattrs: dict[str, bytes] = field(default_factory=dict)
    access: Acl | None = None
    default: Acl | None = None

    def is_kind(self, kind: int) -> bool:
        """Compare with stat.S_IFDIR and the like."""
        return stat.S_IFMT(self.mode) == kind

    @property
    def is_directory(self) -> bool:
        """True for a directory."""
        return self.is_kind(stat.S_IFDIR)

    @property
    def is_file(self) -> bool:
        """True for a regular file."""
        return self.is_kind(stat.S_IFREG)

    @property
    def fixed(self) -> bool:
        """True when immutable or append-only."""
        return bool(self.flags & (FLAG_IMMUTABLE | FLAG_APPEND))

    @property
    def link_count(self) -> int:
        """As st_nlink on ext4."""
        if self.is_directory:
            return 2 + sum(1 for each in self.entries.values() if each.is_directory)
        return self.names

    def set_permissions(self, permissions: int) -> None:
        """Replace the twelve bits."""
        self.mode = stat.S_IFMT(self.mode) | permissions & 0o7777

    def all_xattrs(self) -> dict[str, bytes]:
        """The attributes and the ACLs."""
        found = dict(self.xattrs)
        if self.access is not None:
            found[acl.ACCESS] = self.access.to_bytes()
        if self.default is not None:
            found[acl.DEFAULT] = self.default.to_bytes()
        return found


class Tree:
    """Names and what stands at them, below one directory. Paths are relative to it."""

    def __init__(self) -> None:
        self._count = 0
        self.root = self.new_inode(stat.S_IFDIR | 0o755, 0, 0)

    def new_inode(self, mode: int, uid: int, gid: int) -> Inode:
        """A new object without a name."""
        self._count += 1
        return Inode(self._count, mode, uid, gid)

    def lookup(self, path: str) -> Inode:
        """What stands there. Raises: Refused."""
        inode = self.root
        for name in path.split("/"):
            if name == ".":
                continue
            if not inode.is_directory:
                raise Refused(errno.ENOTDIR)
            check_name(name)
            below = inode.entries.get(name)
            if below is None:
                raise Refused(errno.ENOENT)
            inode = below
        return inode

    def parent(self, path: str) -> tuple[Inode, str]:
        """The directory of a path, and the name in it, which may be one. Raises: Refused."""
        directory, name = self.directory_of(path)
        check_name(name)
        return directory, name

    def directory_of(self, path: str) -> tuple[Inode, str]:
        """As parent, but the name may be too long."""
        above, _, name = path.rpartition("/")
        directory = self.lookup(above) if above else self.root
        if not directory.is_directory:
            raise Refused(errno.ENOTDIR)
        return directory, name

    def walk(self) -> Iterator[tuple[str, Inode]]:
        """Every path, the top as ".", a directory before what is in it, names in order."""
        pending: list[tuple[str, Inode]] = [(".", self.root)]
        while pending:
            path, inode = pending.pop()
            yield path, inode
            prefix = "" if path == "." else f"{path}/"
            below = sorted(inode.entries.items(), key=lambda each: each[0], reverse=True)
            pending.extend((prefix + name, each) for name, each in below)


def check_name(name: str) -> None:
    """Raises: Refused, for a name that is too long."""
    if len(os.fsencode(name)) > NAME_BYTES_MAX:
        raise Refused(errno.ENAMETOOLONG)


def contains(directory: Inode, wanted: Inode) -> bool:
    """True when `wanted` is `directory` or below it."""
    if directory is wanted:
        return True
    return any(contains(each, wanted) for each in directory.entries.values())

"""The next operation, from the seed and the model: mostly possible ones, some that must fail."""

import os
import random
import stat
from collections.abc import Callable

from tests.workload import acl, syscalls
from tests.workload.acl import Acl
from tests.workload.model import Inode, Model, Refused
from tests.workload.model.files import Slot
from tests.workload.operations import USERS, Operation

_NAMES = (
    *("a", "b", "c", "d", "data.db", "data.db-wal", "with space", "-rf", "...", ".mirror"),
    *("new\nline", "ünïcode", os.fsdecode(b"\xff\xfe\x01"), os.fsdecode(b"caf\xe9"), "*", "\\"),
    *("n" * 255, "é" * 127, "N" * 254),
)
_TOO_LONG = "l" * 256
_DEPTH_MAX = 30  # with long names that is deeper than PATH_MAX
_OBJECTS_MAX = 120
_SLOTS_MAX = 8
_SMALL_BYTES = 12_000
_LARGE_BYTES = 300_000
_FAR_BYTES = 3 << 30  # sparse
_XATTR_BYTES_MAX = 1500  # of an object; ext4 has one block for all
_XATTRS = ("user.colour", "user.größe", "trusted.note", "security.test", "user." + "k" * 200)
_MODES = (0o644, 0o600, 0o755, 0o777, 0o000, 0o4755, 0o2755, 0o6711, 0o1755)
_UMASKS = (0o022, 0o022, 0o000, 0o077, 0o027)
_DIRECT_BYTES = 4096

Maker = Callable[["Generator"], Operation | None]


class Generator:
    """An endless sequence; the same for the same seed and the same outcomes."""

    def __init__(self, seed: int, model: Model) -> None:
        self.random = random.Random(seed)
        self.model = model
        self._tag = seed << 32
        self._slot = 0
        self._makers = [maker for maker, _ in _WEIGHTS]
        self._weights = [weight for _, weight in _WEIGHTS]

    def next(self) -> Operation:
        """The next operation; the caller tells the model of it before it asks again."""
        while True:
            maker = self.random.choices(self._makers, self._weights)[0]
            operation = maker(self)
            if operation is not None:
                return operation

    # Choices.

    def some_user(self) -> dict[str, list[int]]:
        """Root mostly, else {"user": [uid, gid]}."""
        if self.random.random() < 0.7:
            return {}
        return {"user": list(self.random.choice(USERS))}

    def some_writer(self, inode: Inode) -> dict[str, list[int]]:
        """As some_user; root for what is setgid without execution by the group (files.py)."""
        undecided = inode.mode & (stat.S_ISGID | stat.S_IXGRP) == stat.S_ISGID
        return {} if undecided else self.some_user()

    def tag(self) -> int:
        """For a write: bytes that no other write writes, or zeros."""
        self._tag += 1
        return 0 if self.random.random() < 0.08 else self._tag

    def some_path(self, wanted: Callable[[Inode], bool] = lambda _: True) -> str | None:
        """The path of an object that there is, none of those that forbid changes."""
        paths = [
            path
            for path, inode in self.model.tree.walk()
            if path != "." and not inode.fixed and wanted(inode)
        ]
        return self.random.choice(paths) if paths else None

    def any_path(self) -> str:
        """Of an object, or of nothing."""
        if self.random.random() < 0.93:
            return self.some_path() or self.new_path()
        return self.new_path()

    def new_path(self) -> str:
        """A name in a directory; it may be taken."""
        directories = [
            path
            for path, inode in self.model.tree.walk()
            if inode.is_directory and path.count("/") < _DEPTH_MAX
        ]
        above = self.random.choice(directories)
        if self.random.random() < 0.2:
            above = max(directories, key=lambda path: path.count("/"))
        name = _TOO_LONG if self.random.random() < 0.005 else self.random.choice(_NAMES)
        if above == ".":
            return "other" if name == ".mirror" else name
        return f"{above}/{name}"

    def standing_at(self, path: str) -> Inode | None:
        """What is there, if anything."""
        try:
            return self.model.tree.lookup(path)
        except Refused:
            return None

    def room(self) -> bool:
        """True while more objects may be made."""
        return sum(1 for _ in self.model.tree.walk()) < _OBJECTS_MAX

    def some_slot(self, wanted: Callable[[Slot], bool]) -> tuple[int, Slot] | None:
        """An open file."""
        found = [
            (number, slot)
            for number, slot in self.model.slots.items()
            if wanted(slot) and not slot.inode.fixed
        ]
        return self.random.choice(found) if found else None

    def range_in(self, slot: Slot) -> tuple[int, int]:
        """Offset and length for a write: near what is there, rarely far behind it."""
        size = slot.inode.content.size
        if self.random.random() < 0.02:
            offset = self.random.randrange(_FAR_BYTES)
        else:
            offset = self.random.randrange(min(size, 2 * _LARGE_BYTES) + _SMALL_BYTES)
        large = self.random.random() < 0.15
        length = self.random.randrange(_LARGE_BYTES if large else _SMALL_BYTES)
        if "O_DIRECT" in slot.flags:
            offset -= offset % _DIRECT_BYTES
            length = length - length % _DIRECT_BYTES + _DIRECT_BYTES
        return offset, length


def _regular(inode: Inode) -> bool:
    return inode.is_file


def _writable(slot: Slot) -> bool:
    return slot.writable


# Names.


def _mkdir(gen: Generator) -> Operation | None:
    if not gen.room():
        return None
    return {
        "do": "mkdir",
        "path": gen.new_path(),
        "mode": gen.random.choice(_MODES),
        "umask": gen.random.choice(_UMASKS),
        **gen.some_user(),
    }


def _mknod(gen: Generator) -> Operation | None:
    if not gen.room():
        return None
    kind = gen.random.choice((stat.S_IFIFO, stat.S_IFSOCK, stat.S_IFCHR, stat.S_IFBLK, 0))
    device = kind in (stat.S_IFCHR, stat.S_IFBLK)
    rdev = os.makedev(gen.random.randrange(300), gen.random.randrange(70_000)) if device else 0
    return {
        "do": "mknod",
        "path": gen.new_path(),
        "rdev": rdev,
        "mode": (kind or stat.S_IFREG) | gen.random.choice(_MODES),
        "umask": gen.random.choice(_UMASKS),
        **({} if device else gen.some_user()),
    }


def _symlink(gen: Generator) -> Operation | None:
    if not gen.room():
        return None
    target = gen.random.choice(("../nowhere", "a", "/etc/passwd", "t" * 3000, "ü" * 30))
    return {"do": "symlink", "path": gen.new_path(), "target": target, **gen.some_user()}


def _link(gen: Generator) -> Operation | None:
    path = gen.some_path(lambda inode: not inode.is_directory or gen.random.random() < 0.05)
    if path is None or not gen.room():
        return None
    return {"do": "link", "path": path, "to": gen.new_path()}


def _unlink(gen: Generator) -> Operation | None:
    path = gen.some_path(lambda inode: not inode.is_directory or gen.random.random() < 0.05)
    return None if path is None else {"do": "unlink", "path": path}


def _rmdir(gen: Generator) -> Operation | None:
    path = gen.some_path(lambda inode: inode.is_directory and not inode.entries)
    if path is None or gen.random.random() < 0.2:
        path = gen.any_path()
    return {"do": "rmdir", "path": path}


def _clear(gen: Generator) -> Operation | None:
    """Keeps the tree bounded: empties it from below when it is full."""
    if gen.room():
        return None
    path = gen.some_path(lambda inode: not inode.entries)
    if path is None:
        return None
    directory = gen.model.tree.lookup(path).is_directory
    return {"do": "rmdir" if directory else "unlink", "path": path}


def _rename(gen: Generator) -> Operation | None:
    flags = gen.random.choice((0, 0, 0, syscalls.RENAME_NOREPLACE, syscalls.RENAME_EXCHANGE))
    existing = flags == syscalls.RENAME_EXCHANGE or gen.random.random() < 0.4
    to = gen.some_path() if existing else gen.new_path()
    path = gen.any_path()
    if to is None or _goes_too_deep(gen, path, to) or _goes_too_deep(gen, to, path):
        return None
    return {"do": "rename", "path": path, "to": to, "flags": flags}


def _goes_too_deep(gen: Generator, path: str, to: str) -> bool:
    below = [each for each, _ in gen.model.tree.walk() if each.startswith(path + "/")]
    depth = max((each.count("/") for each in below), default=path.count("/"))
    return depth - path.count("/") + to.count("/") > _DEPTH_MAX


# Open files.


def _open(gen: Generator) -> Operation | None:
    if len(gen.model.slots) >= _SLOTS_MAX:
        return None
    path = gen.new_path() if gen.random.random() < 0.5 else gen.some_path(_regular)
    if path is None:
        return None
    flags = [gen.random.choice(("O_RDWR", "O_RDWR", "O_RDWR", "O_WRONLY", "O_RDONLY"))]
    flags += ["O_CREAT"] if gen.room() and gen.random.random() < 0.8 else []
    for flag, chance in (("O_EXCL", 0.15), ("O_TRUNC", 0.12), ("O_APPEND", 0.12)):
        flags += [flag] if gen.random.random() < chance else []
    flags += gen.random.choice(([], [], [], ["O_SYNC"], ["O_DSYNC"], ["O_DIRECT"]))
    if "O_EXCL" in flags and "O_CREAT" not in flags:
        flags.remove("O_EXCL")  # undefined without
    if "O_TRUNC" in flags and "O_RDONLY" in flags:
        flags.remove("O_TRUNC")  # unspecified
    if "O_DIRECT" in flags and "O_APPEND" in flags:
        flags.remove("O_APPEND")  # would need an aligned end
    there = gen.standing_at(path)
    if there is not None and not _opens_at_once(there, flags):
        return None
    user = gen.some_user() if there is None else gen.some_writer(there)
    gen._slot += 1
    return {
        "do": "open",
        "slot": gen._slot,
        "path": path,
        "flags": flags,
        "mode": gen.random.choice(_MODES),
        "umask": gen.random.choice(_UMASKS),
        **user,
    }


def _opens_at_once(inode: Inode, flags: list[str]) -> bool:
    """Fifos wait for the other end, sockets and devices answer with what is behind them."""
    if inode.is_directory:
        return "O_RDONLY" not in flags or "O_CREAT" in flags
    return inode.is_file or inode.is_kind(stat.S_IFLNK)


def _close(gen: Generator) -> Operation | None:
    found = gen.some_slot(lambda _: True)
    return None if found is None else {"do": "close", "slot": found[0]}


def _write(gen: Generator) -> Operation | None:
    found = gen.some_slot(lambda slot: slot.writable or gen.random.random() < 0.02)
    if found is None:
        return None
    number, slot = found
    offset, length = gen.range_in(slot)
    return {
        "do": "write",
        "slot": number,
        "offset": offset,
        "length": length,
        "tag": gen.tag(),
        **gen.some_writer(slot.inode),
    }


def _read(gen: Generator) -> Operation | None:
    found = gen.some_slot(lambda slot: slot.readable)
    if found is None:
        return None
    offset, length = gen.range_in(found[1])
    return {"do": "read", "slot": found[0], "offset": offset, "length": length}


def _truncate(gen: Generator) -> Operation | None:
    path = gen.some_path(_regular)
    if path is None:
        return None
    size = gen.random.randrange(2 * _SMALL_BYTES)
    user = gen.some_writer(gen.model.tree.lookup(path))
    return {"do": "truncate", "path": path, "size": size, **user}


def _ftruncate(gen: Generator) -> Operation | None:
    found = gen.some_slot(_writable)
    if found is None:
        return None
    size = gen.random.choice((0, 1, 4096, gen.random.randrange(_LARGE_BYTES)))
    size = _FAR_BYTES if gen.random.random() < 0.01 else size
    user = gen.some_writer(found[1].inode)
    return {"do": "ftruncate", "slot": found[0], "size": size, **user}


def _fallocate(gen: Generator) -> Operation | None:
    found = gen.some_slot(_writable)
    if found is None:
        return None
    keep, punch, zero = syscalls.KEEP_SIZE, syscalls.PUNCH_HOLE, syscalls.ZERO_RANGE
    mode = gen.random.choice((0, keep, punch | keep, punch | keep, zero, zero | keep))
    offset = gen.random.randrange(2 * _LARGE_BYTES)
    length = 1 + gen.random.randrange(_LARGE_BYTES)
    return {
        "do": "fallocate",
        "slot": found[0],
        "mode": mode,
        "offset": offset,
        "length": length,
    }


def _copy(gen: Generator) -> Operation | None:
    source = gen.some_slot(lambda slot: slot.readable)
    target = gen.some_slot(_writable)
    if source is None or target is None or source[1].inode is target[1].inode:
        return None
    offset, length = gen.range_in(source[1])
    to_offset, _ = gen.range_in(target[1])
    if "O_DIRECT" in source[1].flags | target[1].flags:
        return None  # the kernel may copy by reading and writing: alignment is not ours to choose
    return {
        "do": "copy",
        "slot": source[0],
        "offset": offset,
        "length": length,
        "to_slot": target[0],
        "to_offset": to_offset,
    }


def _map(gen: Generator) -> Operation | None:
    found = gen.some_slot(lambda slot: "O_RDWR" in slot.flags and slot.inode.content.size > 0)
    if found is None:
        return None
    size = found[1].inode.content.size
    offset = gen.random.randrange(size)
    length = 1 + gen.random.randrange(min(size - offset, _SMALL_BYTES))
    return {
        "do": "map",
        "slot": found[0],
        "offset": offset,
        "length": length,
        "tag": gen.tag(),
    }


def _fsync(gen: Generator) -> Operation | None:
    found = gen.some_slot(lambda _: True)
    if found is None:
        return None
    return {"do": "fsync", "slot": found[0], "datasync": gen.random.random() < 0.5}


# Attributes.


def _chmod(gen: Generator) -> Operation | None:
    path = gen.some_path(lambda inode: not inode.is_kind(stat.S_IFLNK))
    if path is None:
        return None
    return {
        "do": "chmod",
        "path": path,
        "mode": gen.random.choice(_MODES),
        **gen.some_user(),
    }


def _fchmod(gen: Generator) -> Operation | None:
    found = gen.some_slot(lambda _: True)
    if found is None:
        return None
    return {"do": "fchmod", "slot": found[0], "mode": gen.random.choice(_MODES)}


def _chown(gen: Generator) -> Operation | None:
    uid, gid = gen.random.choice((*USERS, (0, 0), (1234, -1), (-1, 77)))
    return {"do": "chown", "path": gen.any_path(), "uid": uid, "gid": gid}


def _utimens(gen: Generator) -> Operation | None:
    atime_ns, mtime_ns = (gen.random.randrange(-(10**18), 4 * 10**18) for _ in range(2))
    return {"do": "utimens", "path": gen.any_path(), "atime_ns": atime_ns, "mtime_ns": mtime_ns}


def _setxattr(gen: Generator) -> Operation | None:
    path = gen.some_path()
    if path is None:
        return None
    name = gen.random.choice(_XATTRS)
    value = gen.random.randbytes(gen.random.choice((0, 1, 30, 300)))
    held = sum(len(v) + 256 for v in gen.model.tree.lookup(path).xattrs.values())
    if held + len(value) > _XATTR_BYTES_MAX:
        return {"do": "removexattr", "path": path, "name": name}
    flags = gen.random.choice((0, 0, 0, os.XATTR_CREATE, os.XATTR_REPLACE))
    return {
        "do": "setxattr",
        "path": path,
        "name": name,
        "value": value.hex(),
        "flags": flags,
    }


def _removexattr(gen: Generator) -> Operation | None:
    name = gen.random.choice((*_XATTRS, acl.ACCESS, acl.DEFAULT))
    return {"do": "removexattr", "path": gen.any_path(), "name": name}


def _setacl(gen: Generator) -> Operation | None:
    bits = [gen.random.randrange(8) for _ in range(6)]
    named = gen.random.random() < 0.7
    value = Acl(
        owner=bits[0],
        group=bits[1],
        other=bits[2],
        users=((1234, bits[3]),) if named else (),
        groups=((77, bits[4]), (4321, bits[3])) if named and bits[5] > 3 else (),
        mask=bits[5] if named else None,
    )
    name = gen.random.choice((acl.ACCESS, acl.ACCESS, acl.DEFAULT))
    path = gen.some_path(lambda inode: inode.is_directory or name == acl.ACCESS)
    if path is None:
        return None
    return {
        "do": "setxattr",
        "path": path,
        "name": name,
        "flags": 0,
        "value": value.to_bytes().hex(),
    }


def _setflags(gen: Generator) -> Operation | None:
    fixed = [path for path, inode in gen.model.tree.walk() if inode.fixed]
    if fixed:
        return {"do": "setflags", "path": gen.random.choice(fixed), "flags": 0}
    # With a write-back cache, what is dirty when the flag is set cannot be written any more:
    # chattr of a file that is open for writing is a known difference.
    in_use = {slot.inode.number for slot in gen.model.slots.values()}
    path = gen.some_path(lambda inode: inode.is_file and inode.number not in in_use)
    if path is None:
        return None
    flags = gen.random.choice((syscalls.FLAG_IMMUTABLE, syscalls.FLAG_APPEND))
    return {"do": "setflags", "path": path, "flags": flags}


def _disturb_fixed(gen: Generator) -> Operation | None:
    """What an immutable or append-only file refuses.

    Only for one reason at a time: the mount may name the other.
    """
    fixed = [path for path, inode in gen.model.tree.walk() if inode.fixed]
    if not fixed:
        return None
    path, to = gen.random.choice(fixed), gen.new_path()
    if gen.standing_at(to) is not None:
        return None
    operation: Operation = gen.random.choice(
        (
            {"do": "unlink", "path": path},
            {"do": "chmod", "path": path, "mode": 0o600},
            {"do": "truncate", "path": path, "size": 0},
            {"do": "link", "path": path, "to": to},
            {"do": "rename", "path": path, "to": to, "flags": 0},
            {"do": "chown", "path": path, "uid": 5, "gid": 5},
            {"do": "utimens", "path": path, "atime_ns": 0, "mtime_ns": 0},
        )
    )
    return operation


# Looking.


def _look(gen: Generator) -> Operation | None:
    do = gen.random.choice(("stat", "list", "listxattr"))
    return {"do": do, "path": gen.any_path()}


def _fstat(gen: Generator) -> Operation | None:
    found = gen.some_slot(lambda _: True)
    return None if found is None else {"do": "fstat", "slot": found[0]}


def _getxattr(gen: Generator) -> Operation | None:
    return {"do": "getxattr", "path": gen.any_path(), "name": gen.random.choice(_XATTRS)}


def _readlink(gen: Generator) -> Operation | None:
    path = gen.some_path(lambda inode: inode.is_kind(stat.S_IFLNK))
    return None if path is None else {"do": "readlink", "path": path}


def _syncdir(gen: Generator) -> Operation | None:
    path = gen.some_path(lambda inode: inode.is_directory)
    return None if path is None else {"do": "syncdir", "path": path}


_WEIGHTS: tuple[tuple[Maker, int], ...] = (
    *((_mkdir, 6), (_mknod, 4), (_symlink, 3), (_link, 5), (_unlink, 6), (_rmdir, 4)),
    *((_clear, 40), (_rename, 10), (_open, 14), (_close, 7), (_write, 26), (_read, 6)),
    *((_truncate, 3), (_ftruncate, 4), (_fallocate, 6), (_copy, 5), (_map, 5), (_fsync, 2)),
    *((_chmod, 4), (_fchmod, 2), (_chown, 4), (_utimens, 4), (_setxattr, 5), (_removexattr, 3)),
    *((_setacl, 4), (_setflags, 2), (_disturb_fixed, 4), (_look, 6), (_fstat, 3)),
    *((_getxattr, 2), (_readlink, 2), (_syncdir, 1)),
)

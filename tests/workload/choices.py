"""Choices among what there is: names, objects, open files, ranges, users."""

import os
import random
import stat
from collections.abc import Callable

from tests.workload.model import Inode, Model, Refused
from tests.workload.model.files import Slot
from tests.workload.operations import USERS, Operation

_NAMES = (
    *("a", "b", "c", "d", "data.db", "data.db-wal", "with space", "-rf", "...", ".mirror"),
    *("new\nline", "ünïcode", os.fsdecode(b"\xff\xfe\x01"), os.fsdecode(b"caf\xe9"), "*", "\\"),
    *("n" * 255, "é" * 127, "N" * 254),
)
_TOO_LONG = "l" * 256
DEPTH_MAX = 30  # with long names that is deeper than PATH_MAX
_OBJECTS_MAX = 120
SMALL_BYTES = 12_000
LARGE_BYTES = 300_000
FAR_BYTES = 3 << 30  # sparse
XATTRS = ("user.colour", "user.größe", "trusted.note", "security.test", "user." + "k" * 200)
MODES = (0o644, 0o600, 0o755, 0o777, 0o000, 0o4755, 0o2755, 0o6711, 0o1755)
UMASKS = (0o022, 0o022, 0o000, 0o077, 0o027)
_DIRECT_BYTES = 4096

Maker = Callable[["Choices"], Operation | None]


class Choices:
    """What the makers of operations choose from; the same for the same seed and model."""

    def __init__(self, seed: int, model: Model) -> None:
        self.random = random.Random(seed)
        self.model = model
        self._tag = seed << 32
        self._slot = 0

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
            if inode.is_directory and path.count("/") < DEPTH_MAX
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

    def is_fixed(self, path: str) -> bool:
        """True where something immutable or append-only stands."""
        there = self.standing_at(path)
        return there is not None and there.fixed

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
            offset = self.random.randrange(FAR_BYTES)
        else:
            offset = self.random.randrange(min(size, 2 * LARGE_BYTES) + SMALL_BYTES)
        large = self.random.random() < 0.15
        length = self.random.randrange(LARGE_BYTES if large else SMALL_BYTES)
        if "O_DIRECT" in slot.flags:
            offset -= offset % _DIRECT_BYTES
            length = length - length % _DIRECT_BYTES + _DIRECT_BYTES
        return offset, length


def regular(inode: Inode) -> bool:
    return inode.is_file


def writable(slot: Slot) -> bool:
    return slot.writable

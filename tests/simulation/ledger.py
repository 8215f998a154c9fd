"""What was promised to clients, and what both disks hold: the judge of every run.

A write is a number; `ancestors` of a value are the writes it was written over, on the disk where
it was written. An acknowledged write is lost when a node serves whose value of that block neither
is it nor descends from it.
"""

from dataclasses import dataclass, field
from typing import ClassVar

BLOCKS = 12


class Violation(AssertionError):
    """A rule of the design was broken.

    seen: those of this run. The executor makes a failure of whatever a port raises, and the core
    then copes with it: a violation must not be lost so.
    """

    seen: ClassVar[list["Violation"]] = []

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        self.seen.append(self)


@dataclass
class Disk:
    """The lower directory and the dirty index of one node; survives everything."""

    blocks: dict[int, int] = field(default_factory=dict)
    index: set[int] = field(default_factory=set)
    generation: str = ""
    checkpoint: int = 0
    identity: str = ""


@dataclass
class Ledger:
    """All writes of one run."""

    previous: dict[int, int] = field(default_factory=dict)
    acknowledged: dict[int, set[int]] = field(default_factory=dict)
    acknowledged_by: dict[int, str] = field(default_factory=dict)
    excused: str = ""  # why losses are no violation until both are in step again
    count: int = 0
    acked_count: int = 0
    kept_aside: int = 0

    def begin(self, disk: Disk, block: int) -> int:
        """A client writes; the value remembers what it was written over."""
        self.count += 1
        self.previous[self.count] = disk.blocks.get(block, 0)
        return self.count

    def acknowledge(self, node: str, block: int, value: int) -> None:
        """The client was told that it is done."""
        self.acked_count += 1
        self.acknowledged.setdefault(block, set()).add(value)
        self.acknowledged_by[value] = node

    def descends(self, value: int, ancestor: int) -> bool:
        """Tell whether value is ancestor or was written over it."""
        while value > ancestor:
            value = self.previous[value]
        return value == ancestor

    def line(self, value: int, ancestor: int) -> set[int]:
        """Give the value and what it was written over, back to an ancestor at least."""
        found = {value}
        while value > ancestor:
            value = self.previous[value]
            found.add(value)
        return found

    def check_holds_all(self, node: str, disk: Disk) -> None:
        """Invariants 4 and 5: who begins to serve holds everything that was acknowledged."""
        if self.excused:
            return
        for block, values in self.acknowledged.items():
            line = self.line(disk.blocks.get(block, 0), min(values, default=0))
            for value in values - line:
                raise Violation(f"{node} serves without acknowledged write {value} of {block}")

    def together(self, disk: Disk) -> None:
        """Both are in step again: what was lost with an excuse is lost, the rest counts anew.

        An excuse that lasted for the whole of a run hid eight of twelve planted faults.
        """
        for block, values in self.acknowledged.items():
            kept = values & self.line(disk.blocks.get(block, 0), min(values, default=0))
            if kept != values and not self.excused:
                raise Violation(f"in step, and acknowledged writes of {block} are lost")
            self.acknowledged[block] = kept
        self.excused = ""

    def overwrite(self, disk: Disk, block: int, value: int, aside: str) -> None:
        """Invariant 7: reintegration replaces a block; what was acknowledged is kept aside."""
        held = disk.blocks.get(block, 0)
        if held != value:
            lost = held in self.acknowledged_by and not self.descends(value, held)
            if lost and aside:
                self.kept_aside += 1
            elif lost:
                raise Violation(f"acknowledged write {held} of {block} discarded by {value}")
        disk.blocks[block] = value


def check_equal(first: Disk, second: Disk) -> None:
    """Invariant 10, when a session is in sync and nothing is in flight."""
    if first.blocks != second.blocks:
        keys = first.blocks.keys() | second.blocks.keys()
        differ = {
            key: (first.blocks.get(key), second.blocks.get(key))
            for key in keys
            if first.blocks.get(key) != second.blocks.get(key)
        }
        raise Violation(f"in sync, and the disks differ: {differ}")

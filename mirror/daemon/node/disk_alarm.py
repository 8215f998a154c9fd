"""Says once that a disk is nearly full, and once that it has room again. Knows only numbers."""

from collections.abc import Mapping, Sequence
from typing import Any

from mirror.vocabulary.said import say

FULL_PERCENT = 90
ROOM_PERCENT = 85  # below it the alarm ends: one that comes and goes tells nothing
MIB = 1 << 20
FULL_BYTES = 16 * MIB  # with less a catching-up node cannot go on


def nearly_full(disks: Sequence[Mapping[str, Any]]) -> str:
    """The first of these disks that is nearly full, as the log says it; "" when none is."""
    for disk in disks:
        if _percent_used(disk) >= FULL_PERCENT:
            return say(
                "disk.nearly_full",
                directory=str(disk["directory"]),
                percent=_percent_used(disk),
                free_mib=int(disk["free_bytes"]) // MIB,
            )
    return ""


def full(disks: Sequence[Mapping[str, Any]]) -> bool:
    """Tell whether one of these disks has no room."""
    return any(_percent_used(one) and int(one["free_bytes"]) < FULL_BYTES for one in disks)


def _percent_used(disk: Mapping[str, Any]) -> int:
    free, total = int(disk["free_bytes"]), int(disk["total_bytes"])
    return 100 * (total - free) // total if total else 0


def _room(disk: Mapping[str, Any]) -> str:
    return f"{_percent_used(disk)} % used, {int(disk['free_bytes']) // MIB} MiB left"


class DiskAlarm:
    """The disks of one module's replicated directories on this node."""

    def __init__(self) -> None:
        self._full: set[str] = set()

    def look(self, disks: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
        """Level and text of what is to be logged. disks: directory, free_bytes, total_bytes."""
        said = []
        for disk in disks:
            directory, percent = str(disk["directory"]), _percent_used(disk)
            if percent >= FULL_PERCENT and directory not in self._full:
                self._full.add(directory)
                said.append(("E", nearly_full([disk])))
            elif percent < ROOM_PERCENT and directory in self._full:
                self._full.discard(directory)
                said.append(("E", f"Disk has room again: {directory}: {_room(disk)}"))
        return said

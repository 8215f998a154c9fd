"""Which disk was put back to an earlier day, from what both remember of checkpoints (design 14).

Each disk carries the last checkpoint begun on it, written before the file system was synced for
it, and the last that was known to be on both disks. Epochs only grow, over all sessions of a pair.
So a disk that has begun less than the other one knows to be on both was restored from a snapshot,
together with its record maybe, and the other's dirty index says nothing of what it lacks.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum


@dataclass(frozen=True, slots=True)
class Mark:
    """How far checkpoints came, as one disk says. 0: never.

    begun: the last that was begun here. stable: the last known to be on both disks.
    """

    begun: int = 0
    stable: int = 0


class Restored(Enum):
    """Whose disk is older than the other one remembers."""

    NONE = "none"
    SOURCE = "source"
    TARGET = "target"


def find_restored(source: Sequence[Mark], target: Sequence[Mark]) -> Restored:
    """Compare disk by disk, in the order of the replicated directories.

    The source counts first: what it lacks must not replace what the target has.
    """
    pairs = list(zip(source, target, strict=True))
    if any(here.begun < there.stable for here, there in pairs):
        return Restored.SOURCE
    if any(there.begun < here.stable for here, there in pairs):
        return Restored.TARGET
    return Restored.NONE


def first_epoch(marks: Iterable[Mark]) -> int:
    """Give the epoch that a session begins with: above all that any disk has seen."""
    return max((max(mark.begun, mark.stable) for mark in marks), default=0) + 1

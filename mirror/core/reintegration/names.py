"""One directory as both nodes have it: what must leave it at the target, what must come.

The source's word is law: identity first, then type. Nothing here knows where an object that must
come is now; the target looks for it in its stash, under its other names, and makes it new last.
What leaves goes into the stash before anything comes, from all directories, so the order in
which directories are compared does not matter: a swap, a chain, a parent under its own child all
come out right.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum

NO_ID = bytes(16)
UNFINISHED = 1  # bit of `kind`: attached by an earlier try, not complete; above are type bits


class Outcome(IntEnum):
    """What the target did to attach an object: a byte of the message Outcomes."""

    WAS_THERE = 0
    MOVED = 1
    LINKED = 2
    MADE_NEW = 3
    ADOPTED = 4  # it had no identity: any of its bytes may differ
    UNFINISHED = 5  # made new by an earlier try that was interrupted
    NOT_NOW = 6  # the tree moved under us: the next round will find it as it is then


# All of such an object must be looked at: its data, attributes, and names if it is a directory.
WHOLLY_DIRTY = frozenset({Outcome.MADE_NEW, Outcome.ADOPTED, Outcome.UNFINISHED})
# The target's own bytes, which an administrator may vouch for (`secondforce`).
TRUSTED = frozenset({Outcome.WAS_THERE, Outcome.MOVED, Outcome.LINKED, Outcome.ADOPTED})


@dataclass(frozen=True, slots=True)
class Standing:
    """What stands at a name. kind: type bits of st_mode, UNFINISHED at the target only.

    id: NO_ID when the object has no valid one.
    """

    name: bytes
    id: bytes
    kind: int


@dataclass(frozen=True, slots=True)
class Comparison:
    """What to do with one directory of the target; names are in no particular order.

    detach: theirs, to the stash. attach: ours. same: ours, equal there. unfinished: ours, there
    already, but not complete.
    """

    detach: tuple[Standing, ...]
    attach: tuple[Standing, ...]
    same: tuple[Standing, ...]
    unfinished: tuple[Standing, ...]


def compare(ours: Iterable[Standing], theirs: Mapping[bytes, Standing]) -> Comparison:
    """Compare what both nodes have at the same names of one directory.

    ours: with identities, all of them. theirs: only names that were compared; a name that is
    there and not in `ours` must leave (invariant 9: what was deleted stays deleted).
    """
    detach: list[Standing] = []
    attach: list[Standing] = []
    same: list[Standing] = []
    unfinished: list[Standing] = []
    seen = set()
    for our in ours:
        assert our.id != NO_ID, "the source names every object before it is compared"
        seen.add(our.name)
        their = theirs.get(our.name)
        if their is None:
            attach.append(our)
        elif their.id == our.id:
            (unfinished if their.kind & UNFINISHED else same).append(our)
        else:
            attach.append(our)
            if not may_adopt(our.kind, their):
                detach.append(their)
    detach.extend(their for name, their in theirs.items() if name not in seen)
    return Comparison(tuple(detach), tuple(attach), tuple(same), tuple(unfinished))


def may_adopt(kind: int, their: Standing) -> bool:
    """Say whether an object without identity may become the source's one of this type and name.

    A first synchronisation onto an existing copy then sends only what differs.
    """
    return their.id == NO_ID and type_of(their.kind) == type_of(kind)


def type_of(kind: int) -> int:
    """The type bits of `kind`."""
    return kind & 0o170000

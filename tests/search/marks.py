"""What a world may yet undergo, and how strictly it is judged: beside its key.

Of two worlds with one key that differ in nothing else, the one that may undergo as much and is
judged as strictly can do whatever the other can, and breaks a rule wherever the other does. So
the other is not walked.
"""

from dataclasses import dataclass
from functools import cache

from tests.search.small import SmallWorld

ACKNOWLEDGED = 1  # the bit that `kinds_of_writes` gives to what was acknowledged


@dataclass(frozen=True, slots=True)
class Mark:
    """budget: how often each thing may happen yet.

    strict: what is not excused: the world, faults after standing still, two applications.
    writes: the kinds of writes there are. Rules ask whether a write is missing somewhere, and ask
    more of one that was acknowledged: beside each of these counts its like that was not.
    """

    budget: tuple[int, ...]
    strict: int
    writes: int

    def covers(self, other: "Mark") -> bool:
        """Tell whether nothing can be found from `other` that is not found from here."""
        return (
            self.writes & other.writes == other.writes
            and self.strict & other.strict == other.strict
            and all(map(int.__ge__, self.budget, other.budget))
        )


def mark_of(world: SmallWorld) -> Mark:
    """Read it from a world."""
    kinds = world.kinds_of_writes()
    less = _unacknowledged(kinds)
    strict = 0
    if not world.excused:
        strict = (1, 0b11, 0b111)[2 - world.stood]
        for place, node in enumerate(world.nodes.values()):
            strict |= (not (node.app and node.excused)) << (3 + place)
    return Mark(world.budget, strict, kinds | less)


@cache
def _unacknowledged(kinds: int) -> int:
    found = 0
    for kind in range(kinds.bit_length()):
        if kinds >> kind & 1:
            found |= 1 << (kind & ~ACKNOWLEDGED)
    return found

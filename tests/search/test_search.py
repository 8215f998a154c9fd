"""The small world, whole: every state that one fault of each sort can lead to, and no rule broken.

`make search` takes several faults in one story.
"""

from dataclasses import replace

import pytest

from tests.search.explore import Bound, explore

STATES_MAX = 60_000  # a bound on the time: each of these ends well before


@pytest.mark.slow
@pytest.mark.parametrize(
    "bound",
    [
        Bound(crashes=1, cuts=0, freezes=0, writes=1, prims=0),
        Bound(crashes=0, cuts=1, freezes=0, writes=1, prims=0),
        Bound(crashes=0, cuts=0, freezes=1, writes=1, prims=0),
        Bound(crashes=0, cuts=0, freezes=0, writes=1, prims=2, paired=False),
    ],
    ids=["crash", "cut", "freeze", "first start"],
)
def test_no_state_breaks_a_rule(bound: Bound) -> None:
    found = explore(replace(bound, states=STATES_MAX))
    assert not found.broken, "\n".join((*found.story, found.broken))
    assert found.finished, f"more than {STATES_MAX} states"
    assert found.paired
    assert found.served

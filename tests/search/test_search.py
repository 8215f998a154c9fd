"""The small world, whole: every state that one fault can lead to, and no rule broken.

`make search` takes two faults in one story.
"""

import pytest

from tests.search.explore import Bound, explore

STATES_MAX = 20_000  # a bound on the time: each of these ends well before


@pytest.mark.slow
@pytest.mark.parametrize("witness", [True, False], ids=["witness", "no witness"])
@pytest.mark.parametrize("paired", [True, False], ids=["paired", "first start"])
def test_no_state_breaks_a_rule(*, witness: bool, paired: bool) -> None:
    found = explore(Bound(faults=1, witness=witness, paired=paired, states=STATES_MAX))
    assert not found.broken, "\n".join((*found.story, found.broken))
    assert found.finished, f"more than {STATES_MAX} states"
    assert found.paired
    assert found.served

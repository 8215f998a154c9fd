"""Which disk was put back, from what both remember of checkpoints."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirror.core.reintegration.marks import Mark, Restored, find_restored, first_epoch


@pytest.mark.parametrize(
    ("source", "target", "restored"),
    [
        ([Mark()], [Mark()], Restored.NONE),
        ([Mark(9, 8)], [Mark(8, 8)], Restored.NONE),  # it fell in the middle of a checkpoint
        ([Mark(9, 8)], [Mark(7, 6)], Restored.TARGET),
        ([Mark(7, 6)], [Mark(9, 8)], Restored.SOURCE),
        ([Mark(9, 8), Mark(3, 2)], [Mark(9, 8), Mark(9, 8)], Restored.SOURCE),
        ([Mark(9, 8), Mark(3, 2)], [Mark(1, 0), Mark(9, 8)], Restored.SOURCE),
        ([Mark(0, 0)], [Mark(9, 0)], Restored.NONE),  # nothing was on both yet
    ],
)
def test_the_older_disk_is_found(
    source: list[Mark], target: list[Mark], restored: Restored
) -> None:
    assert find_restored(source, target) is restored


@given(
    st.lists(st.integers(0, 50), min_size=1, max_size=3),
    st.integers(0, 50),
    st.booleans(),
)
def test_a_disk_that_fell_is_never_taken_for_a_restored_one(
    begun: list[int], behind: int, announced: bool
) -> None:
    """Whatever the moment: what a node trims, the other has begun and synced before."""
    marks = [Mark(each + 1, each) for each in begun]
    fell = [Mark(each.begun if announced else each.stable, each.stable) for each in marks]
    assert find_restored(marks, fell) is Restored.NONE
    assert find_restored(fell, marks) is Restored.NONE
    assert first_epoch((*marks, *fell)) > max(each.begun for each in marks)
    older = [Mark(max(0, each.stable - 1 - behind), 0) for each in marks]
    if all(each.stable > 0 for each in marks):
        assert find_restored(marks, older) is Restored.TARGET
        assert find_restored(older, marks) is Restored.SOURCE

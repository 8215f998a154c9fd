"""Which version two ends use: the newest of both, or a sentence that names both."""

from hypothesis import given
from hypothesis import strategies as st

from mirror.wire.handshake import OURS, Agreed, Refused, Versions, negotiate
from mirror.wire.schema import Refusal

RANGES = st.tuples(st.integers(0, 9), st.integers(0, 9)).map(lambda pair: Versions(*pair))


@given(ours=RANGES.filter(lambda versions: versions.oldest <= versions.newest), theirs=RANGES)
def test_the_newest_version_of_both_is_taken(ours: Versions, theirs: Versions) -> None:
    both = set(range(ours.oldest, ours.newest + 1)) & set(range(theirs.oldest, theirs.newest + 1))
    outcome = negotiate(theirs, 0, ours=ours)
    if both:
        assert outcome == Agreed(max(both), 0)
    else:
        assert isinstance(outcome, Refused)
        assert outcome.code is Refusal.VERSION
        assert f"this node speaks {ours}, the other {theirs}" in outcome.sentence


@given(theirs=st.integers(0, 2**64 - 1), ours=st.integers(0, 2**64 - 1))
def test_features_are_those_of_both(theirs: int, ours: int) -> None:
    assert negotiate(OURS, theirs, features=ours) == Agreed(OURS.newest, theirs & ours)

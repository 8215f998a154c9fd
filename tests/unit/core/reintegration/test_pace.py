"""A bandwidth is kept over any stretch of time, but for the second that may be sent ahead."""

from hypothesis import given
from hypothesis import strategies as st

from mirror.core.reintegration.pace import Pace


def test_without_a_bound_nobody_waits() -> None:
    assert Pace(None, 0).wait_ms(1 << 40, 0) == 0


@given(st.lists(st.integers(0, 5_000_000), min_size=1, max_size=50), st.integers(1_000, 10**9))
def test_who_waits_as_told_keeps_the_bound(sizes: list[int], bytes_s: int) -> None:
    pace, now_ms = Pace(bytes_s, 0), 0
    for size in sizes:
        now_ms += pace.wait_ms(size, now_ms)
    # Each step may lose a millisecond to rounding.
    assert sum(sizes) <= bytes_s * (now_ms + 1_000 + len(sizes)) / 1_000


def test_a_rest_is_not_saved_up() -> None:
    pace = Pace(1_000, 0)
    assert pace.wait_ms(1_000, 60_000) == 0
    assert pace.wait_ms(1_000, 60_000) == 1_000

"""Dirty regions as ranges, pieces and shares: every region once, nothing else, sizes bounded."""

from hypothesis import given
from hypothesis import strategies as st

from mirror.core.reintegration.data import bytes_of, pieces_of, ranges_of, shares_of
from mirror.vocabulary.places import REGION_BYTES

regions = st.lists(st.integers(0, 200), max_size=60)


@given(regions)
def test_ranges_hold_each_region_once(numbers: list[int]) -> None:
    ranges = ranges_of(numbers)
    covered = [
        offset // REGION_BYTES + step
        for offset, size in ranges
        for step in range(size // REGION_BYTES)
    ]
    assert covered == sorted(set(numbers))
    ends = [sum(each) for each in ranges]
    assert all(end < each[0] for end, each in zip(ends, ranges[1:], strict=False)), "not merged"


@given(regions, st.integers(1, 10 * REGION_BYTES))
def test_pieces_are_the_ranges_cut(numbers: list[int], piece_bytes_max: int) -> None:
    ranges = ranges_of(numbers[:10])
    pieces = list(pieces_of(ranges, max(piece_bytes_max, REGION_BYTES // 8)))
    assert bytes_of(pieces) == bytes_of(ranges)
    glued: list[tuple[int, int]] = []
    for offset, size in pieces:
        assert 0 < size <= max(piece_bytes_max, REGION_BYTES // 8)
        if glued and sum(glued[-1]) == offset:
            glued[-1] = (glued[-1][0], glued[-1][1] + size)
        else:
            glued.append((offset, size))
    assert tuple(glued) == ranges


@given(regions, st.integers(1, 10 * REGION_BYTES), st.integers(1, 8))
def test_shares_are_the_pieces_dealt_out(
    numbers: list[int], share_bytes_max: int, share_pieces_max: int
) -> None:
    ranges = ranges_of(numbers[:10])
    bound = max(share_bytes_max, REGION_BYTES // 8)
    shares = list(shares_of(ranges, bound, share_pieces_max))
    assert [piece for share in shares for piece in share] == list(pieces_of(ranges, bound))
    for share in shares:
        assert 0 < len(share) <= share_pieces_max
        assert bytes_of(share) <= bound


def test_scattered_regions_share_a_call() -> None:
    ranges = ranges_of(range(0, 40, 2))
    assert [len(share) for share in shares_of(ranges, 16 << 20, 16)] == [16, 4]

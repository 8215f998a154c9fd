"""Which bytes of a file are compared: regions of the dirty index as ranges, ranges as shares."""

from collections.abc import Iterable, Iterator

from mirror.vocabulary.places import REGION_BYTES

Range = tuple[int, int]  # offset, size, in bytes


def ranges_of(regions: Iterable[int]) -> tuple[Range, ...]:
    """Merge regions that touch into ranges, in order. The last one may end behind the file."""
    ranges: list[Range] = []
    for region in sorted(set(regions)):
        offset = region * REGION_BYTES
        if ranges and sum(ranges[-1]) == offset:
            ranges[-1] = (ranges[-1][0], ranges[-1][1] + REGION_BYTES)
        else:
            ranges.append((offset, REGION_BYTES))
    return tuple(ranges)


def pieces_of(ranges: Iterable[Range], piece_bytes_max: int) -> Iterator[Range]:
    """Cut ranges into pieces, none larger."""
    assert piece_bytes_max > 0
    for offset, size in ranges:
        for start in range(offset, offset + size, piece_bytes_max):
            yield start, min(piece_bytes_max, offset + size - start)


def shares_of(
    ranges: Iterable[Range], share_bytes_max: int, share_pieces_max: int
) -> Iterator[tuple[Range, ...]]:
    """Cut ranges into shares that threads take one by one: one large piece, or several small."""
    share: list[Range] = []
    size = 0
    for piece in pieces_of(ranges, share_bytes_max):
        if share and (len(share) == share_pieces_max or size + piece[1] > share_bytes_max):
            yield tuple(share)
            share, size = [], 0
        share.append(piece)
        size += piece[1]
    if share:
        yield tuple(share)


def bytes_of(ranges: Iterable[Range]) -> int:
    """Bytes in all ranges together."""
    return sum(size for _, size in ranges)

"""Which bytes of a file are compared: regions of the dirty index as ranges, ranges as pieces."""

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
    """Cut ranges into pieces that threads take one by one, so that they share a big file."""
    assert piece_bytes_max > 0
    for offset, size in ranges:
        for start in range(offset, offset + size, piece_bytes_max):
            yield start, min(piece_bytes_max, offset + size - start)


def bytes_of(ranges: Iterable[Range]) -> int:
    """Bytes in all ranges together."""
    return sum(size for _, size in ranges)

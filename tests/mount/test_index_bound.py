"""The dirty index meets its bound: marks grow wider, up to the whole, and nothing is missed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mirror.vocabulary.places import PlaceKind
from tests.mount.reintegrating import two_nodes

pytestmark = pytest.mark.mount

ENTRIES_MAX = 64
ENTRIES_RESERVED = ENTRIES_MAX // 8


@pytest.mark.parametrize("changed", [ENTRIES_MAX // 4, 8 * ENTRIES_MAX])
def test_beyond_the_bound_more_is_compared_and_nothing_is_missed(
    tmp_path: Path, changed: int
) -> None:
    with two_nodes(tmp_path, index_entries_max=ENTRIES_MAX) as nodes:
        for directory in range(8):
            (nodes.mount / f"d{directory}").mkdir()
            for number in range(ENTRIES_MAX):
                (nodes.mount / f"d{directory}" / f"{number}").write_bytes(os.urandom(5_000))
        nodes.reintegrate(full=True)
        nodes.part()
        for number in range(changed):
            place = nodes.mount / f"d{number % 8}" / f"{number // 8}"
            with place.open("r+b") as file:
                file.write(b"changed")
            os.utime(place, ns=(0, 0))  # by times alone nobody could tell
        os.rename(nodes.mount / "d0", nodes.mount / "d1" / "moved")
        (nodes.mount / "d1" / "moved" / "0").unlink()
        kinds = {entry.kind for entry in nodes.source.index_entries()}
        assert (PlaceKind.ALL in kinds) == (changed > ENTRIES_MAX)
        assert nodes.source.index_count() <= ENTRIES_MAX + ENTRIES_RESERVED + 1
        nodes.reintegrate()
        assert [str(each) for each in nodes.differences()] == []
        assert nodes.source.index_count() == 0

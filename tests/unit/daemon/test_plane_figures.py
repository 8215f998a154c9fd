"""Figures are new only when they say something new: who looks for others is not woken for less."""

from typing import Any

import pytest

from mirror.daemon.node.plane_figures import PlaneFigures

DISK = {"directory": "/srv/web", "free_bytes": 900 << 20, "total_bytes": 1000 << 20}
WORD: dict[str, Any] = {
    "id": 1,
    "mode": "prim",
    "epoch": 4,
    "checkpoint": 3,
    "counters": {"changes": 7, "requests": 40},
    "disks": [DISK],
}


def moves(**change: Any) -> int:
    figures = PlaneFigures()
    figures.take(WORD, 1_000)
    before = figures.moves
    figures.take({**WORD, **change}, 2_000)
    assert figures.at_ms == 2_000
    return figures.moves - before


def test_an_idle_plane_says_nothing_new() -> None:
    assert moves() == 0
    assert moves(id=2, epoch=5, checkpoint=4, counters={"changes": 7, "requests": 41}) == 0
    assert moves(disks=[DISK | {"free_bytes": 899 << 20}]) == 0


@pytest.mark.parametrize(
    "change",
    [
        {"counters": {"changes": 8, "requests": 40}},
        {"mode": "alone"},
        {"watch": {"lag_ms": 20}},
        {"verification": {"different": 1}},
        {"disks": [DISK | {"free_bytes": 90 << 20}]},
        {"disks": [DISK | {"free_bytes": 1 << 20}]},
    ],
)
def test_what_people_are_told_is_new(change: dict[str, Any]) -> None:
    assert moves(**change) == 1

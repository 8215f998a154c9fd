"""Random operations through real mounts, from seeds; models and disks agree afterwards.

A failure names its seed and the log of its operations, which `python -m tests.workload --replay`
performs again on any directory.
"""

from __future__ import annotations

import random
import select
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mirror.adapters.compare import compare_trees
from tests.mount.pair import AWAIT_MS, Pair, open_pair
from tests.mount.reintegrating import Nodes, two_nodes
from tests.mount.workers import Crew
from tests.workload.brawl import brawl

pytestmark = pytest.mark.mount

SEEDS = Path(__file__).parents[1] / "workload" / "seeds.txt"
LINK_LOST = 1
OPERATIONS = 500


def kept_seeds() -> list[tuple[int, str]]:
    """Seed and barrier of those that found something once."""
    lines = [line.split() for line in SEEDS.read_text().splitlines() if line[:1].isdecimal()]
    return [(int(seed), barrier) for seed, barrier, *_ in lines]


@contextmanager
def crew_on(pair: Pair, tmp_path: Path, seeds: list[int]) -> Iterator[Crew]:
    try:
        with Crew(pair.mount, tmp_path, seeds) as crew:
            yield crew
    finally:
        Crew.unlock(pair.left, pair.right)


def assert_equal(pair: Pair, crew: Crew) -> None:
    """Mount, both lower directories and the models are the same, bit by bit."""
    crew.verify(pair.mount)
    crew.write_back()
    pair.primary.checkpoint()
    assert pair.primary.event_take() is None
    assert [str(each) for each in compare_trees(pair.left, pair.right)] == []
    crew.verify(pair.right)


@pytest.mark.parametrize(
    ("seed", "barrier"),
    [*kept_seeds(), (101, "write"), (102, "fsync")],
)
def test_one_worker(tmp_path: Path, seed: int, barrier: str) -> None:
    with (
        open_pair(tmp_path / "pair", writeback=barrier == "fsync") as pair,
        crew_on(pair, tmp_path, [seed]) as crew,
    ):
        crew.run(1500)
        assert_equal(pair, crew)


@pytest.mark.parametrize("barrier", ["write", "fsync"])
def test_workers_on_subtrees_of_their_own(tmp_path: Path, barrier: str) -> None:
    with (
        open_pair(tmp_path / "pair", writeback=barrier == "fsync", sync_both=True) as pair,
        crew_on(pair, tmp_path, [201, 202, 203, 204]) as crew,
    ):
        crew.start(OPERATIONS)
        for _ in range(5):  # checkpoints in the middle of it
            crew.await_done(len(crew.workers) * OPERATIONS // 6)
            pair.primary.checkpoint()
        crew.finish()
        assert_equal(pair, crew)


@pytest.mark.parametrize(("seed", "barrier"), [(301, "write"), (302, "fsync")])
def test_workers_in_each_others_way(tmp_path: Path, seed: int, barrier: str) -> None:
    """Six processes, one small directory, no model: the conflict locks keep the disks equal."""
    with open_pair(tmp_path / "pair", writeback=barrier == "fsync") as pair:
        outcomes = brawl(pair.mount, seed, processes=6, operations=400)
        assert sum(outcomes.values()) == 6 * 400
        assert outcomes[0] > 400  # most of it is done, not only refused
        Crew(pair.mount, tmp_path, []).write_back()
        pair.primary.checkpoint()
        assert pair.primary.event_take() is None
        assert [str(each) for each in compare_trees(pair.left, pair.right)] == []
        differences = compare_trees(pair.mount, pair.right)
        if barrier == "fsync":
            # The kernel keeps the mtime of what it caches, and need not write it back when it
            # seems not to have moved: less than a tick of its clock.
            differences = [each for each in differences if each.what != "mtime"]
        assert [str(each) for each in differences] == []


@pytest.mark.parametrize(("seed", "barrier"), [(401, "write"), (402, "fsync")])
def test_a_parting_in_the_middle(tmp_path: Path, seed: int, barrier: str) -> None:
    with (
        open_pair(tmp_path / "pair", writeback=barrier == "fsync") as pair,
        crew_on(pair, tmp_path, [seed, seed + 1000, seed + 2000]) as crew,
    ):
        crew.start(OPERATIONS)
        crew.await_done(random.Random(seed).randrange(100, 1000))
        pair.part()
        await_link_loss(pair)
        pair.go_alone()
        crew.finish()
        crew.verify(pair.mount)
        crew.write_back()
        crew.verify(pair.left)
        assert pair.primary.index_count() > 0


def await_link_loss(pair: Pair) -> None:
    assert select.select([pair.primary.event_fd()], [], [], AWAIT_MS / 1000)[0]
    event = pair.primary.event_take()
    assert event is not None
    assert event.kind == LINK_LOST, event


@pytest.mark.parametrize("seed", [501, 502, 800])
def test_partings_and_returns(tmp_path: Path, seed: int) -> None:
    """Cut at any moment, also of a reintegration; the workers go on all the time."""
    chance = random.Random(seed)
    with two_nodes(tmp_path / "nodes") as nodes:
        try:
            with Crew(nodes.mount, tmp_path, [seed, seed + 1000]) as crew:
                run_cycles(nodes, crew, chance)
                crew.verify(nodes.mount)
                assert [str(each) for each in nodes.differences()] == []
                crew.verify(nodes.right)
        finally:
            Crew.unlock(nodes.left, nodes.right)


def run_cycles(nodes: Nodes, crew: Crew, chance: random.Random) -> None:
    crew.run(100)
    nodes.reintegrate(full=True)
    for _ in range(6):
        crew.start(150)
        crew.await_done(chance.randrange(300))
        nodes.part()
        crew.await_done(chance.randrange(300))
        if chance.random() < 0.5:
            nodes.reintegrate()  # while they work
            crew.finish()
        else:
            crew.finish()
            nodes.reintegrate()
        assert [str(each) for each in nodes.differences()] == []
        assert nodes.source.index_count() == 0

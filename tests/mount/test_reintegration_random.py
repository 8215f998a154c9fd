"""Whatever was done to the tree alone, and is done to it meanwhile: afterwards both are equal."""

from __future__ import annotations

import contextlib
import os
import threading
from pathlib import Path

import pytest

from mirror.errors import MirrorError, ReintegrationStopped
from tests.mount.pair import AWAIT_MS
from tests.mount.random_changes import Changes
from tests.mount.reintegrating import Nodes, two_nodes

pytestmark = pytest.mark.mount

SEEDS = range(int(os.environ.get("MIRROR_SEED", "1")), int(os.environ.get("MIRROR_SEEDS", "5")))


def assert_joined(nodes: Nodes) -> None:
    assert [str(each) for each in nodes.differences()] == []
    assert nodes.source.index_count() == 0
    assert os.listdir(nodes.right / ".mirror" / "stash") == []


@pytest.mark.parametrize("seed", SEEDS)
def test_changes_made_alone_arrive(tmp_path: Path, seed: int) -> None:
    with two_nodes(tmp_path) as nodes:
        changes = Changes(nodes.mount, seed)
        changes.perform(200)
        nodes.reintegrate(full=True)
        assert_joined(nodes)
        for _ in range(4):
            nodes.part()
            changes.perform(150)
            nodes.reintegrate()
            assert_joined(nodes)
            changes.perform(50)
            assert_joined(nodes)


@pytest.mark.parametrize("seed", SEEDS)
def test_changes_made_meanwhile_arrive(tmp_path: Path, seed: int) -> None:
    with two_nodes(tmp_path) as nodes:
        Changes(nodes.mount, seed).perform(200)
        for attempt in range(4):
            busy = [Changes(nodes.mount, seed * 100 + attempt * 10 + at) for at in range(2)]
            threads = [threading.Thread(target=each.until_stopped) for each in busy]
            for thread in threads:
                thread.start()
            try:
                assert all(each.begun.wait(AWAIT_MS / 1000) for each in busy)
                nodes.reintegrate(full=attempt == 0)
            except BaseException:
                nodes.part()  # else who waits for a session that is lost waits for ever
                raise
            finally:
                for each in busy:
                    each.stop()
                for thread in threads:
                    thread.join()
            assert_joined(nodes)
            nodes.part()
            Changes(nodes.mount, seed + attempt).perform(100)


class Cut:
    """Stops a reintegration when its progress was shown so many times."""

    def __init__(self, after: int) -> None:
        self._left = after

    def __call__(self) -> bool:
        self._left -= 1
        return self._left <= 0


@pytest.mark.parametrize("seed", SEEDS)
def test_an_interruption_at_any_point_is_made_good(tmp_path: Path, seed: int) -> None:
    with two_nodes(tmp_path) as nodes:
        changes = Changes(nodes.mount, seed)
        changes.perform(300)
        for after in range(1, 8):
            with contextlib.suppress(ReintegrationStopped):
                nodes.reintegrate(full=after < 3, should_stop=Cut(after))
            nodes.part()
            changes.perform(60)
        nodes.reintegrate()
        assert_joined(nodes)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_link_cut_at_any_moment_is_made_good(tmp_path: Path, seed: int) -> None:
    """The whole session breaks while changes go on; afterwards a partial run is enough."""
    with two_nodes(tmp_path) as nodes:
        Changes(nodes.mount, seed).perform(300)
        nodes.reintegrate(full=True)
        nodes.part()
        for attempt in range(6):
            busy = Changes(nodes.mount, seed * 100 + attempt)
            busy.perform(50)
            thread = threading.Thread(target=busy.until_stopped)
            thread.start()
            cutter = threading.Timer(0.01 * (attempt * attempt + 1), nodes.cut)
            cutter.start()
            try:
                with contextlib.suppress(OSError, MirrorError):
                    nodes.reintegrate()
                cutter.join()
                nodes.part()
            finally:
                busy.stop()
                thread.join()
            nodes.forget_losses()
        nodes.reintegrate()
        assert_joined(nodes)

"""Whatever was done to the tree alone, and is done to it meanwhile: afterwards both are equal."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from tests.mount.random_changes import Changes
from tests.mount.reintegrating import Nodes, two_nodes

pytestmark = pytest.mark.mount

SEEDS = range(int(os.environ.get("MIRROR_SEED", "1")), int(os.environ.get("MIRROR_SEEDS", "7")))


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
                nodes.reintegrate(full=attempt == 0)
            finally:
                for each in busy:
                    each.stop()
                for thread in threads:
                    thread.join()
            assert sum(each.count for each in busy) > 0
            assert_joined(nodes)
            nodes.part()
            Changes(nodes.mount, seed + attempt).perform(100)

"""A checkpoint whose disk does not answer while the session ends, and the next one begins."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from mirror.adapters.compare import compare_trees
from mirror.daemon.plane.lanes import Lanes
from mirror.daemon.plane.late import LateCheckpoints
from tests.mount.pair import AWAIT_MS, SESSION, Pair, open_pair
from tests.mount.small_disk import small_disk, standing_still

pytestmark = pytest.mark.mount

DISK_BYTES = 24 << 20


def begin_checkpoint(pair: Pair, failures: list[OSError]) -> threading.Thread:
    """One that the secondary has been asked for, and that this node's disk holds up."""

    def checkpoint() -> None:
        try:
            pair.primary.checkpoint()
        except OSError as error:
            failures.append(error)

    mark = pair.right / ".mirror" / "checkpoint"
    before = mark.read_bytes()
    keeper = threading.Thread(target=checkpoint, daemon=True)
    keeper.start()
    while mark.read_bytes() == before:
        assert keeper.is_alive()
    return keeper


def test_nobody_who_goes_on_alone_waits_for_it(tmp_path: Path) -> None:
    failures: list[OSError] = []
    late = LateCheckpoints()
    lower = tmp_path / "n1" / "lower"
    with small_disk(lower, DISK_BYTES):
        (lower / "lost+found").rmdir()
        with open_pair(tmp_path) as pair:
            (pair.mount / "before").write_bytes(b"acknowledged")
            pair.primary.checkpoint()
            with standing_still(lower) as thaw:
                keeper = begin_checkpoint(pair, failures)
                lanes = Lanes(SESSION, pair.connections[0], live=pair.connections[1:])
                pair.primary.session_lost(104, "test")
                pair.primary.session_end(AWAIT_MS)
                late.close(lanes, keeper)
                pair.connections = []
                pair.primary.go_alone()
                pair.await_workers()
                pair.primary.freeze(AWAIT_MS)
                pair.mirror()
                assert keeper.is_alive()
                thaw()
                late.wait(AWAIT_MS / 1000)
            assert len(failures) == 1
            assert pair.primary.mirrored()  # the session that it was not of
            (pair.mount / "after").write_bytes(b"as well")
            pair.primary.checkpoint()
            assert compare_trees(pair.left, pair.right) == []

"""A checkpoint whose disk does not answer while the session ends, and the next one begins."""

from __future__ import annotations

import threading
from contextlib import ExitStack
from pathlib import Path

import pytest

from mirror.adapters.compare import compare_trees
from mirror.daemon.plane.checkpoints import Checkpoints
from mirror.daemon.plane.lanes import Lanes
from mirror.daemon.plane.late import LateCheckpoints
from tests.mount.pair import AWAIT_MS, SESSION, Pair, open_pair
from tests.mount.reintegrating import PARTED_BY_TEST, two_nodes
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
                late.close(lanes, [keeper])
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


def test_a_reintegration_whose_session_has_ended_does_not_wait_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lower = tmp_path / "n1" / "lower"
    with small_disk(lower, DISK_BYTES), ExitStack() as held:
        (lower / "lost+found").rmdir()
        with two_nodes(tmp_path) as nodes:
            (nodes.mount / "file").write_bytes(b"data")
            checkpoints = Checkpoints(nodes.source)
            begun = threading.Event()
            checkpoint = nodes.source.checkpoint
            mark = nodes.right / ".mirror" / "checkpoint"
            before: list[bytes] = []

            def held_up(session: int = 0) -> int:
                held.enter_context(standing_still(lower))
                before.append(mark.read_bytes() if mark.exists() else b"")
                begun.set()
                return checkpoint(session)

            def lead() -> None:
                with pytest.raises(ConnectionResetError):
                    nodes.reintegrate(checkpoints=checkpoints)

            monkeypatch.setattr(nodes.source, "checkpoint", held_up)
            leader = threading.Thread(target=lead, daemon=True)
            leader.start()
            assert begun.wait(AWAIT_MS / 1000)
            while not mark.exists() or mark.read_bytes() == before[0]:
                assert leader.is_alive()
            nodes.source.session_lost(104, PARTED_BY_TEST)
            checkpoints.end()
            leader.join(AWAIT_MS / 1000)
            assert not leader.is_alive()
            assert len(checkpoints.left(0)) == 1
            nodes.source.session_end(AWAIT_MS)
            nodes.source.go_alone()
            held.close()
            assert checkpoints.left(AWAIT_MS / 1000) == []
            nodes.part()
            monkeypatch.undo()
            nodes.reintegrate()
            assert nodes.differences() == []


def test_one_that_begins_late_is_none_of_the_next_session(tmp_path: Path) -> None:
    with open_pair(tmp_path) as pair:
        session = pair.primary.counters().session
        (pair.mount / "before").write_bytes(b"acknowledged")
        pair.primary.checkpoint(session)
        pair.go_alone()
        pair.primary.freeze(AWAIT_MS)
        pair.mirror()
        with pytest.raises(ConnectionResetError):
            pair.primary.checkpoint(session)
        assert pair.primary.mirrored()
        pair.primary.checkpoint()

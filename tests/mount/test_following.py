"""What a secondary has of a session, and gives back."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mirror.daemon.plane.rpc import Rpc
from tests.mount.followed import Followed
from tests.mount.pair import SESSION

pytestmark = pytest.mark.mount

CONTROL = 0


def open_descriptors() -> int:
    """Of this process."""
    return len(os.listdir("/proc/self/fd"))


def test_a_session_that_ends_early_leaves_no_descriptor_open(tmp_path: Path) -> None:
    """A target whose disk is full is tried for days."""
    pair = Followed(tmp_path, writeback=False, sync_both=False)
    try:
        pair.mirror()
        pair.go_alone()
        before = 0
        for number in range(3):
            pair.follower.follow(SESSION, "kept")
            control = pair.connect(CONTROL)
            Rpc(control).ask("BeginSync", full=0, source_serves=1, aside="", generation=SESSION)
            control.shutdown()
            pair.await_workers()
            pair.follower.end("the test ends it")
            control.close()
            before = open_descriptors() if number == 0 else before
        assert open_descriptors() == before
    finally:
        pair.close()

"""The last sync of a stop: a disk of this node that fails in it is told before the answer is."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mirror.adapters.native import Plane
from mirror.daemon.plane.directories import Directory
from mirror.daemon.plane.primary import Primary
from mirror.daemon.plane.settings import PlaneSettings
from tests.mount.pair import Pair, open_pair

pytestmark = pytest.mark.mount


class FailingDisk:
    """A plane whose disk fails to sync after the last checkpoint."""

    def __init__(self, plane: Plane) -> None:
        self._plane = plane

    def root_sync(self, _root: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._plane, name)


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    with open_pair(tmp_path) as made:
        (made.mount / "file").write_bytes(b"acknowledged")
        yield made


def draining(pair: Pair, plane: Any, told: list[dict[str, object]]) -> Primary:
    settings = PlaneSettings(
        module="one", node="n1", peer="n2", socket="", directories=(str(pair.mount),),
        lower_prefix="", index_directory=str(pair.left.parent), listen_port=0, ca="",
        certificate="", key="",
    )  # fmt: skip
    none: Any = None  # nothing of a drain asks them
    primary = Primary(
        settings,
        plane,
        none,
        [Directory(0, str(pair.mount), str(pair.left))],
        lambda name, /, **fields: told.append({"event": name, **fields}),
        none,
        lambda: True,
    )
    primary.mode, primary.gate = "prim", "open"
    return primary


def test_a_disk_that_fails_after_the_last_checkpoint_is_told(pair: Pair) -> None:
    told: list[dict[str, object]] = []
    plane = FailingDisk(pair.primary)
    drained = draining(pair, plane, told).drain()
    assert (drained["checksum_equal"], drained["synced"]) == (True, False)
    assert [(one["event"], one["where"], one["error"]) for one in told] == [
        ("fault", "local", errno.EIO)
    ]


def test_a_disk_that_holds_it_all_is_told_of_no_fault(pair: Pair) -> None:
    told: list[dict[str, object]] = []
    drained = draining(pair, pair.primary, told).drain()
    assert (drained["checksum_equal"], drained["synced"]) == (True, True)
    assert told == []


def test_a_disk_that_fails_while_nobody_else_has_it_all_is_told_and_the_stop_goes_on(
    pair: Pair,
) -> None:
    told: list[dict[str, object]] = []
    pair.part()
    plane = FailingDisk(pair.primary)
    alone = draining(pair, plane, told)
    alone.mode = "alone"
    drained = alone.drain()
    assert (drained["checksum_equal"], drained["synced"]) == (False, False)
    assert ("fault", errno.EIO) in [(one["event"], one["error"]) for one in told]
    assert alone.gate == "closed"

"""The power of the target's host is lost: what its disk did not have yet is sent again.

The disk keeps names before it keeps data: ext4 gives what is written a place on the disk late.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from mirror.adapters.lab.linux import cut_power
from mirror.adapters.native import Entry
from mirror.core.reintegration.names import NO_ID
from mirror.daemon.plane.data import DataPhase
from mirror.daemon.plane.names import Names
from mirror.daemon.plane.source import Reintegration
from mirror.vocabulary.places import PlaceKind
from tests.mount.pair import make_plane
from tests.mount.reintegrating import Nodes, two_nodes
from tests.mount.small_disk import mount_again, small_disk
from tests.mount.test_mirrored import give_name

pytestmark = pytest.mark.mount

DISK_BYTES = 64 << 20
CONTENT = os.urandom(200_000)


@pytest.fixture
def nodes(tmp_path: Path) -> Iterator[Nodes]:
    lower = tmp_path / "n2" / "lower"
    with small_disk(lower, DISK_BYTES, features="has_journal"):
        (lower / "lost+found").rmdir()
        with two_nodes(tmp_path) as made:
            yield made


class PowerLost(Exception):
    """What the source is doing ends."""


def cut_with_names(nodes: Nodes) -> None:
    """The disk of the target holds every name and attribute that there is, and no new data.

    Unless somebody has the whole machine sync just then: who tests must not need that it is so.
    """
    fd = os.open(nodes.right / ".mirror" / "synced", os.O_CREAT | os.O_WRONLY)
    os.fsync(fd)
    os.close(fd)
    cut_power(nodes.right)


def boot(nodes: Nodes) -> None:
    """The target's host is up again, and the source has gone on alone."""
    nodes.end_session()
    nodes.target.destroy()
    mount_again(nodes.right)
    nodes.target = make_plane(nodes.right.parent)
    nodes.target.root_add(str(nodes.right))
    nodes.source.go_alone()


def test_a_file_that_got_its_name_late_is_there_with_its_data(nodes: Nodes) -> None:
    nodes.reintegrate(full=True)
    with open(os.open(nodes.mount, os.O_TMPFILE | os.O_RDWR, 0o640), "r+b", buffering=0) as file:
        file.write(CONTENT)
        give_name(file.fileno(), nodes.mount / "named")
    cut_with_names(nodes)
    boot(nodes)
    nodes.forget_losses()
    nodes.reintegrate()
    assert nodes.differences() == []


def test_what_the_last_round_made_is_there_with_its_data(
    nodes: Nodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is complete there, by its attributes, before a checkpoint has brought it to the disk."""
    nodes.reintegrate(full=True)
    nodes.part()
    freeze = Reintegration._freeze_and_begin

    def made_just_before(self: Reintegration, freeze_ms: int) -> bool:
        (nodes.mount / "new").write_bytes(CONTENT)
        return freeze(self, freeze_ms)

    def lost_just_before(self: DataPhase) -> None:
        assert (nodes.right / "new").read_bytes() == CONTENT
        cut_with_names(nodes)
        raise PowerLost

    with monkeypatch.context() as patched:
        patched.setattr(Reintegration, "_freeze_and_begin", made_just_before)
        patched.setattr(DataPhase, "checkpoint", lost_just_before)
        with pytest.raises(PowerLost):
            nodes.reintegrate()
    boot(nodes)
    nodes.forget_losses()
    nodes.reintegrate()
    assert nodes.differences() == []


def test_an_index_that_meets_its_bound_in_the_last_round_is_not_passed_over(
    nodes: Nodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What that round made is in it no more by itself, only as a part of everything."""
    nodes.reintegrate(full=True)
    nodes.part()
    (nodes.mount / "old").write_bytes(CONTENT)
    freeze, note_made = Reintegration._freeze_and_begin, Names._note_made
    met: list[str] = []

    def made_just_before(self: Reintegration, freeze_ms: int) -> bool:
        (nodes.mount / "new").write_bytes(CONTENT)
        return freeze(self, freeze_ms)

    def meeting_its_bound(self: Names) -> None:
        if not met:
            met.append("bound")
            nodes.source.index_merge([Entry(PlaceKind.ALL, 0, NO_ID, 0, b"", NO_ID, b"", b"", 0)])
        note_made(self)

    monkeypatch.setattr(Reintegration, "_freeze_and_begin", made_just_before)
    monkeypatch.setattr(Names, "_note_made", meeting_its_bound)
    nodes.reintegrate()
    assert met
    assert nodes.differences() == []

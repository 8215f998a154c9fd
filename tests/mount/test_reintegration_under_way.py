"""A change that is under way while a round of names looks: noted before, made after."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from mirror.adapters import clock
from mirror.adapters.native import Connection, Entry
from mirror.daemon.plane.comparing import Compared, Comparing, Late, Visit
from mirror.daemon.plane.names import Names
from mirror.daemon.plane.objects import root_of
from mirror.daemon.plane.source import Reintegration
from mirror.vocabulary.places import PlaceKind
from tests.mount.pair import AWAIT_MS
from tests.mount.reintegrating import PARTED_BY_TEST, Nodes, two_nodes

pytestmark = pytest.mark.mount

NOTHING_HAPPENS_S = 1.0


@pytest.fixture
def nodes(tmp_path: Path) -> Iterator[Nodes]:
    with two_nodes(tmp_path) as made:
        yield made


@pytest.mark.parametrize("full", [False, True], ids=["partial", "full"])
def test_a_name_that_is_made_just_after_it_was_looked_for_arrives(
    nodes: Nodes, monkeypatch: pytest.MonkeyPatch, *, full: bool
) -> None:
    """Its thread may stand still for as long as a round takes, between its note and the change."""
    (nodes.mount / "late").mkdir()
    nodes.reintegrate()
    nodes.part()
    (nodes.mount / "late").rmdir()  # noted: the round will look at this name
    root = root_of(nodes.source, 0)
    note = Entry(PlaceKind.NAME, 0, root.id, 0, b"late", bytes(16), b"", root.handle, 0)
    read, directory = Names._read, Comparing.directory
    made: list[str] = []

    def noted_before(self: Names) -> object:
        if not made:
            nodes.source.index_merge([note])
        return read(self)

    def made_after(self: Comparing, visit: Visit) -> Compared:
        compared = directory(self, visit)
        if not made and visit.id == root.id:
            made.append("late")
            (nodes.left / "late").mkdir()
        return compared

    monkeypatch.setattr(Names, "_read", noted_before)
    monkeypatch.setattr(Comparing, "directory", made_after)
    nodes.reintegrate(full=full)
    assert made
    assert os.path.isdir(nodes.right / "late")
    assert nodes.lost == []


class Filling:
    """A directory that is new in the period of the first round: nothing inside it is noted.

    `fill` puts a child into it, once.
    """

    def __init__(self, nodes: Nodes, monkeypatch: pytest.MonkeyPatch) -> None:
        self._new = nodes.mount / "old" / "new"
        self._child = self._new / "child"
        self._new.parent.mkdir()
        nodes.reintegrate()
        nodes.part()
        read = Names._read

        def made_first(names: Names) -> object:
            if not self._new.exists():
                self._new.mkdir()
            return read(names)

        monkeypatch.setattr(Names, "_read", made_first)

    def fill(self) -> None:
        if self._child.exists():
            return
        self._child.write_text("data")
        while clock.file_ns() <= self._new.stat().st_ctime_ns:
            pass  # else another change might have the same time, and all is looked at again


def test_a_frozen_round_that_is_given_up_is_not_taken_for_done(
    nodes: Nodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has listed a directory that is new, and attached nothing of what it saw there."""
    filling = Filling(nodes, monkeypatch)
    settle, begin_attach = Names._settle, Comparing.begin_attach
    late: list[str] = []

    def filled_then(self: Names, entries: Sequence[Entry]) -> None:
        settle(self, entries)
        filling.fill()

    def too_late(self: Comparing, root: int, wanted: Any) -> object:
        if self._deadline_ms is not None and not late:
            late.append("the target took its time")
            raise Late
        return begin_attach(self, root, wanted)

    monkeypatch.setattr(Names, "_settle", filled_then)
    monkeypatch.setattr(Comparing, "begin_attach", too_late)
    nodes.reintegrate()
    assert late
    assert nodes.differences() == []


def test_a_directory_that_is_filled_after_a_freeze_in_vain_arrives(
    nodes: Nodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The names were equal, and the gate was open again before the session began."""
    filling = Filling(nodes, monkeypatch)
    begin, open_gate = nodes.source.session_begin, nodes.source.open_gate
    refused: list[str] = []

    def refused_once(connections: list[Connection], epoch: int) -> int:
        if not refused:
            refused.append("the guard was faster")
            raise OSError(errno.EBUSY, "the gate is open")
        return begin(connections, epoch)

    def filled_then() -> None:
        open_gate()
        if refused:
            filling.fill()

    monkeypatch.setattr(nodes.source, "session_begin", refused_once)
    monkeypatch.setattr(nodes.source, "open_gate", filled_then)
    nodes.reintegrate()
    assert refused
    assert nodes.differences() == []


def test_what_is_noted_when_the_link_breaks_at_the_very_end_stays_noted(
    nodes: Nodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both disks hold all, the session is lost, and the target can still be told that it ended."""
    path = nodes.mount / "file"
    path.write_text("before")
    end = Reintegration._end

    def parted_before(self: Reintegration, *arguments: Any) -> object:
        nodes.source.session_lost(errno.ECONNRESET, PARTED_BY_TEST)
        nodes.source.session_end(AWAIT_MS)
        nodes.source.go_alone()
        path.write_text("alone")
        return end(self, *arguments)

    monkeypatch.setattr(Reintegration, "_end", parted_before)
    nodes.reintegrate()
    nodes.part()
    monkeypatch.undo()
    nodes.reintegrate()
    assert nodes.differences() == []


def test_a_gate_that_is_closed_meanwhile_stays_closed(
    nodes: Nodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """This node may not serve any more: whatever a reintegration still does opens nothing."""
    path = nodes.mount / "file"
    path.write_text("before")
    begin = Reintegration._begin

    def closed_then(self: Reintegration) -> None:
        begin(self)
        nodes.source.close_gate(AWAIT_MS)

    monkeypatch.setattr(Reintegration, "_begin", closed_then)
    with pytest.raises(OSError, match="Stale"):
        nodes.reintegrate(full=True)
    nodes.source.open_gate()
    with pytest.raises(OSError, match="Stale"):
        path.write_text("after")
    assert (nodes.left / "file").read_text() == "before"


def test_what_is_copied_as_mirroring_begins_is_not_copied_from_what_the_target_had(
    nodes: Nodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A guard that was on its way may open the gate the moment the session has begun."""
    origin, copy = nodes.mount / "origin", nodes.mount / "copy"
    origin.write_bytes(b"old" * 10_000)
    copy.touch()
    nodes.reintegrate()
    nodes.part()
    origin.write_bytes(b"new" * 10_000)
    begin = nodes.source.session_begin

    def opened_at_once(connections: list[Connection], epoch: int) -> int:
        session = begin(connections, epoch)
        nodes.source.open_gate()
        with origin.open("rb") as source, copy.open("wb") as to:
            os.copy_file_range(source.fileno(), to.fileno(), 30_000)
        return session

    monkeypatch.setattr(nodes.source, "session_begin", opened_at_once)
    nodes.reintegrate()
    assert copy.read_bytes() == origin.read_bytes()
    assert nodes.differences() == []


def test_the_guard_of_a_freeze_does_not_outlive_it(
    nodes: Nodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has begun to open the gate when the last round ends, and takes its time."""
    (nodes.mount / "before").write_text("data")
    open_gate, look = nodes.source.open_gate, Names.round
    on_its_way, after, done = threading.Event(), threading.Event(), threading.Event()
    late: list[str] = []

    def open_late() -> None:
        if isinstance(threading.current_thread(), threading.Timer):
            on_its_way.set()
            if after.wait(NOTHING_HAPPENS_S):
                late.append("the freeze was over")
            done.set()
        elif on_its_way.is_set():
            after.set()
        open_gate()

    def round_too_long(self: Names, *, frozen: bool, **limits: Any) -> bool:
        is_equal = look(self, frozen=frozen, **limits)
        if frozen and not on_its_way.is_set():
            assert on_its_way.wait(AWAIT_MS / 1000)
        return is_equal

    monkeypatch.setattr(nodes.source, "open_gate", open_late)
    monkeypatch.setattr(Names, "round", round_too_long)
    nodes.reintegrate()
    assert done.wait(AWAIT_MS / 1000)
    assert late == []
    assert nodes.differences() == []

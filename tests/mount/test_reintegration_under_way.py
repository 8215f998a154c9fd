"""A change that is under way while a round of names looks: noted before, made after."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from mirror.adapters.native import Entry
from mirror.daemon.plane.comparing import Compared, Comparing, Visit
from mirror.daemon.plane.names import Names
from mirror.daemon.plane.objects import root_of
from mirror.vocabulary.places import PlaceKind
from tests.mount.reintegrating import Nodes, two_nodes

pytestmark = pytest.mark.mount


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

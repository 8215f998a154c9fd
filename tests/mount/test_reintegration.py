"""Reintegration on real mounts: what changed while the target was away arrives, and only that."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from mirror.adapters.native import Entry
from mirror.core.reintegration.names import NO_ID
from mirror.daemon.plane.objects import root_of
from mirror.errors import ReintegrationStopped
from mirror.vocabulary.places import PlaceKind
from tests.mount.reintegrating import Nodes, two_nodes

pytestmark = pytest.mark.mount


@pytest.fixture
def nodes(tmp_path: Path) -> Iterator[Nodes]:
    with two_nodes(tmp_path) as both:
        yield both


def populate(top: Path) -> None:
    """A tree with one of everything."""
    (top / "a" / "b" / "c").mkdir(parents=True)
    (top / "a" / "file").write_bytes(os.urandom(300_000))
    (top / "a" / "b" / "small").write_text("small")
    (top / "a" / "b" / "empty").touch()
    (top / "a" / "b" / "c" / "deep").write_bytes(os.urandom(70_000))
    os.link(top / "a" / "file", top / "a" / "b" / "second-name")
    os.symlink("../nowhere", top / "a" / "link")
    os.link(top / "a" / "link", top / "a" / "b" / "same-link", follow_symlinks=False)
    os.mkfifo(top / "a" / "fifo")
    with (top / "sparse").open("wb") as file:
        file.seek(5 << 20)
        file.write(b"end")
        file.truncate(8 << 20)
    os.setxattr(top / "a" / "file", "user.colour", b"blue")
    (top / "a" / "b" / "small").chmod(0o4711)
    os.chown(top / "a" / "b", 1, 2)
    os.utime(top / "a" / "b" / "c", ns=(10**18, 10**18 + 5))


def assert_joined(nodes: Nodes) -> None:
    assert [str(each) for each in nodes.differences()] == []
    assert nodes.source.index_count() == 0
    assert nodes.target.index_count() == 0
    assert os.listdir(nodes.right / ".mirror" / "stash") == []


def test_a_first_synchronisation_onto_an_empty_disk(nodes: Nodes) -> None:
    populate(nodes.mount)
    outcome = nodes.reintegrate(full=True)
    assert_joined(nodes)
    assert outcome.files >= 12
    assert nodes.progress[-1]["phase"] == "end"
    (nodes.mount / "a" / "later").write_text("live")
    assert_joined(nodes)


def test_what_was_changed_alone_arrives(nodes: Nodes) -> None:
    populate(nodes.mount)
    nodes.reintegrate(full=True)
    nodes.part()
    (nodes.mount / "a" / "new").write_text("new")
    (nodes.mount / "a" / "b" / "small").write_text("changed")
    (nodes.mount / "a" / "fifo").unlink()
    (nodes.mount / "a" / "b" / "c").rename(nodes.mount / "moved")
    with (nodes.mount / "a" / "file").open("r+b") as file:
        file.seek(100_000)
        file.write(b"x")
    outcome = nodes.reintegrate()
    assert_joined(nodes)
    assert outcome.bytes_copied <= 65_536 + 100


def joined(nodes: Nodes) -> None:
    """Both hold `populate`; the target has gone away since."""
    populate(nodes.mount)
    nodes.reintegrate(full=True)
    nodes.part()


def test_a_renamed_subtree_moves_no_data(nodes: Nodes) -> None:
    joined(nodes)
    before = (nodes.right / "a" / "b" / "c" / "deep").stat().st_ino
    (nodes.mount / "a" / "b").rename(nodes.mount / "other")
    (nodes.mount / "other" / "c").rename(nodes.mount / "a" / "C")
    outcome = nodes.reintegrate()
    assert_joined(nodes)
    assert (nodes.right / "a" / "C" / "deep").stat().st_ino == before
    assert outcome.bytes_compared == 0


def test_swaps_replacements_and_recreations(nodes: Nodes) -> None:
    joined(nodes)
    top = nodes.mount
    for name in ("x", "y"):
        (top / name).write_text(name * 10)
    nodes.reintegrate()
    nodes.part()
    # Two names exchanged; a file becomes a directory and the other way round; delete and recreate.
    (top / "x").rename(top / "t")
    (top / "y").rename(top / "x")
    (top / "t").rename(top / "y")
    (top / "a" / "file").unlink()
    (top / "a" / "file").mkdir()
    (top / "a" / "file" / "inside").write_text("inside")
    (top / "a" / "b" / "c" / "deep").unlink()
    (top / "a" / "b" / "c").rmdir()
    (top / "a" / "b" / "c").write_text("was a directory")
    (top / "a" / "b" / "small").unlink()
    (top / "a" / "b" / "small").write_text("another file")
    nodes.reintegrate()
    assert_joined(nodes)


def test_a_parent_under_its_own_child(nodes: Nodes) -> None:
    joined(nodes)
    (nodes.mount / "a" / "b").rename(nodes.mount / "b")
    (nodes.mount / "a").rename(nodes.mount / "b" / "c" / "a")
    nodes.reintegrate()
    assert_joined(nodes)


def test_what_left_a_directory_that_was_removed_is_there(nodes: Nodes) -> None:
    joined(nodes)
    (nodes.mount / "a" / "b").rename(nodes.mount / "kept")
    shutil.rmtree(nodes.mount / "a")
    nodes.reintegrate()
    assert_joined(nodes)


def test_hard_links_are_made_not_copied(nodes: Nodes) -> None:
    joined(nodes)
    os.link(nodes.mount / "a" / "file", nodes.mount / "third-name")
    os.link(nodes.mount / "a" / "link", nodes.mount / "link-again", follow_symlinks=False)
    (nodes.mount / "a" / "b" / "second-name").unlink()
    outcome = nodes.reintegrate()
    assert_joined(nodes)
    assert outcome.bytes_copied == 0


def test_attributes_alone(nodes: Nodes) -> None:
    joined(nodes)
    top = nodes.mount
    (top / "a" / "file").chmod(0o640)
    os.chown(top / "a" / "b" / "small", 12, 34)
    os.setxattr(top / "a" / "file", "user.taste", b"sour")
    os.removexattr(top / "a" / "file", "user.colour")
    os.utime(top / "a", ns=(5, 6))
    os.utime(top / "a" / "link", ns=(7, 8), follow_symlinks=False)
    os.truncate(top / "a" / "b" / "c" / "deep", 1_000)
    os.truncate(top / "sparse", 9 << 20)
    outcome = nodes.reintegrate()
    assert_joined(nodes)
    assert outcome.bytes_copied <= 65_536


def test_deleted_files_stay_deleted(nodes: Nodes) -> None:
    joined(nodes)
    (nodes.mount / "a" / "file").unlink()
    (nodes.mount / "a" / "b" / "second-name").unlink()
    nodes.reintegrate()
    assert_joined(nodes)
    assert not (nodes.right / "a" / "file").exists()


def test_a_copy_without_identities_sends_only_what_differs(nodes: Nodes) -> None:
    populate(nodes.left)
    populate(nodes.right)
    big = os.urandom(4 << 20)
    for top in (nodes.left, nodes.right):
        (top / "big").write_bytes(big)
    with (nodes.right / "big").open("r+b") as file:
        file.seek(1 << 20)
        file.write(b"other")
    (nodes.right / "not-here").write_text("only at the target")
    outcome = nodes.reintegrate(full=True)
    assert_joined(nodes)
    # The random files of populate differ; of the big one a block.
    assert outcome.bytes_copied < 1 << 20


def test_a_target_that_forgot_its_map_finds_what_is_written(nodes: Nodes) -> None:
    joined(nodes)
    deep = nodes.mount / "a" / "b" / "c" / "deep"
    with deep.open("r+b") as file:
        file.write(b"begin")
    nodes.reintegrate()
    assert_joined(nodes)


def test_immutable_and_append_only(nodes: Nodes) -> None:
    joined(nodes)
    small = nodes.left / "a" / "b" / "small"
    for flag, path in (("+i", nodes.right / "a" / "b" / "small"), ("+a", nodes.right / "a")):
        assert os.spawnlp(os.P_WAIT, "chattr", "chattr", flag, str(path)) == 0
    (nodes.mount / "a" / "b" / "small").write_text("changed all the same")
    (nodes.mount / "a" / "file").rename(nodes.mount / "file")
    nodes.reintegrate()
    assert_joined(nodes)
    assert small.read_text() == "changed all the same"


def test_an_index_that_met_its_bound_is_compared_wholly(nodes: Nodes) -> None:
    """ALL in the index: everything is compared, nothing equal travels, and it ends."""
    joined(nodes)
    root = root_of(nodes.source, 0)
    everything = Entry(PlaceKind.ALL, 0, NO_ID, 0, b"", NO_ID, b"", root.handle, 0)
    nodes.source.index_merge([everything])
    (nodes.mount / "a" / "b" / "small").write_text("changed")
    outcome = nodes.reintegrate()
    assert_joined(nodes)
    assert outcome.bytes_compared > 300_000
    assert outcome.bytes_copied == len("changed")


def test_bytes_on_the_wire_follow_the_change(nodes: Nodes) -> None:
    """SafeKit's partial path was broken for years, unseen: ours cannot be."""
    (nodes.mount / "big").write_bytes(os.urandom(20 << 20))
    nodes.reintegrate(full=True)
    nodes.part()
    with (nodes.mount / "big").open("r+b") as file:
        file.seek(10 << 20)
        file.write(b"changed")
    nodes.reintegrate()
    assert nodes.session is not None
    sent = sum(each.counters()[0] for each in nodes.session.all())
    assert_joined(nodes)
    assert sent < 100_000


def test_a_bandwidth_is_kept(nodes: Nodes) -> None:
    (nodes.mount / "big").write_bytes(os.urandom(3 << 20))
    outcome = nodes.reintegrate(full=True, allowed_bytes_s=2 << 20)
    assert_joined(nodes)
    # 3 MiB at 2 MiB a second, a second of it ahead.
    assert 0.5 < outcome.seconds < 5


def test_a_stop_in_the_middle_is_gone_on_from(nodes: Nodes) -> None:
    populate(nodes.mount)
    nodes.reintegrate(full=True)
    nodes.part()
    (nodes.mount / "more").mkdir()
    for number in range(20):
        (nodes.mount / "more" / str(number)).write_bytes(os.urandom(100_000))
    stops = iter([False] * 3)
    with pytest.raises(ReintegrationStopped):
        nodes.reintegrate(should_stop=lambda: next(stops, True))
    nodes.part()
    (nodes.mount / "more" / "7").write_text("changed in between")
    nodes.reintegrate()
    assert_joined(nodes)


def test_identities_survive(nodes: Nodes) -> None:
    """The same object has the same identity on both nodes; a recreated one has another."""
    joined(nodes)
    (nodes.mount / "a" / "b" / "small").unlink()
    (nodes.mount / "a" / "b" / "small").write_text("new")
    nodes.reintegrate()
    assert_joined(nodes)
    for path in ("a", "a/file", "a/b/small", "a/link", "a/fifo", "sparse"):
        ours, theirs = (
            os.getxattr(top / path, "trusted.mirror.id", follow_symlinks=False)[:16]
            for top in (nodes.left, nodes.right)
        )
        assert ours == theirs, path
        marks = os.listxattr(nodes.right / path, follow_symlinks=False)
        assert "trusted.mirror.fresh" not in marks, path

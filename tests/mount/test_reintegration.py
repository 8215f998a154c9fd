"""Reintegration on real mounts: what changed while the target was away arrives, and only that."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mirror.adapters.native import Entry
from mirror.core.reintegration.names import NO_ID
from mirror.daemon.plane import objects
from mirror.daemon.plane.objects import root_of
from mirror.daemon.plane.tree import Tree
from mirror.errors import ReintegrationStopped
from mirror.vocabulary.places import REGION_BYTES, PlaceKind
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


def test_small_files_of_a_first_copy_travel_without_a_question(nodes: Nodes) -> None:
    top = nodes.mount
    for number in range(40):
        (top / f"file{number}").write_bytes(os.urandom(1 + number * 100))
    (top / "longest").write_bytes(os.urandom(64 << 10))
    (top / "empty").touch()
    (top / "file1").chmod(0o4711)
    os.chown(top / "file2", 1, 2)
    os.setxattr(top / "file3", "user.colour", b"blue")
    outcome = nodes.reintegrate(full=True)
    assert_joined(nodes)
    assert outcome.bytes_compared == 0
    assert outcome.bytes_copied == sum(1 + number * 100 for number in range(40)) + (64 << 10)
    for number in range(40):
        assert "trusted.mirror.fresh" not in os.listxattr(nodes.right / f"file{number}")


def test_small_files_with_holes_keep_them(nodes: Nodes) -> None:
    top = nodes.mount
    with (top / "hole").open("wb") as file:
        file.write(b"begin")
        file.truncate(60_000)
    with (top / "reserved").open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, 40_000)
        os.pwrite(file.fileno(), b"middle", 20_000)
    with (top / "behind").open("wb") as file:
        file.write(b"x" * 5000)
        file.truncate(12_288)
        os.setxattr(file.fileno(), "user.large", b"a" * 2000)  # in a block of its own
    nodes.reintegrate(full=True)
    assert_joined(nodes)
    begins = {"hole": (0, 4096), "reserved": (16_384, 20_480), "behind": (0, 8192)}
    for name, (data, hole) in begins.items():
        with (nodes.right / name).open("rb") as file:
            assert os.lseek(file.fileno(), 0, os.SEEK_DATA) == data, name
            assert os.lseek(file.fileno(), data, os.SEEK_HOLE) == hole, name


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


def test_preallocated_space_that_was_read_stays_a_hole(nodes: Nodes) -> None:
    """Its zeros are in memory then, where SEEK_DATA takes them for data."""
    joined(nodes)
    for name in ("new", "a/file"):
        with (nodes.mount / name).open("ab+") as file:
            os.posix_fallocate(file.fileno(), 1 << 20, 200_000)
            file.seek(0)
            assert len(file.read()) == (1 << 20) + 200_000
    for lower in (nodes.left / "new", nodes.left / "a" / "file"):
        assert lower.read_bytes()[1 << 20 :] == bytes(200_000)
    nodes.reintegrate()
    assert_joined(nodes)


def test_preallocated_space_at_the_target_becomes_what_the_source_has(nodes: Nodes) -> None:
    """Zeros written here, reserved there, and read there: still not the same."""
    (nodes.left / "zeros").write_bytes(b"x" + bytes(299_999))
    with (nodes.right / "zeros").open("wb") as file:
        file.write(b"x")
        file.flush()
        os.posix_fallocate(file.fileno(), 0, 300_000)
    assert (nodes.right / "zeros").read_bytes() == b"x" + bytes(299_999)
    nodes.reintegrate(full=True)
    assert_joined(nodes)


@pytest.mark.parametrize("full", [False, True])
def test_what_was_cut_does_not_come_back_before_a_live_write(nodes: Nodes, full: bool) -> None:
    """Cut while apart, written behind its end while it is copied: the target was longer."""
    joined(nodes)
    path = nodes.mount / "a" / "file"
    os.truncate(path, 0)
    set_size = nodes.source.copy_size

    def write_first(*arguments: Any) -> None:
        with path.open("r+b") as file:
            file.seek(20_000)
            file.write(b"behind the end")
        set_size(*arguments)

    nodes.source.copy_size = write_first  # type: ignore[assignment, method-assign]
    nodes.reintegrate(full=full)
    assert_joined(nodes)


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


def test_what_the_kernel_forgot_is_found_without_a_walk(
    nodes: Nodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    joined(nodes)
    deep = nodes.mount / "a" / "b" / "c" / "deep"
    for file in (deep, nodes.mount / "sparse"):
        with file.open("r+b") as out:
            out.write(b"begin")

    known = objects.path_of

    def path_of(fd: int, root_fd: int) -> tuple[bytes, ...] | None:
        """As of a file that was opened by its handle, and is in no cache of the kernel."""
        is_directory = stat.S_ISDIR(os.fstat(fd).st_mode)
        return known(fd, root_fd) if is_directory else None

    def walk(*_: object) -> None:
        raise AssertionError("the cost of a return follows the size of the tree")

    with monkeypatch.context() as patched:
        patched.setattr(objects, "path_of", path_of)
        patched.setattr(Tree, "_scan", walk)
        nodes.reintegrate()
    assert_joined(nodes)


def test_what_is_noted_ahead_is_not_compared(nodes: Nodes) -> None:
    joined(nodes)
    file = nodes.mount / "a" / "file"  # of five regions
    with file.open("r+b") as out:
        out.seek(2 * REGION_BYTES)
        out.write(b"changed")
    assert nodes.source.index_count() > 4
    assert nodes.reintegrate().bytes_compared == REGION_BYTES
    assert_joined(nodes)


def test_of_a_small_file_one_region_is_noted(nodes: Nodes) -> None:
    joined(nodes)
    (nodes.mount / "a" / "b" / "small").write_text("other")
    regions = [each.region for each in nodes.source.index_entries(0, PlaceKind.DATA)]
    assert regions == [0]
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


@pytest.mark.parametrize("flag", ["+i", "+a"])
def test_flags_that_came_back_do_not_stop_a_copy(nodes: Nodes, flag: str) -> None:
    """An object dirty in two ways is finished, flags and all, while the second is under way."""
    joined(nodes)
    (nodes.mount / "a" / "file").write_bytes(os.urandom(200_000))
    right = str(nodes.right / "a" / "file")
    set_size, copy = nodes.source.copy_size, nodes.source.copy_ranges

    def finished_first(act: Callable[..., Any]) -> Callable[..., Any]:
        def perform(*arguments: Any) -> Any:
            assert os.spawnlp(os.P_WAIT, "chattr", "chattr", flag, right) == 0
            return act(*arguments)

        return perform

    nodes.source.copy_size = finished_first(set_size)  # type: ignore[method-assign]
    nodes.source.copy_ranges = finished_first(copy)  # type: ignore[method-assign]
    nodes.reintegrate()
    assert_joined(nodes)


@pytest.mark.parametrize("full", [True, False], ids=["first", "alone"])
def test_flags_that_forbid_nothing_come_too(nodes: Nodes, *, full: bool) -> None:
    top = nodes.mount
    (top / "directory").mkdir()
    for name in "SAd-":
        (top / name).write_text(name)
    if not full:
        subprocess.run(["chattr", "+A", top / "-"], check=True)
        joined(nodes)
        nodes.part()
        subprocess.run(["chattr", "-A", top / "-"], check=True)
    for name in "SAd":
        subprocess.run(["chattr", f"+{name}", top / name], check=True)
    subprocess.run(["chattr", "+SDA", top / "directory"], check=True)
    (top / "directory" / "inherits").touch()
    nodes.reintegrate(full=full)
    (top / "directory" / "later").touch()
    assert nodes.differences() == []


@pytest.mark.parametrize("flag", ["+i", "+a"])
def test_what_flags_refuse_is_refused_while_joining(nodes: Nodes, flag: str) -> None:
    """The flags come to the target last: what they refuse here must not be done there."""
    joined(nodes)
    path = nodes.mount / "a" / "file"
    path.write_bytes(os.urandom(200_000))
    assert os.spawnlp(os.P_WAIT, "chattr", "chattr", flag, str(path)) == 0
    copy = nodes.source.copy_ranges
    tried = []

    def disturbed(*arguments: Any) -> Any:
        acts: tuple[Callable[[], object], ...] = (
            path.unlink,
            lambda: path.chmod(0o600),
            lambda: os.utime(path, (0, 0)),
            lambda: os.truncate(path, 0),
            lambda: path.rename(nodes.mount / "renamed"),
            lambda: os.link(path, nodes.mount / "linked"),
            lambda: os.setxattr(path, "user.a", b"x"),
        )
        for number, act in enumerate(acts):
            with pytest.raises(PermissionError):
                act()
            tried.append(number)
        return copy(*arguments)

    nodes.source.copy_ranges = disturbed  # type: ignore[method-assign, assignment]
    nodes.reintegrate()
    assert tried
    assert nodes.lost == []
    assert_joined(nodes)
    assert os.spawnlp(os.P_WAIT, "chattr", "chattr", "-ia", str(path)) == 0


@pytest.mark.parametrize("flag", ["+i", "+a"])
def test_a_flag_left_at_the_target_does_not_part_the_pair(nodes: Nodes, flag: str) -> None:
    joined(nodes)
    (nodes.mount / "a" / "file").write_bytes(os.urandom(200_000))
    (nodes.mount / "a" / "other").write_text("x")
    nodes.reintegrate()
    nodes.part()
    (nodes.mount / "a" / "file").write_bytes(os.urandom(200_000))
    other = str(nodes.right / "a" / "other")
    assert os.spawnlp(os.P_WAIT, "chattr", "chattr", flag, other) == 0
    copy = nodes.source.copy_ranges
    done: list[bool] = []

    def disturbed(*arguments: Any) -> Any:
        if not done:
            done.append(True)
            (nodes.mount / "a" / "other").chmod(0o600)
            (nodes.mount / "a" / "other").rename(nodes.mount / "renamed")
        return copy(*arguments)

    nodes.source.copy_ranges = disturbed  # type: ignore[method-assign, assignment]
    nodes.reintegrate()
    assert done
    assert nodes.lost == []
    assert_joined(nodes)


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
    (nodes.mount / "big").write_bytes(os.urandom(6 << 20))
    outcome = nodes.reintegrate(full=True, allowed_bytes_s=2 << 20)
    assert_joined(nodes)
    # 6 MiB at 2 MiB a second, a second of it ahead: long enough to be shown a few times.
    assert outcome.seconds > 1.9
    copying = [each for each in nodes.progress if each["phase"] == "data"]
    assert any(each["pending"] == ["big"] for each in copying)


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

"""What is not replicated stays on its node, whatever is done around it (<notreplicated>)."""

from __future__ import annotations

import errno
import os
import re
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mirror.adapters.compare import Difference, compare_trees
from mirror.adapters.compare.excluded import local_by
from mirror.adapters.kept import Kept
from mirror.adapters.native import Plane
from mirror.daemon.plane.exclusions import digest_of
from mirror.daemon.plane.scan import Scan
from mirror.daemon.plane.strays import list_strays
from tests.mount.pair import Pair, make_plane, open_pair
from tests.mount.reintegrating import Nodes, two_nodes
from tests.mount.test_scan import numbers_of

pytestmark = pytest.mark.mount

RULES = (("path", "cache"), ("path", "data/scratch"), ("regex", r"\.tmp$"))
ONLY = (("only", r"\.(db|log)$"), ("path", "private"))


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    with open_pair(tmp_path, rules=RULES) as made:
        yield made


@pytest.fixture
def nodes(tmp_path: Path) -> Iterator[Nodes]:
    with two_nodes(tmp_path, RULES) as made:
        yield made


def differences(pair: Pair, rules: tuple[tuple[str, str], ...] = RULES) -> list[Difference]:
    pair.primary.checkpoint()
    return compare_trees(pair.left, pair.right, local_by(rules))


def everything(top: Path) -> None:
    """One of every change, in a directory."""
    top.mkdir()
    (top / "file").write_bytes(os.urandom(100_000))
    os.truncate(top / "file", 50_000)
    os.link(top / "file", top / "again")
    os.symlink("file", top / "link")
    os.mkfifo(top / "fifo")
    os.setxattr(top / "file", "user.colour", b"blue")
    os.chmod(top / "file", 0o600)
    os.utime(top / "file", ns=(5, 7))
    (top / "below").mkdir()
    os.rename(top / "again", top / "below" / "moved")
    fd = os.open(top, os.O_TMPFILE | os.O_RDWR)
    os.write(fd, b"nameless")
    into = os.open(top, os.O_RDONLY)
    os.link(f"/proc/self/fd/{fd}", "named", dst_dir_fd=into, follow_symlinks=True)
    os.close(into)
    os.fsync(fd)
    os.close(fd)
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(top / "socket"))
    os.unlink(top / "fifo")
    (top / "gone").mkdir()
    os.rmdir(top / "gone")


@contextmanager
def refuses(number: int) -> Iterator[None]:
    with pytest.raises(OSError, match=re.escape(os.strerror(number))) as refusal:
        yield
    assert refusal.value.errno == number


def stays_joined(pair: Pair) -> None:
    assert pair.primary.mirrored(), "the pair was parted"


def test_nothing_of_a_local_entry_is_sent(pair: Pair) -> None:
    (pair.mount / "data").mkdir()
    before = pair.secondary.apply_operations()
    everything(pair.mount / "cache")
    everything(pair.mount / "data" / "scratch")
    (pair.mount / "data" / "x.tmp").write_text("here")
    assert pair.secondary.apply_operations() == before
    assert not (pair.right / "cache").exists()
    assert not (pair.right / "data" / "scratch").exists()
    assert os.listdir(pair.right / "data") == []
    assert (pair.left / "cache" / "below" / "moved").exists()
    assert differences(pair) == []  # the times of `data` and of the top among them
    stays_joined(pair)


def test_a_local_entry_has_no_identity(pair: Pair) -> None:
    (pair.mount / "x.tmp").write_text("here")
    (pair.mount / "x").write_text("there")
    assert "trusted.mirror.id" not in os.listxattr(pair.left / "x.tmp")
    assert "trusted.mirror.id" in os.listxattr(pair.left / "x")


def test_nothing_of_a_local_entry_is_noted(pair: Pair) -> None:
    (pair.mount / "data").mkdir()
    (pair.mount / "data" / "known").write_text("known")
    pair.go_alone()
    before = {(each.kind, each.name) for each in pair.primary.index_entries()}
    everything(pair.mount / "cache")
    everything(pair.mount / "data" / "scratch")
    noted = {(each.kind, each.name) for each in pair.primary.index_entries()} - before
    assert noted <= {(2, b"")}, "only that the times of the directories above have changed"


def test_renames_and_links_across_the_edge_are_refused(pair: Pair) -> None:
    top = pair.mount
    (top / "cache").mkdir()
    (top / "cache" / "local").write_text("local")
    (top / "replicated").write_text("replicated")
    for act in (os.rename, os.link):
        for source, target in (
            ("replicated", "cache/replicated"),
            ("cache/local", "brought-in"),
            ("replicated", "replicated.tmp"),
        ):
            with refuses(errno.EXDEV):
                act(top / source, top / target)
    os.rename(top / "cache" / "local", top / "local.tmp")  # local before and after
    shutil.move(top / "local.tmp", top / "brought-in")  # what mv does
    shutil.move(top / "replicated", top / "cache" / "taken-out")
    assert (pair.right / "brought-in").read_text() == "local"
    assert not (pair.right / "replicated").exists()
    assert differences(pair) == []
    stays_joined(pair)


def test_bytes_are_copied_across_the_edge(pair: Pair) -> None:
    (pair.mount / "a.tmp").write_bytes(os.urandom(300_000))
    shutil.copyfile(pair.mount / "a.tmp", pair.mount / "a")
    with (pair.mount / "a.tmp").open("rb") as source, (pair.mount / "b").open("wb") as target:
        assert os.copy_file_range(source.fileno(), target.fileno(), 300_000) > 0
    assert differences(pair) == []
    stays_joined(pair)


def test_a_directory_moves_when_nothing_beneath_it_changes_sides(pair: Pair) -> None:
    top = pair.mount
    (top / "data" / "deep").mkdir(parents=True)
    (top / "data" / "deep" / "x.tmp").write_text("local")
    with refuses(errno.EXDEV):
        os.rename(top / "data", top / "elsewhere")  # a path rule names something beneath it
    os.rename(top / "data" / "deep", top / "shallow")  # x.tmp is local here and there
    assert (top / "shallow" / "x.tmp").read_text() == "local"
    (top / "cache").mkdir()
    with refuses(errno.EXDEV):
        os.rename(top / "shallow", top / "cache" / "shallow")
    assert differences(pair) == []
    stays_joined(pair)


def test_a_directory_whose_expression_knows_its_path_does_not_move(tmp_path: Path) -> None:
    rules = (("regex", r"^spool/.*\.idx$"),)
    with open_pair(tmp_path, rules=rules) as pair:
        (pair.mount / "spool").mkdir()
        (pair.mount / "spool" / "a.idx").write_text("here")
        (pair.right / "spool" / "b.idx").write_text("there")
        with refuses(errno.EXDEV):
            os.rename(pair.mount / "spool", pair.mount / "other")
        os.unlink(pair.mount / "spool" / "a.idx")
        os.rename(pair.mount / "spool", pair.mount / "other")
        assert not (pair.right / "other" / "b.idx").exists()  # it would be replicated there
        (kept,) = (pair.right / ".mirror" / "aside" / "local").iterdir()
        assert kept.read_text() == "there"
        assert os.getxattr(kept, "trusted.mirror.origin") == b"spool/b.idx"
        assert differences(pair, rules) == []
        stays_joined(pair)


def test_a_directory_goes_although_the_other_node_has_local_entries_in_it(pair: Pair) -> None:
    (pair.mount / "data").mkdir()
    (pair.mount / "data" / "x.tmp").write_text("here")
    (pair.mount / "new").mkdir()
    (pair.right / "data" / "y.tmp").write_text("there")
    with refuses(errno.ENOTEMPTY):
        os.rmdir(pair.mount / "data")
    stays_joined(pair)
    os.unlink(pair.mount / "data" / "x.tmp")
    os.rename(pair.mount / "new", pair.mount / "data" / "new")
    os.rename(pair.mount / "data" / "new", pair.mount / "new")
    os.rmdir(pair.mount / "data")
    assert not (pair.right / "data").exists()
    (kept,) = (pair.right / ".mirror" / "aside" / "local").iterdir()
    assert (kept / "y.tmp").read_text() == "there"
    assert differences(pair) == []
    stays_joined(pair)


def test_only_what_matches_is_replicated(tmp_path: Path) -> None:
    with open_pair(tmp_path, rules=ONLY) as pair:
        for directory in (pair.mount, pair.mount / "deep", pair.mount / "private"):
            directory.mkdir(exist_ok=True)
            for name in ("a.db", "a.txt", "b.log"):
                (directory / name).write_text(name)
        assert sorted(each for each in os.listdir(pair.right) if each != ".mirror") == [
            "a.db",
            "b.log",
            "deep",
        ]
        assert sorted(os.listdir(pair.right / "deep")) == ["a.db", "b.log"]
        assert differences(pair, ONLY) == []
        with refuses(errno.EXDEV):
            os.rename(pair.mount / "a.txt", pair.mount / "c.db")
        stays_joined(pair)


def test_the_rules_are_the_same_in_c_and_here(tmp_path: Path) -> None:
    names = ["cache", "cache/x", "data", "data/scratch", "data/scratch/y", "a.tmp", "a.tmpx"]
    names += ["cached", "private/a.db", "private", "x.db", "x", "d/x.log", "d/x.txt", "x.tmp/y.db"]
    for number, rules in enumerate((RULES, ONLY, RULES + ONLY, ())):
        plane: Plane = make_plane(tmp_path / str(number))
        plane.root_add(str(tmp_path / str(number) / "lower"))
        for kind, text in rules:
            plane.root_rule(0, {"path": 1, "regex": 2, "only": 3}[kind], text)
        is_local = local_by(rules)
        for name in names:
            parts = name.split("/")
            above = any(is_local("/".join(parts[:at]), True) for at in range(1, len(parts)))
            for directory in (False, True):
                expected = above or is_local(name, directory)
                assert plane.is_local(0, name.encode(), directory=directory) == expected, name
        plane.destroy()


# Reintegration.


def populate(nodes: Nodes) -> None:
    (nodes.mount / "data").mkdir()
    (nodes.mount / "data" / "known").write_text("known")
    (nodes.mount / "data" / "a.tmp").write_text("left")
    (nodes.mount / "cache").mkdir()
    (nodes.mount / "cache" / "left").write_text("left")
    nodes.reintegrate(full=True)


def test_a_full_comparison_leaves_both_sides_local_entries(nodes: Nodes) -> None:
    (nodes.right / "cache").mkdir()
    (nodes.right / "cache" / "right").write_text("right")
    (nodes.right / "b.tmp").write_text("right")
    (nodes.right / "old").write_text("old")
    populate(nodes)
    assert nodes.differences() == []
    assert os.listdir(nodes.right / "cache") == ["right"]
    assert (nodes.right / "b.tmp").read_text() == "right"
    assert not (nodes.right / "old").exists()
    assert os.listdir(nodes.right / "data") == ["known"]
    assert os.listdir(nodes.right / ".mirror" / "stash") == []


def test_what_changed_on_both_sides_while_apart_stays_where_it_is_local(nodes: Nodes) -> None:
    populate(nodes)
    nodes.part()
    (nodes.mount / "data" / "new").write_text("new")
    (nodes.mount / "data" / "b.tmp").write_text("left b")
    (nodes.mount / "cache" / "more").write_text("more")
    os.unlink(nodes.mount / "data" / "a.tmp")
    (nodes.right / "data" / "a.tmp").write_text("right a")
    (nodes.right / "data" / "c.tmp").write_text("right c")
    nodes.reintegrate()
    assert nodes.differences() == []
    assert sorted(os.listdir(nodes.right / "data")) == ["a.tmp", "c.tmp", "known", "new"]
    assert (nodes.right / "data" / "a.tmp").read_text() == "right a"
    assert not (nodes.right / "cache").exists()


def test_a_moved_directory_takes_its_local_entries_along(nodes: Nodes) -> None:
    (nodes.mount / "a" / "b").mkdir(parents=True)
    populate(nodes)
    (nodes.right / "a" / "b" / "x.tmp").write_text("right")
    nodes.part()
    os.rename(nodes.mount / "a" / "b", nodes.mount / "b")
    nodes.reintegrate()
    assert nodes.differences() == []
    assert (nodes.right / "b" / "x.tmp").read_text() == "right"


def test_a_deleted_directory_leaves_its_local_entries_aside(nodes: Nodes) -> None:
    (nodes.mount / "a" / "b").mkdir(parents=True)
    (nodes.mount / "a" / "file").write_text("file")
    populate(nodes)
    (nodes.right / "a" / "b" / "x.tmp").write_text("right")
    nodes.part()
    shutil.rmtree(nodes.mount / "a")
    nodes.reintegrate()
    assert nodes.differences() == []
    assert not (nodes.right / "a").exists()
    (kept,) = (nodes.right / ".mirror" / "aside" / "local").iterdir()
    assert kept.read_text() == "right"
    assert os.getxattr(kept, "trusted.mirror.origin") == b"a/b/x.tmp"
    assert list_strays(nodes.target, 0, "SECOND") == 1
    assert list_strays(nodes.target, 0, "SECOND") == 0
    (version,) = Kept(str(nodes.right), 0).versions()
    assert (version.folder, version.path, version.what) == ("local", "a/b/x.tmp", "deleted")
    (again,) = (nodes.right / ".mirror" / "aside" / "local" / "files" / "a" / "b").iterdir()
    assert again.read_text() == "right"


def test_a_local_file_is_kept_where_a_directory_must_stand(tmp_path: Path) -> None:
    with two_nodes(tmp_path, ONLY) as nodes:
        (nodes.mount / "a.db").write_text("a")
        nodes.reintegrate(full=True)
        nodes.part()
        (nodes.right / "name").write_text("right")
        (nodes.mount / "name").mkdir()
        (nodes.mount / "name" / "b.db").write_text("b")
        nodes.reintegrate()
        assert nodes.differences() == []
        (kept,) = (nodes.right / ".mirror" / "aside" / "local").iterdir()
        assert kept.read_text() == "right"


def test_the_scan_of_a_start_does_not_see_local_entries(nodes: Nodes) -> None:
    populate(nodes)
    nodes.part()
    for lower in (nodes.left, nodes.right):
        numbers = numbers_of(lower)
        numbers.adopted(0, digest_of(RULES))
        numbers.record_stop()
    nodes.target.index_clear()
    (nodes.right / "data" / "x.tmp").write_text("edited while stopped")
    made = Scan(nodes.target, numbers_of(nodes.right))
    made.owe(0, rules=digest_of(RULES))
    made.start()
    assert made.wait(120)
    noted = {(each.kind, each.name) for each in nodes.target.index_entries()}
    assert noted == {(5, b""), (2, b"")}, "the directory was touched, the entry is nobody's"
    nodes.target_scan = made
    nodes.reintegrate()
    assert nodes.differences() == []
    assert (nodes.right / "data" / "x.tmp").read_text() == "edited while stopped"


def test_other_rules_than_before_make_all_be_compared(nodes: Nodes) -> None:
    populate(nodes)
    nodes.part()
    numbers_of(nodes.right).adopted(0, "other")
    nodes.target.index_clear()
    made = Scan(nodes.target, numbers_of(nodes.right))
    made.owe(0, rules=digest_of(RULES))
    made.start()
    assert made.wait(120)
    assert [each.kind for each in nodes.target.index_entries()] == [7]
    assert numbers_of(nodes.right).of(0).rules == digest_of(RULES)

"""The scan of a start: what was changed while nothing watched a directory is found (design 8)."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mirror.adapters import native
from mirror.adapters.native import Plane
from mirror.core.reintegration.progress import Outcome
from mirror.daemon.plane.directories import Directory
from mirror.daemon.plane.numbers import HiddenNumbers, filesystem_ns_after
from mirror.daemon.plane.objects import root_of
from mirror.daemon.plane.scan import Scan, Walk
from mirror.vocabulary.places import PlaceKind
from tests.mount.reintegrating import Nodes, two_nodes

pytestmark = pytest.mark.mount

BIG_BYTES = 1 << 20


@pytest.fixture
def nodes(tmp_path: Path) -> Iterator[Nodes]:
    """Both hold the same; the target is away, both were stopped in order."""
    with two_nodes(tmp_path) as both:
        top = both.mount
        (top / "a" / "b").mkdir(parents=True)
        (top / "a" / "b" / "small").write_text("small")
        (top / "a" / "big").write_bytes(os.urandom(BIG_BYTES))
        (top / "a" / "doomed").write_text("doomed")
        os.symlink("nowhere", top / "a" / "link")
        os.mkfifo(top / "a" / "fifo")
        both.reintegrate(full=True)
        both.part()
        assert [str(each) for each in both.differences()] == []
        for lower in (both.left, both.right):
            numbers = numbers_of(lower)
            numbers.adopted(0, "")
            numbers.record_stop()
        both.target.index_clear()
        yield both


def numbers_of(lower: Path) -> HiddenNumbers:
    return HiddenNumbers([Directory(0, "/nowhere", str(lower))])


def scan(plane: Plane, lower: Path) -> Scan:
    """What the start of a data plane does."""
    made = Scan(plane, numbers_of(lower))
    made.owe(0)
    made.start()
    assert made.wait(120)
    return made


def start_both(nodes: Nodes) -> Outcome:
    scan(nodes.source, nodes.left)
    nodes.target_scan = scan(nodes.target, nodes.right)
    outcome = nodes.reintegrate()
    assert [str(each) for each in nodes.differences()] == []
    assert nodes.source.index_count() == nodes.target.index_count() == 0
    return outcome


def kept(nodes: Nodes) -> dict[str, bytes]:
    """What the target has kept aside: path -> content."""
    found = {}
    for listed in (nodes.right / ".mirror").glob("aside/*/list.jsonl"):
        assert listed.parent.name.startswith("edited-")
        for line in listed.read_text().splitlines():
            entry = json.loads(line)
            found[entry["path"]] = (listed.parent / entry["kept"]).read_bytes()
    return found


def test_an_untouched_tree_marks_nothing(nodes: Nodes) -> None:
    for plane, lower in ((nodes.source, nodes.left), (nodes.target, nodes.right)):
        assert scan(plane, lower).found == 0
        assert plane.index_count() == 0
        assert not numbers_of(lower).of(0).scan_due
    nodes.target_scan = scan(nodes.target, nodes.right)
    assert nodes.reintegrate().bytes_compared == 0
    assert not (nodes.right / ".mirror" / "aside").exists()


def edit(top: Path) -> None:
    (top / "a" / "b" / "small").write_text("edited")


def edit_in_place(top: Path) -> None:
    """As an editor that keeps size and mtime: only the ctime tells."""
    big = top / "a" / "big"
    before = big.stat()
    with big.open("r+b") as file:
        file.seek(BIG_BYTES // 2)
        file.write(b"edited")
    os.utime(big, ns=(before.st_atime_ns, before.st_mtime_ns))


def create(top: Path) -> None:
    (top / "a" / "new").mkdir()
    (top / "a" / "new" / "file").write_text("new")
    (top / "top").write_text("at the top")


def delete(top: Path) -> None:
    (top / "a" / "doomed").unlink()
    (top / "a" / "link").unlink()


def rename(top: Path) -> None:
    (top / "a" / "b").rename(top / "moved")
    (top / "a" / "big").rename(top / "a" / "b")


def change_mode(top: Path) -> None:
    (top / "a" / "big").chmod(0o4711)
    (top / "a").chmod(0o701)
    os.chown(top / "a" / "link", 12, 34, follow_symlinks=False)


def copy_over(top: Path) -> None:
    """A copy that carries the identity of another object, as cp -a makes it."""
    subprocess.run(["cp", "-a", str(top / "a"), str(top / "copy")], check=True)
    (top / "a" / "doomed").unlink()


CHANGES = [edit, edit_in_place, create, delete, rename, change_mode, copy_over]


@pytest.mark.parametrize("change", CHANGES)
def test_changes_on_the_stopped_source_arrive(
    nodes: Nodes, change: Callable[[Path], None]
) -> None:
    change(nodes.left)
    wanted = sorted(path.relative_to(nodes.left) for path in nodes.left.glob("[!.]*/**/*"))
    start_both(nodes)
    assert sorted(path.relative_to(nodes.left) for path in nodes.left.glob("[!.]*/**/*")) == wanted
    assert kept(nodes) == {}


@pytest.mark.parametrize("change", CHANGES)
def test_changes_on_the_stopped_target_are_undone(
    nodes: Nodes, change: Callable[[Path], None]
) -> None:
    change(nodes.right)
    outcome = start_both(nodes)
    assert outcome.bytes_copied <= 2 * 65_536


def test_what_is_replaced_on_the_target_is_kept(nodes: Nodes) -> None:
    edit(nodes.right)
    create(nodes.right)
    (nodes.mount / "a" / "big").write_bytes(b"by the application")
    start_both(nodes)
    assert kept(nodes) == {
        "a/b/small": b"edited",
        "a/new/file": b"new",
        "top": b"at the top",
    }
    nodes.part()
    (nodes.mount / "a" / "b" / "small").write_text("and again")
    nodes.reintegrate()
    assert len(list((nodes.right / ".mirror" / "aside").iterdir())) == 1


def test_after_a_crash_nothing_is_kept(nodes: Nodes) -> None:
    numbers = numbers_of(nodes.right)
    numbers.record_times([filesystem_ns_after(str(nodes.right))])
    edit(nodes.right)
    start_both(nodes)
    assert kept(nodes) == {}


@pytest.mark.parametrize("lost", ["file", "clock"])
def test_without_a_time_everything_is_compared(nodes: Nodes, lost: str) -> None:
    edit_in_place(nodes.right)
    if lost == "file":
        (nodes.right / ".mirror" / "numbers.json").unlink()
    else:
        numbers_of(nodes.right).change(0, time_ns=1 << 62)
    nodes.target_scan = scan(nodes.target, nodes.right)
    assert [each.kind for each in nodes.target.index_entries()] == [PlaceKind.ALL]
    nodes.reintegrate()
    assert [str(each) for each in nodes.differences()] == []


def test_a_scan_that_did_not_end_is_owed(nodes: Nodes) -> None:
    made = Scan(nodes.target, numbers_of(nodes.right))
    made.owe(0)
    numbers = numbers_of(nodes.right)
    assert numbers.of(0).scan_due
    before_ns = numbers.of(0).time_ns
    numbers.record_stop()
    assert numbers.of(0).time_ns == before_ns


def test_what_moves_during_the_scan_is_found(
    nodes: Nodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Edited while stopped, and moved by the application to where the scan has been already."""
    monkeypatch.setattr("mirror.daemon.plane.scan.WALKERS", 1)
    tops = {name: nodes.mount / name for name in ("x", "y")}
    for top in tops.values():
        top.mkdir()
        (top / f"file-{top.name}").write_text("before")
    nodes.reintegrate()
    nodes.part()
    since_ns = filesystem_ns_after(str(nodes.left))
    for name in tops:
        (nodes.left / name / f"file-{name}").write_text("edited")
    begun_ns = filesystem_ns_after(str(nodes.left))
    moved: list[str] = []

    def move_behind() -> bool:
        for name, other in (("x", "y"), ("y", "x")):
            if not moved and tops[name].stat().st_ino in {at for _, at in walk.walked}:
                moved.append(f"file-{other}")
                (tops[other] / moved[0]).rename(tops[name] / moved[0])
        return False

    root = root_of(nodes.source, 0)
    walk = Walk(nodes.source, root, since_ns, move_behind)
    walk.run()
    assert len(moved) == 1
    walk.again(begun_ns)
    nodes.reintegrate()
    assert [str(each) for each in nodes.differences()] == []


def test_an_unbroken_cover_is_seen(tmp_path: Path) -> None:
    path, lower = tmp_path / "directory", tmp_path / "lower"
    path.mkdir()
    directory = Directory(0, str(path), str(lower))
    try:
        assert not directory.bind_lower()
        directory.cover()
        with pytest.raises(OSError, match="Read-only"):
            (path / "file").touch()
        assert directory.bind_lower()  # a data plane started again
        native.unmount(str(path))
        assert not directory.bind_lower()
    finally:
        directory.release()

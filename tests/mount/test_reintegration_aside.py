"""Nothing that may be an acknowledged change is discarded silently (invariant 7)."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mirror.daemon.plane.keeping import Keeping
from mirror.daemon.plane.source import Reintegration
from mirror.daemon.plane.works import Work
from mirror.errors import ReintegrationStopped
from tests.mount.reintegrating import Nodes, two_nodes
from tests.mount.small_disk import mounted_image, small_disk
from tests.mount.test_scan import numbers_of

pytestmark = pytest.mark.mount


@pytest.fixture
def nodes(tmp_path: Path) -> Iterator[Nodes]:
    with two_nodes(tmp_path) as both:
        yield both


def kept(nodes: Nodes, name: str) -> dict[str, dict[str, Any]]:
    """The list of what was kept, by path; each line's file is there."""
    folder = nodes.right / ".mirror" / "aside" / name
    lines = (folder / "list.jsonl").read_text().splitlines()
    entries = {}
    for line in lines:
        entry = json.loads(line)
        assert os.lstat(folder / entry["kept"]).st_size == entry["size_bytes"]
        assert entry["path"] not in entries
        entries[entry["path"]] = entry | {"text": (folder / entry["kept"]).read_text()}
    return entries


def test_what_the_target_did_alone_is_kept_aside(nodes: Nodes) -> None:
    """A split brain: the target's own versions go, and are found again."""
    top = nodes.mount
    (top / "d" / "e").mkdir(parents=True)
    for name in ("both", "replaced", "same"):
        (top / name).write_text(f"{name} before")
    (top / "d" / "deep").write_text("deep before")
    nodes.reintegrate(full=True)
    nodes.part()
    (nodes.right / "both").write_text("theirs")
    (nodes.right / "new").write_text("theirs alone")
    (nodes.right / "d" / "e" / "more").write_text("theirs below")
    (nodes.right / "replaced").unlink()
    (nodes.right / "replaced").write_text("another file there")
    (top / "both").write_text("ours!")
    (top / "d" / "deep").unlink()
    nodes.reintegrate(full=True, aside="2026-11-20")
    assert [str(each) for each in nodes.differences()] == []
    entries = kept(nodes, "2026-11-20")
    assert {path: entry["text"] for path, entry in entries.items()} == {
        "both": "theirs",
        "new": "theirs alone",
        "d/e/more": "theirs below",
        "replaced": "another file there",
        "d/deep": "deep before",
    }
    whats = {path: entry["what"] for path, entry in entries.items()}
    assert whats == {
        "both": "replaced",
        "new": "deleted",
        "d/e/more": "deleted",
        "replaced": "replaced",
        "d/deep": "deleted",
    }
    assert {entry["side"] for entry in entries.values()} == {"SECOND"}


def test_a_directory_that_goes_is_kept_whole(nodes: Nodes) -> None:
    (nodes.mount / "stays").touch()
    nodes.reintegrate(full=True)
    nodes.part()
    (nodes.right / "theirs" / "below").mkdir(parents=True)
    (nodes.right / "theirs" / "below" / "file").write_text("kept")
    nodes.reintegrate(full=True, aside="folder")
    assert [str(each) for each in nodes.differences()] == []
    assert kept(nodes, "folder")["theirs/below/file"]["text"] == "kept"


def test_equal_files_are_not_kept(nodes: Nodes) -> None:
    for top in (nodes.left, nodes.right):
        (top / "equal").write_bytes(b"x" * 3_000_000)
        (top / "longer-there").write_text("begin")
    (nodes.right / "longer-there").write_text("begin and more")
    outcome = nodes.reintegrate(full=True, aside="first")
    assert [str(each) for each in nodes.differences()] == []
    assert set(kept(nodes, "first")) == {"longer-there"}
    assert outcome.bytes_copied < 100


def test_no_room_to_keep_it_stops_the_reintegration(tmp_path: Path) -> None:
    """It says so, and the target's version is untouched."""
    with small_disk(tmp_path / "n2" / "lower", 8 << 20), two_nodes(tmp_path) as nodes:
        theirs = os.urandom(4 << 20)
        (nodes.right / "big").write_bytes(theirs)
        (nodes.mount / "big").write_bytes(b"ours" * 1_000)
        with pytest.raises(ReintegrationStopped, match="No space left"):
            nodes.reintegrate(full=True, aside="kept")
        assert (nodes.right / "big").read_bytes() == theirs
        nodes.part()


def test_no_room_for_the_data_stops_it_and_the_source_serves_on(tmp_path: Path) -> None:
    with small_disk(tmp_path / "n2" / "lower", 8 << 20), two_nodes(tmp_path) as nodes:
        (nodes.mount / "big").write_bytes(os.urandom(12 << 20))
        with pytest.raises(ReintegrationStopped, match="No space left"):
            nodes.reintegrate(full=True)
        nodes.part()
        (nodes.mount / "big").unlink()
        (nodes.mount / "small").write_text("fits")
        nodes.reintegrate(full=True)
        assert [str(each) for each in nodes.differences()] == []


def test_a_folder_name_from_the_network_stays_one_name(nodes: Nodes, tmp_path: Path) -> None:
    with pytest.raises(Exception, match="Invalid argument"):
        nodes.reintegrate(full=True, aside="../../../out")
    assert not (tmp_path / "out").exists()


def test_what_an_administrator_vouches_for_is_not_compared(nodes: Nodes) -> None:
    """secondforce: names, sizes and attributes of all, data of what was modified since."""
    date_s = 1_700_000_000
    for name, ours, theirs, mtime_s in (
        ("old", "old of ours", "old trusted", date_s - 60),
        ("new", "new of ours", "new, not so", date_s + 60),
        ("missing", "old of ours", None, date_s - 60),
        ("cut short", "old of ours", "old", date_s - 60),
    ):
        for top, text in ((nodes.left, ours), (nodes.right, theirs)):
            if text is not None:
                (top / name).write_text(text)
                os.utime(top / name, (mtime_s, mtime_s))
    (nodes.right / "old").chmod(0o640)
    nodes.reintegrate(full=True, aside="shipped", trusts_before_ns=date_s * 10**9)
    assert (nodes.right / "old").read_text() == "old trusted"
    assert (nodes.right / "new").read_text() == "new of ours"
    assert (nodes.right / "missing").read_text() == "old of ours"
    assert (nodes.right / "cut short").read_text() == "old of ours"
    assert (nodes.right / "old").stat().st_mode == (nodes.left / "old").stat().st_mode
    assert set(kept(nodes, "shipped")) == {"new", "cut short"}
    nodes.part()
    nodes.reintegrate(full=True)  # nothing taken on trust any more: the difference is found
    assert [str(each) for each in nodes.differences()] == []


@pytest.mark.parametrize("served", [False, True], ids=["followed", "served"])
def test_what_an_unfinished_copy_holds_is_kept_when_this_node_served(
    nodes: Nodes, monkeypatch: pytest.MonkeyPatch, *, served: bool
) -> None:
    """Forced to serve, an application wrote where an interrupted reintegration had begun."""
    (nodes.mount / "file").write_bytes(os.urandom(300_000))

    def cut(*_: object) -> None:
        raise ReintegrationStopped(step="data", observed="the test")

    with monkeypatch.context() as patch:
        patch.setattr(nodes.source, "copy_ranges", cut)
        with pytest.raises(ReintegrationStopped):
            nodes.reintegrate(full=True)
    nodes.forget_losses()
    nodes.part()
    if served:
        numbers_of(nodes.right).record_serving()
    (nodes.right / "file").write_text("acknowledged")
    nodes.reintegrate(full=True, aside="folder")
    assert [str(each) for each in nodes.differences()] == []
    folder = nodes.right / ".mirror" / "aside" / "folder"
    texts = {path: each["text"] for path, each in kept(nodes, "folder").items()} if served else {}
    assert texts == ({"file": "acknowledged"} if served else {})
    assert folder.exists() == served


def test_a_live_change_does_not_come_before_what_is_kept(
    nodes: Nodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the session on the application changes what the target did alone, on both nodes."""
    top = nodes.mount
    names = ("written", "cut", "gone", "replaced", "moved")
    for name in names:
        (top / name).write_text(f"{name} before")
    nodes.reintegrate(full=True)
    nodes.part()
    for name in names:
        (nodes.right / name).write_text(f"{name} by them alone")
        (top / name).write_text(f"{name} by us alone")
    copy = Reintegration._copy

    def changed_first(self: Reintegration) -> object:
        with (top / "written").open("r+b") as file:
            file.write(b"live")
        os.truncate(top / "cut", 3)
        (top / "gone").unlink()
        (top / "fresh").write_text("fresh")
        (top / "fresh").rename(top / "replaced")
        (top / "moved").rename(top / "away")
        (top / "away").write_text("live")
        return copy(self)

    monkeypatch.setattr(Reintegration, "_copy", changed_first)
    nodes.reintegrate(full=True, aside="2026-11-30")
    assert [str(each) for each in nodes.differences()] == []
    entries = kept(nodes, "2026-11-30")
    assert {path: entry["text"] for path, entry in entries.items()} == {
        name: f"{name} by them alone" for name in names
    }


def test_what_both_noted_is_kept_before_the_session_begins(
    nodes: Nodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the indexes of both, as after a split brain that the index names wholly."""
    path = nodes.mount / "file"
    path.write_bytes(b"before" * 50_000)
    nodes.reintegrate(full=True)
    nodes.part()
    with (nodes.right / "file").open("r+b") as there:
        there.write(b"theirs")
    with path.open("r+b") as here:
        here.write(b"ours!!")
    copy = Reintegration._copy

    def changed_first(self: Reintegration) -> object:
        path.write_text("live")
        return copy(self)

    monkeypatch.setattr(Reintegration, "_copy", changed_first)
    nodes.reintegrate(aside="2026-11-30")
    assert nodes.differences() == []
    entries = kept(nodes, "2026-11-30")
    assert entries["file"]["text"] == "theirs" + "before" * 49_999


def test_a_very_deep_directory_is_kept_whole(nodes: Nodes) -> None:
    """Deeper than a path may be long, and than Python calls itself: one line says it."""
    nodes.reintegrate(full=True)
    nodes.part()
    depth = 1_500
    fd = os.open(nodes.right, os.O_RDONLY | os.O_DIRECTORY)
    for _ in range(depth):
        os.mkdir("abcd", dir_fd=fd)
        below = os.open("abcd", os.O_RDONLY | os.O_DIRECTORY, dir_fd=fd)
        os.close(fd)
        fd = below
    os.close(os.open("leaf", os.O_WRONLY | os.O_CREAT, dir_fd=fd))
    os.close(fd)
    nodes.reintegrate(full=True, aside="2026-11-30")
    assert nodes.differences() == []
    folder = nodes.right / ".mirror" / "aside" / "2026-11-30"
    (line,) = (folder / "list.jsonl").read_text().splitlines()
    entry = json.loads(line)
    assert entry["path"] == "/".join(["abcd"] * 201)
    fd = os.open(folder / entry["kept"], os.O_RDONLY | os.O_DIRECTORY)
    for _ in range(depth - 201):
        below = os.open("abcd", os.O_RDONLY | os.O_DIRECTORY, dir_fd=fd)
        os.close(fd)
        fd = below
    assert os.listdir(fd) == ["leaf"]
    os.close(fd)
    subprocess.run(["rm", "-r", folder], check=True)  # shutil could not


def test_what_is_kept_outlives_a_loss_of_power(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its file is overwritten next, and of two writes a disk may take the later one first."""
    theirs = os.urandom(300_000)
    run = Keeping.run

    def lost_afterwards(self: Keeping, works: Iterable[Work]) -> None:
        run(self, works)
        shutil.copyfile(tmp_path / "n2.img", tmp_path / "lost.img")

    with (
        small_disk(tmp_path / "n2", 256 << 20, features="has_journal"),
        two_nodes(tmp_path) as nodes,
    ):
        (nodes.mount / "file").write_bytes(b"before")
        nodes.reintegrate(full=True)
        nodes.part()
        (nodes.right / "file").write_bytes(theirs)
        (nodes.mount / "file").write_bytes(b"ours")
        monkeypatch.setattr(Keeping, "run", lost_afterwards)
        nodes.reintegrate(full=True, aside="kept")
    with mounted_image(tmp_path / "lost.img", tmp_path / "lost"):
        folder = tmp_path / "lost" / "lower" / ".mirror" / "aside" / "kept" / "files"
        assert (folder / "file").read_bytes() == theirs

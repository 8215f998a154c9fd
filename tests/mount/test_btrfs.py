"""Lower directories on btrfs: what it does in another way than ext4 must not show."""

from __future__ import annotations

import os
import random
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from mirror.adapters.records import read_record, write_record
from mirror.daemon.plane.numbers import HIDDEN_NAME
from tests.mount.pair import open_pair
from tests.mount.reintegrating import Nodes, two_nodes
from tests.mount.small_disk import btrfs_disk, fill
from tests.mount.test_bad_disk import error_of
from tests.mount.test_mirrored import give_name
from tests.mount.test_random import assert_equal, crew_on, run_cycles
from tests.mount.test_reintegration_aside import kept
from tests.mount.test_scan import numbers_of, start_both
from tests.mount.workers import Crew

pytestmark = pytest.mark.mount

DISK_BYTES = 2 << 30  # sparse


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """Both lower directories lie on it, and all else of a pair."""
    with btrfs_disk(tmp_path / "disk", DISK_BYTES):
        yield tmp_path / "disk"


@pytest.fixture
def nodes(disk: Path) -> Iterator[Nodes]:
    with two_nodes(disk) as both:
        yield both


def test_what_goes_is_kept_aside_and_leaves_nothing_in_the_stash(nodes: Nodes) -> None:
    """A directory shows a descriptor what was in it when that was opened."""
    (nodes.mount / "d").mkdir()
    for name in ("both", "d/gone"):
        (nodes.mount / name).write_text(f"{name} before")
    nodes.reintegrate(full=True)
    nodes.part()
    (nodes.right / "both").write_text("theirs")
    (nodes.right / "new").write_text("theirs alone")
    (nodes.mount / "both").write_text("ours!")
    (nodes.mount / "d" / "gone").unlink()
    nodes.reintegrate(full=True, aside="folder")
    assert nodes.differences() == []
    texts = {path: entry["text"] for path, entry in kept(nodes, "folder").items()}
    assert texts == {"both": "theirs", "new": "theirs alone", "d/gone": "d/gone before"}
    assert os.listdir(nodes.right / ".mirror" / "stash") == []


def test_a_file_gets_its_first_name_with_all_of_it(nodes: Nodes) -> None:
    nodes.reintegrate(full=True)
    with open(os.open(nodes.mount, os.O_TMPFILE | os.O_RDWR, 0o640), "r+b", buffering=0) as file:
        os.pwrite(file.fileno(), os.urandom(300_000), 5_000_000)
        give_name(file.fileno(), nodes.mount / "named")
    assert (nodes.right / "named").stat().st_size == 5_300_000
    assert nodes.differences() == []


@pytest.mark.parametrize(("seed", "barrier"), [(101, "write"), (102, "fsync")])
def test_one_worker(disk: Path, tmp_path: Path, seed: int, barrier: str) -> None:
    with (
        open_pair(disk, writeback=barrier == "fsync") as pair,
        crew_on(pair, tmp_path, [seed]) as crew,
    ):
        crew.run(1500)
        assert_equal(pair, crew)


def test_partings_and_returns(nodes: Nodes, tmp_path: Path) -> None:
    seed = 501
    try:
        with Crew(nodes.mount, tmp_path, [seed, seed + 1000]) as crew:
            run_cycles(nodes, crew, random.Random(seed))
            crew.verify(nodes.mount)
            assert [str(each) for each in nodes.differences()] == []
            crew.verify(nodes.right)
    finally:
        Crew.unlock(nodes.left, nodes.right)


def test_records_are_written_on_a_full_disk(tmp_path: Path) -> None:
    """Nothing is overwritten in place: what is written over a file needs room, too."""
    disk = tmp_path / "disk"
    record = disk / "state" / "record.json"
    with btrfs_disk(disk, 128 << 20):
        (disk / HIDDEN_NAME).mkdir()
        write_record(record, {"at": 0})
        os.sync()
        fill(disk)
        with pytest.raises(OSError, match="No space left"):
            (disk / "another").write_bytes(bytes(1 << 20))
        for at in range(1, 5):
            write_record(record, {"at": at})
            assert read_record(record) == {"at": at}


def test_a_subvolume_is_refused_to_the_application_and_copied_all_the_same(nodes: Nodes) -> None:
    """`mirror config` refuses one; it may have been made later. Its inodes are numbered anew."""
    top = nodes.left
    for name in ("one", "two"):
        subprocess.run(["btrfs", "subvolume", "create", top / name], check=True)
        (top / name / "below").mkdir()
        (top / name / "below" / "file").write_text(name)
    for act in (os.listdir, os.stat, os.rmdir):
        assert error_of(act, nodes.mount / "one") == "EXDEV"
    nodes.reintegrate(full=True)
    nodes.part()
    assert nodes.differences() == []
    for lower in (nodes.left, nodes.right):
        numbers_of(lower).adopted(0, "")
        numbers_of(lower).record_stop()
    nodes.target.index_clear()
    for name in ("one", "two"):
        (top / name / "below" / "file").write_text("edited while stopped")
    start_both(nodes)
    assert (nodes.right / "two" / "below" / "file").read_text() == "edited while stopped"

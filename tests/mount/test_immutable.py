"""A file that becomes immutable while it is open for writing: file systems differ in that.

ext4 refuses what the old descriptor writes; xfs and btrfs do not, but to who opens it anew, as a
secondary does. Through a mirror all of them are ext4.
"""

from __future__ import annotations

import mmap
import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.mount.pair import open_pair
from tests.mount.small_disk import btrfs_disk, small_disk, xfs_disk
from tests.mount.test_bad_disk import Watched, error_of

pytestmark = pytest.mark.mount

DISKS = {"ext4": small_disk, "xfs": xfs_disk, "btrfs": btrfs_disk}
DISK_BYTES = 512 << 20  # sparse


@pytest.fixture(params=DISKS)
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """Both lower directories lie on it, and all else of a pair."""
    with DISKS[request.param](tmp_path / "disk", DISK_BYTES):
        yield tmp_path / "disk"


@contextmanager
def watched_pair(disk: Path, *, writeback: bool) -> Iterator[Watched]:
    with open_pair(disk, writeback=writeback) as pair:
        watched = Watched(pair)
        try:
            yield watched
        finally:
            watched.end()


def chattr(change: str, path: Path) -> None:
    subprocess.run(["chattr", change, path], check=True)


def write_and_sync(fd: int) -> None:
    os.pwrite(fd, b"late", 0)
    os.fsync(fd)


def cut(fd: int) -> None:
    os.ftruncate(fd, 2)


def grow(fd: int) -> None:
    os.ftruncate(fd, 9000)


@pytest.mark.parametrize("writeback", [False, True])
@pytest.mark.parametrize("change", [write_and_sync, cut, grow])
def test_both_nodes_refuse_what_an_old_descriptor_changes(
    disk: Path, change: Callable[[int], None], writeback: bool
) -> None:
    with watched_pair(disk, writeback=writeback) as pair:
        known, unknown = pair.mount / "known", pair.mount / "unknown"
        unknown.write_text("before")
        fds = [os.open(path, os.O_RDWR | os.O_CREAT) for path in (known, unknown)]
        os.write(fds[0], b"before")
        pair.pair.primary.checkpoint()
        for path in (known, unknown):
            chattr("+i", path)
        try:
            assert [error_of(change, fd) for fd in fds] == ["EPERM", "EPERM"]
            assert error_of(os.truncate, unknown, 1) == "EPERM"
            pair.assert_in_step()
        finally:
            for path in (known, unknown):
                chattr("-i", path)
        for fd in fds:
            os.pwrite(fd, b"after", 0)
            os.fsync(fd)
            os.close(fd)
        pair.assert_in_step()
        assert known.read_text() == unknown.read_text() == "aftere"


def test_what_was_written_before_counts(disk: Path) -> None:
    """It may be in the kernel's cache still, of a mapping too."""
    with watched_pair(disk, writeback=True) as pair:
        file = pair.mount / "file"
        file.write_bytes(bytes(8192))
        with (
            file.open("r+b", buffering=0) as opened,
            closing(mmap.mmap(opened.fileno(), 8192)) as pages,
        ):
            pages[:6] = b"stored"
            os.pwrite(opened.fileno(), b"written", 4096)
            chattr("+i", file)
            try:
                pages.flush()
                os.fsync(opened.fileno())
                pair.assert_in_step()
            finally:
                chattr("-i", file)
        found = (pair.right / "file").read_bytes()
        assert (found[:6], found[4096:4103]) == (b"stored", b"written")

"""A quota that is exceeded, on either node: EDQUOT, from btrfs, which asks root for it too.

All but the removal of names needs room there: to overwrite, to cut, to change a mode.
"""

from __future__ import annotations

import errno
import fcntl
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from mirror.adapters.compare import compare_trees
from mirror.adapters.console.credentials import Credentials
from mirror.adapters.console.database import Database
from mirror.adapters.records import read_record, write_record
from mirror.daemon.plane.numbers import HIDDEN_NAME, Numbers
from mirror.errors import ConsoleDatabaseFailed, ReintegrationStopped
from tests.mount.pair import open_pair
from tests.mount.reintegrating import two_nodes
from tests.mount.small_disk import Quota, fill, quota_disk
from tests.mount.test_bad_disk import LINK_LOST, Watched, error_of

pytestmark = pytest.mark.mount

FS_IOC_SETFLAGS, FS_NOATIME_FL = 0x40086602, 0x80


@contextmanager
def watched_pair(directory: Path, node: str, **how: Any) -> Iterator[tuple[Watched, Quota]]:
    """A pair one of whose nodes has a quota."""
    with quota_disk(directory / node / "lower") as quota, open_pair(directory, **how) as pair:
        watched = Watched(pair)
        try:
            yield watched, quota
        finally:
            watched.end()


def prepare(top: Path) -> None:
    for name in ("file", "cut", "grown", "source", "goes", "moves"):
        (top / name).write_bytes(os.urandom(300_000))
        os.setxattr(top / name, "user.there", b"before")
    (top / "d").mkdir()


def set_flags(path: Path, flags: int) -> None:
    fd = os.open(path, os.O_RDONLY)
    try:
        fcntl.ioctl(fd, FS_IOC_SETFLAGS, flags.to_bytes(8, "little"))
    finally:
        os.close(fd)


def on(path: Path, function: Callable[..., Any], *arguments: Any) -> Any:
    fd = os.open(path, os.O_RDWR)
    try:
        return function(fd, *arguments)
    finally:
        os.close(fd)


def copy(source: Path, target: Path) -> None:
    """Within the file system."""
    on(target, lambda fd: on(source, os.copy_file_range, fd, 100_000, 0, 50_000))


def make_unnamed(top: Path) -> None:
    os.close(os.open(top, os.O_TMPFILE | os.O_WRONLY, 0o600))


def change(top: Path) -> dict[str, str]:
    """Each kind of change; the errno of each."""
    changes: dict[str, tuple[Any, ...]] = {
        "write": (on, top / "file", os.pwrite, b"x" * 9_000, 0),
        "append": (on, top / "file", os.pwrite, b"x" * 90_000, 290_000),
        "allocate": (on, top / "file", os.posix_fallocate, 0, 900_000),
        "cut": (os.truncate, top / "cut", 100_000),
        "grow": (os.truncate, top / "grown", 900_000),
        "copy": (copy, top / "source", top / "file"),
        "create": ((top / "new").touch,),
        "unnamed": (make_unnamed, top),
        "mkdir": ((top / "directory").mkdir,),
        "symlink": (os.symlink, "target", top / "symbolic"),
        "fifo": (os.mkfifo, top / "fifo"),
        "link": (os.link, top / "file", top / "link"),
        "rename": (os.rename, top / "moves", top / "d" / "moved"),
        "mode": ((top / "file").chmod, 0o4711),
        "owner": (os.chown, top / "file", 7, 8),
        "times": (os.utime, top / "file", (1, 2)),
        "xattr": (os.setxattr, top / "file", "user.new", b"value"),
        "other value": (os.setxattr, top / "file", "user.there", b"after"),
        "no xattr": (os.removexattr, top / "file", "user.there"),
        "flags": (set_flags, top / "file", FS_NOATIME_FL),
        "remove": ((top / "goes").unlink,),
    }
    return {name: error_of(*call) for name, call in changes.items()}


def test_that_of_the_primary_is_an_errno_and_both_stay_in_step(tmp_path: Path) -> None:
    with watched_pair(tmp_path, "n1") as (pair, quota):
        prepare(pair.mount)
        pair.assert_in_step()
        quota.exceed()
        found = change(pair.mount)
        assert found == {**dict.fromkeys(found, "EDQUOT"), "remove": ""}
        pair.assert_in_step()
        quota.lift()
        found = change(pair.mount)
        assert found == {**dict.fromkeys(found, ""), "remove": "ENOENT"}
        pair.assert_in_step()


def test_that_of_the_primary_is_told_by_fsync_when_the_kernel_caches(tmp_path: Path) -> None:
    with watched_pair(tmp_path, "n1", writeback=True) as (pair, quota):
        prepare(pair.mount)
        pair.assert_in_step()
        with (pair.mount / "file").open("r+b", buffering=0) as file:
            quota.exceed()
            file.write(os.urandom(200_000))
            assert error_of(os.fsync, file.fileno()) == "EDQUOT"
            pair.assert_in_step()
            quota.lift()
            file.seek(0)
            file.write(os.urandom(200_000))
            os.fsync(file.fileno())
        pair.assert_in_step()


@pytest.mark.parametrize("writeback", [False, True], ids=["write", "fsync"])
def test_that_of_the_secondary_is_never_an_errno(tmp_path: Path, *, writeback: bool) -> None:
    with watched_pair(tmp_path, "n2", writeback=writeback) as (pair, quota):
        prepare(pair.mount)
        pair.assert_in_step()
        quota.exceed()
        with (pair.mount / "source").open("r+b", buffering=0) as file:
            file.write(b"the first refused")
            os.fsync(file.fileno())
        found = change(pair.mount)
        assert found == dict.fromkeys(found, "")
        pair.end()
        (lost,) = pair.events
        assert (lost.kind, lost.error) == (LINK_LOST, -errno.EDQUOT)
        assert lost.detail.endswith("could not apply a change: Write: Disk quota exceeded")
        assert compare_trees(pair.left, pair.right) != []
        assert pair.pair.primary.index_count() > 0


def test_the_secondary_comes_back_when_there_is_room(tmp_path: Path) -> None:
    with quota_disk(tmp_path / "n2" / "lower") as quota, two_nodes(tmp_path) as nodes:
        prepare(nodes.mount)
        nodes.reintegrate(full=True)
        quota.exceed()
        waiting = threading.Thread(target=(nodes.mount / "file").write_bytes, args=(b"new",))
        waiting.start()  # until this node may go on alone
        (lost,) = nodes.await_loss()
        assert "Disk quota exceeded" in lost
        nodes.part()
        waiting.join()
        found = change(nodes.mount)
        assert found == dict.fromkeys(found, "")
        nodes.forget_losses()
        with pytest.raises(ReintegrationStopped, match="Disk quota exceeded"):
            nodes.reintegrate()
        nodes.part()
        nodes.forget_losses()
        (nodes.mount / "meanwhile").write_bytes(os.urandom(100_000))
        quota.lift()
        nodes.reintegrate()
        assert nodes.differences() == []
        assert nodes.source.index_count() == 0


def test_a_quota_that_is_too_small_stops_a_reintegration_which_goes_on_later(
    tmp_path: Path,
) -> None:
    with quota_disk(tmp_path / "n2" / "lower") as quota, two_nodes(tmp_path) as nodes:
        quota.limit(8 << 20)
        for name in ("a", "b", "c", "d"):
            (nodes.mount / name).write_bytes(os.urandom(4 << 20))
        with pytest.raises(ReintegrationStopped, match="Disk quota exceeded"):
            nodes.reintegrate(full=True)
        nodes.part()
        nodes.forget_losses()
        (nodes.mount / "a").unlink()
        quota.limit(64 << 20)
        nodes.reintegrate(full=True)
        assert nodes.differences() == []


def test_no_room_to_keep_aside_says_that_it_is_the_quota(tmp_path: Path) -> None:
    with quota_disk(tmp_path / "n2" / "lower") as quota, two_nodes(tmp_path) as nodes:
        theirs = os.urandom(1 << 20)
        (nodes.right / "file").write_bytes(theirs)
        (nodes.mount / "file").write_bytes(b"ours" * 1_000)
        quota.exceed()
        with pytest.raises(ReintegrationStopped, match="Disk quota exceeded"):
            nodes.reintegrate(full=True, aside="kept")
        assert (nodes.right / "file").read_bytes() == theirs
        nodes.part()
        nodes.forget_losses()
        quota.lift()
        nodes.reintegrate(full=True, aside="kept")
        assert nodes.differences() == []
        folder = nodes.right / ".mirror" / "aside" / "kept" / "files"
        assert (folder / "file").read_bytes() == theirs


def test_the_console_says_that_it_is_the_quota(tmp_path: Path) -> None:
    with quota_disk(tmp_path / "var") as quota, Database(tmp_path / "var") as database:
        secret, _ = Credentials(database).open_session("admin", "here")
        quota.exceed()
        with pytest.raises(ConsoleDatabaseFailed, match="the quota is exceeded"):
            Credentials(database).close_session(secret)
        quota.lift()
        Credentials(database).close_session(secret)


def test_records_are_written_all_the_same(tmp_path: Path) -> None:
    """Or who has lost its peer could not go on alone; the room for it was taken before."""
    disk = tmp_path / "disk"
    record = disk / "state" / "record.json"
    with quota_disk(disk) as quota:
        (disk / HIDDEN_NAME).mkdir()
        quota.limit(32 << 20)
        for at in range(2):
            write_record(record, {"at": at})
            Numbers(generation="0" * 32, checkpoint=at).write(str(disk))
        fill(disk)
        assert error_of((disk / "another").write_bytes, bytes(1 << 20)) == "EDQUOT"
        write_record(record, {"at": 3})
        assert read_record(record) == {"at": 3}
        Numbers(generation="1" * 32, checkpoint=7).write(str(disk))
        assert Numbers.read(str(disk)) == Numbers(generation="1" * 32, checkpoint=7)

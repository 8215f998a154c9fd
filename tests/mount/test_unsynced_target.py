"""The target's disk could not be synced: what it has in memory is not what it has.

The kernel tells such an error once, and takes the pages for written.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.mount.followed import Followed
from tests.mount.reintegrating import Nodes, two_nodes
from tests.mount.small_disk import ThinDisk, thin_disk

pytestmark = pytest.mark.mount

DISK_BYTES = 32 << 20
FILE_BYTES = 300_000
TOLD = pytest.raises(OSError, match="No space left")


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[ThinDisk]:
    lower = tmp_path / "n2" / "lower"
    with thin_disk(lower, DISK_BYTES) as made:
        (lower / "lost+found").rmdir()
        yield made


@pytest.fixture
def nodes(disk: ThinDisk, tmp_path: Path) -> Iterator[Nodes]:
    """Both have a file; what has been written into it since has no block on the target's disk."""
    with two_nodes(tmp_path) as made:
        (made.mount / "file").write_bytes(os.urandom(FILE_BYTES))
        made.reintegrate(full=True)
        made.source.checkpoint()
        disk.exhaust(made.right / "file")
        with (made.mount / "file").open("r+b") as file:
            file.write(os.urandom(FILE_BYTES))
        yield made
        made.forget_losses()


def test_an_error_that_somebody_else_was_told_is_the_checkpoints_too(
    disk: ThinDisk, nodes: Nodes
) -> None:
    """Who records the time every ten seconds syncs the disk as well."""
    with TOLD:
        nodes.target.root_sync(0)
    disk.refill()
    with TOLD:
        nodes.source.checkpoint()
    assert not nodes.source.mirrored()
    nodes.part()


def test_it_may_not_take_over(disk: ThinDisk, nodes: Nodes) -> None:
    with TOLD:
        nodes.source.checkpoint()
    disk.refill()
    nodes.end_session()
    with TOLD:
        nodes.target.root_sync(0)  # as `settle` does
    nodes.source.go_alone()


def test_what_did_not_reach_the_disk_is_sent_again(disk: ThinDisk, nodes: Nodes) -> None:
    with TOLD:
        nodes.source.checkpoint()
    disk.refill()
    nodes.part()
    nodes.forget_losses()
    nodes.reintegrate()
    nodes.source.checkpoint()
    with (nodes.right / "file").open("rb") as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    assert (nodes.right / "file").read_bytes() == (nodes.left / "file").read_bytes()


@pytest.mark.parametrize("offset", [0, 5 << 16])
def test_nor_is_it_taken_from_memory_beside_what_is_in_order(
    disk: ThinDisk, tmp_path: Path, offset: int
) -> None:
    """The kernel keeps a file in pieces of up to 2 MiB: a region is mostly a part of one."""
    with two_nodes(tmp_path) as nodes:
        nodes.reintegrate(full=True)
        (nodes.mount / "large").write_bytes(os.urandom(4 << 20))
        for _ in range(3):  # then nothing of it is in the recent set any more
            nodes.source.checkpoint()
        assert nodes.source.recent_count() == 0
        disk.exhaust(nodes.right / "large")
        with (nodes.mount / "large").open("r+b", buffering=0) as file:
            file.seek(offset)
            file.write(os.urandom(4096))
        with TOLD:
            nodes.source.checkpoint()
        disk.refill()
        nodes.part()
        nodes.forget_losses()
        nodes.reintegrate()
        nodes.source.checkpoint()
        kept = []
        for side in (nodes.left, nodes.right):
            with (side / "large").open("rb") as file:
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
                file.seek(offset)
                kept.append(file.read(4096))
        assert kept[0] == kept[1]
        nodes.forget_losses()


def test_it_says_so_before_the_link_is_lost_and_settles_no_more(
    disk: ThinDisk, tmp_path: Path
) -> None:
    pair = Followed(tmp_path, writeback=False, sync_both=False)
    try:
        pair.mirror()
        (pair.mount / "file").write_bytes(os.urandom(FILE_BYTES))
        pair.primary.checkpoint()
        disk.exhaust(pair.right / "file")
        with (pair.mount / "file").open("r+b") as file:
            file.write(os.urandom(FILE_BYTES))
        with TOLD:
            pair.primary.checkpoint()
        disk.refill()
        pair.go_alone()
        assert pair.told == ["fault", "link_lost"]
        with TOLD:
            pair.follower.settle(1)
        pair.follower.settle(1)  # before it follows anew, which compares
    finally:
        pair.close()

"""What an operation costs, in requests of the kernel and in waits for the secondary.

Counts, no times: they are the same on every machine, and what is slow has too many of them.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.mount.pair import Pair, open_pair

pytestmark = pytest.mark.mount

FILES = 20
SYNCS = FILES - 1  # somebody on this machine says `sync`: the kernel writes a time back by itself


def unpack(top: Path, number: int) -> None:
    """One file as tar makes it: created, written, its time, owner and mode set, closed."""
    fd = os.open(top / f"file{number}", os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    os.write(fd, bytes(20_000))
    os.utime(fd, ns=(1_000_000_000, 2_000_000_000))
    os.fchown(fd, 12, 34)
    os.fchmod(fd, 0o640)
    os.close(fd)


def waits_of_checkpoint(pair: Pair) -> int:
    before = pair.primary.counters().waits
    pair.primary.checkpoint()
    return pair.primary.counters().waits - before


@pytest.mark.parametrize("barrier", ["write", "fsync"])
def test_unpacking_a_file(tmp_path: Path, barrier: str) -> None:
    """Five waits: create, content, time, owner, mode. Whatever else the kernel asks waits not."""
    with open_pair(tmp_path, writeback=barrier == "fsync") as pair:
        unpack(pair.mount, -1)  # the directory is introduced, FLUSH is known
        pair.primary.checkpoint()
        before = pair.primary.counters()
        for number in range(FILES):
            unpack(pair.mount, number)
        after = pair.primary.counters()
        assert 5 * FILES <= after.waits - before.waits <= 5 * FILES + SYNCS
        # GETATTR of the directory, LOOKUP, CREATE, GETXATTR, WRITE, SETATTR, GETXATTR, SETATTR,
        # SETATTR, RELEASE. No FLUSH.
        assert after.requests - before.requests <= 10 * FILES + SYNCS


def test_a_time_that_was_set_is_not_sent_again(tmp_path: Path) -> None:
    with open_pair(tmp_path) as pair:
        (pair.mount / "written").write_bytes(b"a")
        pair.primary.checkpoint()
        unpack(pair.mount, 0)
        assert waits_of_checkpoint(pair) == 1  # of the directory
        (pair.mount / "written").write_bytes(b"b")
        assert waits_of_checkpoint(pair) == 1  # of the file
        assert waits_of_checkpoint(pair) == 0


def test_an_owner_and_a_mode_that_stay_wait_for_nobody(tmp_path: Path) -> None:
    with open_pair(tmp_path) as pair:
        unpack(pair.mount, 0)
        file = pair.mount / "file0"
        before = pair.primary.counters().waits
        os.chown(file, 12, 34)
        os.chmod(file, 0o640)
        assert pair.primary.counters().waits == before
        os.chmod(file, 0o4755)
        os.chown(file, 12, 34)  # takes setuid away, on both
        assert pair.primary.counters().waits == before + 2
        for lower in (pair.left, pair.right):
            assert (lower / "file0").stat().st_mode & 0o7777 == 0o755


def test_a_change_of_owner_takes_capabilities_away_on_both(tmp_path: Path) -> None:
    capability = bytes.fromhex("0100000200040000000000000000000000000000")  # cap_net_bind_service
    with open_pair(tmp_path) as pair:
        (pair.mount / "file").write_bytes(b"")
        os.setxattr(pair.mount / "file", "security.capability", capability)
        os.chown(pair.mount / "file", 0, 0)
        for lower in (pair.left, pair.right):
            assert "security.capability" not in os.listxattr(lower / "file")


def test_a_read_waits_for_nobody(tmp_path: Path) -> None:
    with open_pair(tmp_path) as pair:
        (pair.mount / "file").write_bytes(b"a" * 5000)
        pair.primary.checkpoint()
        before = pair.primary.counters().waits
        assert (pair.mount / "file").read_bytes() == b"a" * 5000
        assert os.listdir(pair.mount) == ["file"]
        assert pair.primary.counters().waits == before


def test_attributes_of_an_open_file_whose_name_went(tmp_path: Path) -> None:
    """Its descriptor is used: the handle of what has no name leads nowhere once it is closed."""
    with open_pair(tmp_path) as pair:
        fd = os.open(pair.mount / "file", os.O_CREAT | os.O_RDWR, 0o600)
        os.unlink(pair.mount / "file")
        os.fchmod(fd, 0o4755)
        os.setxattr(fd, "user.a", b"b")
        assert os.fstat(fd).st_mode & 0o7777 == 0o4755
        assert os.getxattr(fd, "user.a") == b"b"
        os.close(fd)

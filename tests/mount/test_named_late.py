"""A file gets its first name as the link breaks: the secondary has all of it or nothing."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mirror.daemon.plane.data import DataPhase
from tests.mount.pair import AWAIT_MS
from tests.mount.reintegrating import Nodes, two_nodes
from tests.mount.small_disk import small_disk
from tests.mount.test_mirrored import give_name

pytestmark = pytest.mark.mount

# Each with a hole behind it, so it is a message of its own: many round trips, few bytes.
PIECES, PIECE, STEP = 1500, 32768, 65536
SENT_BEFORE = 50


@pytest.fixture
def nodes(tmp_path: Path) -> Iterator[Nodes]:
    with two_nodes(tmp_path) as made:
        made.reintegrate(full=True)
        yield made


@contextmanager
def nameless(nodes: Nodes, pieces: int) -> Iterator[int]:
    """A file without a name on the mount."""
    fd = os.open(nodes.mount, os.O_TMPFILE | os.O_RDWR, 0o640)
    try:
        for at in range(pieces):
            os.pwrite(fd, at.to_bytes(4, "big") * (PIECE // 4), at * STEP)
        os.setxattr(fd, "user.kind", b"nameless")
        yield fd
    finally:
        os.close(fd)


def names_on(lower: Path) -> set[str]:
    return set(os.listdir(lower)) - {".mirror"}


def held_beneath(lower: Path) -> list[str]:
    """What this process has open there that has no name any more, or none yet."""
    targets = []
    for fd in os.listdir("/proc/self/fd"):
        try:
            targets.append(os.readlink(f"/proc/self/fd/{fd}"))
        except FileNotFoundError:
            continue
    return [path for path in targets if path.startswith(f"{lower}/") and "(deleted)" in path]


@contextmanager
def link_cut_in_the_middle(nodes: Nodes) -> Iterator[None]:
    """Of a link of a file without a name, which waits until the source goes on."""
    with nameless(nodes, PIECES) as fd:
        namer = threading.Thread(target=give_name, args=(fd, nodes.mount / "named"))
        before = nodes.target.apply_operations()
        namer.start()
        while nodes.target.apply_operations() < before + SENT_BEFORE:
            assert namer.is_alive()
        nodes.cut()
        assert nodes.await_loss()
        nodes.forget_losses()
        nodes.end_session()
        assert nodes.target.apply_operations() < before + PIECES
        assert namer.is_alive()
        yield
        namer.join(AWAIT_MS / 1000)
        assert not namer.is_alive()


def test_a_link_cut_in_the_middle_leaves_no_name_and_no_content(nodes: Nodes) -> None:
    with link_cut_in_the_middle(nodes):
        assert names_on(nodes.right) == set()
        assert held_beneath(nodes.right) == []
        nodes.target.index_absorb()
        nodes.source.go_alone()
    assert names_on(nodes.left) == {"named"}
    nodes.reintegrate()
    assert (nodes.right / "named").stat().st_size == (PIECES - 1) * STEP + PIECE
    assert nodes.differences() == []


def test_a_target_that_has_no_room_for_it_has_nothing_of_it(tmp_path: Path) -> None:
    lower = tmp_path / "n2" / "lower"
    with small_disk(lower, 32 << 20), two_nodes(tmp_path) as nodes:
        (lower / "lost+found").rmdir()
        nodes.reintegrate(full=True)
        free = os.statvfs(lower).f_bavail
        with nameless(nodes, PIECES) as fd:
            namer = threading.Thread(target=give_name, args=(fd, nodes.mount / "named"))
            namer.start()
            assert f" -{errno.ENOSPC} " in nodes.await_loss()[0]
            nodes.forget_losses()
            nodes.end_session()
            assert names_on(lower) == set()
            assert os.statvfs(lower).f_bavail == free
            nodes.source.go_alone()
            namer.join(AWAIT_MS / 1000)
            assert not namer.is_alive()


def test_a_file_gets_its_first_name_while_the_target_joins(
    nodes: Nodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    nodes.part()
    (nodes.mount / "changed").write_bytes(b"alone")
    checkpoint = DataPhase.checkpoint
    named: list[str] = []

    def named_before(self: DataPhase) -> None:
        if not named:
            named.append("named")
            with nameless(nodes, 3) as fd:
                give_name(fd, nodes.mount / "named")
            assert names_on(nodes.right) == {"changed", "named"}
        checkpoint(self)

    monkeypatch.setattr(DataPhase, "checkpoint", named_before)
    nodes.reintegrate()
    assert named
    assert nodes.differences() == []

"""Small files of a reintegration, several in one exchange: each arrives, whatever became of it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from mirror.adapters.native import Connection, Plane, bulk
from mirror.adapters.native.bulk import SMALL_BYTES_MAX, Small, SmallOutcome
from mirror.adapters.native.values import Copied
from tests.mount.reintegrating import Nodes, two_nodes

pytestmark = pytest.mark.mount

BLOCK = 4096
SIZE = 15 * BLOCK
FILES = 40


@pytest.fixture
def nodes(tmp_path: Path) -> Iterator[Nodes]:
    """Both hold FILES files of SIZE bytes; the target has gone away since."""
    with two_nodes(tmp_path) as both:
        for number in range(FILES):
            (both.mount / str(number)).write_bytes(os.urandom(SIZE))
        both.reintegrate(full=True)
        both.part()
        yield both


@pytest.fixture
def one_by_one(nodes: Nodes, monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The handles of files that were copied by themselves."""
    handles: list[bytes] = []
    set_size = nodes.source.copy_size

    def seen(root: int, handle: bytes, identity: bytes, connection: Connection) -> None:
        handles.append(handle)
        set_size(root, handle, identity, connection)

    monkeypatch.setattr(nodes.source, "copy_size", seen)
    return handles


def before_each(monkeypatch: pytest.MonkeyPatch, act: Callable[[], object]) -> list[SmallOutcome]:
    """Have something done before each exchange. Returns: what became of the files, as it comes."""
    outcomes: list[SmallOutcome] = []
    copy = bulk.copy_small

    def perform(
        plane: Plane,
        root: int,
        connection: Connection,
        files: Sequence[tuple[bytes, bytes, Small]],
    ) -> tuple[list[SmallOutcome], Copied]:
        act()
        answer = copy(plane, root, connection, files)
        outcomes.extend(answer[0])
        return answer

    monkeypatch.setattr(bulk, "copy_small", perform)
    return outcomes


def assert_equal(nodes: Nodes) -> None:
    assert [str(each) for each in nodes.differences()] == []
    assert nodes.source.index_count() == 0


def rewrite(path: Path, offset: int, data: bytes) -> None:
    fd = os.open(path, os.O_WRONLY)
    os.pwrite(fd, data, offset)
    os.close(fd)


def test_only_their_blocks_travel(nodes: Nodes, one_by_one: list[bytes]) -> None:
    for number in range(FILES):
        rewrite(nodes.mount / str(number), 7 * BLOCK + 5, b"x")
    outcome = nodes.reintegrate()
    assert_equal(nodes)
    assert outcome.bytes_copied == FILES * BLOCK
    assert outcome.bytes_compared == FILES * SIZE
    assert one_by_one == []


def test_whatever_became_of_them(nodes: Nodes) -> None:
    """Longer, shorter, empty, as before, with holes, too long, not a small file any more."""
    top = nodes.mount
    rewrite(top / "0", SIZE, b"longer")
    os.truncate(top / "1", 5)
    os.truncate(top / "2", 0)
    (top / "3").write_bytes((nodes.left / "3").read_bytes())
    os.truncate(top / "4", SMALL_BYTES_MAX)
    os.truncate(top / "5", SMALL_BYTES_MAX + 1)
    (top / "6").write_bytes(os.urandom(200_000))
    (top / "7").unlink()
    (top / "7").symlink_to("nowhere")
    (top / "8").unlink()
    fd = os.open(top / "9", os.O_WRONLY)
    subprocess.run(
        ["fallocate", "--punch-hole", "-o", "8192", "-l", "8192", top / "9"], check=True
    )
    os.close(fd)
    os.truncate(top / "10", 0)
    os.truncate(top / "10", SIZE)  # reads as zeros
    nodes.reintegrate()
    assert_equal(nodes)
    assert (nodes.right / "1").stat().st_size == 5


def test_of_attributes_alone_no_byte_is_compared(nodes: Nodes, one_by_one: list[bytes]) -> None:
    (nodes.mount / "large").write_bytes(os.urandom(1 << 20))
    nodes.reintegrate()
    nodes.part()
    one_by_one.clear()
    for name in ("large", *map(str, range(FILES))):
        (nodes.mount / name).chmod(0o711)
    outcome = nodes.reintegrate()
    assert_equal(nodes)
    assert outcome.bytes_compared == outcome.bytes_copied == 0
    assert one_by_one == []


def test_one_that_has_gone_meanwhile(nodes: Nodes, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(FILES):
        rewrite(nodes.mount / str(number), 0, b"x")
    outcomes = before_each(monkeypatch, lambda: (nodes.mount / "5").unlink(missing_ok=True))
    nodes.reintegrate()
    assert_equal(nodes)
    assert outcomes.count(SmallOutcome.GONE) == 1


def test_one_that_has_grown_meanwhile(nodes: Nodes, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(FILES):
        rewrite(nodes.mount / str(number), 0, b"x")
    large = os.urandom(300_000)
    outcomes = before_each(monkeypatch, lambda: (nodes.mount / "5").write_bytes(large))
    nodes.reintegrate()
    assert_equal(nodes)
    assert outcomes.count(SmallOutcome.LEFT) == 1
    assert (nodes.right / "5").read_bytes() == large


@pytest.mark.parametrize("flag", ["+i", "+a"])
def test_a_flag_at_the_target(nodes: Nodes, monkeypatch: pytest.MonkeyPatch, flag: str) -> None:
    """It forbids what is sent: the file is copied all the same."""
    for number in range(FILES):
        os.truncate(nodes.mount / str(number), SIZE - 1)
        rewrite(nodes.mount / str(number), 0, b"x")
    right = str(nodes.right / "5")

    def forbid() -> None:
        subprocess.run(["chattr", flag, right], check=True)

    before_each(monkeypatch, forbid)
    nodes.reintegrate()
    assert_equal(nodes)

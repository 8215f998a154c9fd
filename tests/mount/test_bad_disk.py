"""A full or broken disk of the primary: the application gets the errno that a local disk gives it.

What the secondary has done before is undone there, or the primary gives up serving.
"""

from __future__ import annotations

import errno
import os
import random
import select
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from mirror.adapters.compare import compare_trees
from mirror.adapters.native import PlaneEvent
from tests.mount.pair import Pair, open_pair
from tests.mount.small_disk import break_down, fill, small_disk

pytestmark = pytest.mark.mount

LINK_LOST, LOCAL_FAULT = 1, 2
DISK_BYTES = 24 << 20


class Watched:
    """A pair and its events. When it parts it goes on alone: nothing in this process hangs."""

    def __init__(self, pair: Pair) -> None:
        self.pair, self.mount, self.left, self.right = pair, pair.mount, pair.left, pair.right
        self.events: list[PlaneEvent] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()

    def _watch(self) -> None:
        while not self._over.is_set():
            select.select([self.pair.primary.event_fd()], [], [], 0.1)
            while (event := self.pair.primary.event_take()) is not None:
                self.events.append(event)
                if event.kind == LINK_LOST:
                    self.pair.go_alone()

    def end(self) -> None:
        """Every event has been taken."""
        self._over.set()
        self._thread.join()
        while (event := self.pair.primary.event_take()) is not None:
            self.events.append(event)

    def assert_in_step(self) -> None:
        self.pair.primary.checkpoint()
        assert self.events == []
        assert self.pair.primary.mirrored()
        assert compare_trees(self.left, self.right) == []


@contextmanager
def pair_on_small_disk(directory: Path, **disk: Any) -> Iterator[Watched]:
    lower = directory / "n1" / "lower"
    with small_disk(lower, DISK_BYTES, **disk):
        (lower / "lost+found").rmdir()
        with open_pair(directory) as pair:
            pair.primary.checkpoint()  # its mark has its block now
            watched = Watched(pair)
            try:
                yield watched
            finally:
                watched.end()


def error_of(function: Callable[..., Any], *arguments: Any) -> str:
    """The name of the errno; "" when there is none."""
    try:
        function(*arguments)
    except OSError as error:
        return errno.errorcode[error.errno or 0]
    return ""


def error_of_many(function: Callable[[int], Any], count: int) -> str:
    """The first errno of so many calls."""
    return next(filter(None, (error_of(function, number) for number in range(count))), "")


def write_through(fd: int, content: bytes, at: int) -> None:
    """As programs do: what a short write left is written by another one."""
    while content:
        written = os.pwrite(fd, content, at)
        content, at = content[written:], at + written


def change_data(top: Path) -> dict[str, str]:
    """Changes of content that need room, on files that are there; the errno of each."""
    with (top / "file").open("r+b", buffering=0) as file:
        fd = file.fileno()
        whole = bytes(300_000)
        found = {
            "behind the end": error_of(lambda: file.write(os.pwrite(fd, whole, 50_000) * b"")),
            "far behind": error_of(os.pwrite, fd, b"x" * 8192, 5_000_000),
            "across the end": error_of(write_through, fd, whole, 9_000),
            "in a hole": error_of(os.pwrite, fd, b"y" * 8192, 1_000_000),
            "fallocate": error_of(os.posix_fallocate, fd, 0, 9_000_000),
            "in place": error_of(os.pwrite, fd, b"z" * 5000, 2_000),
            "cut": error_of(os.ftruncate, fd, 3_000_000),
        }
        with (top / "source").open("rb") as source:
            found["copy"] = error_of_many(
                lambda _: os.copy_file_range(source.fileno(), fd, 200_000, 0, 2_000_000), 3
            )
    return found


def change_names(top: Path) -> dict[str, str]:
    """Changes that need a block for names or attributes."""
    long_name = "n" * 240
    return {
        "mkdir": error_of(os.mkdir, top / "new"),
        "symlink": error_of(os.symlink, "t" * 1000, top / "symbolic"),
        "create": error_of_many(lambda n: (top / f"{long_name}{n}").touch(), 40),
        "link": error_of_many(lambda n: os.link(top / "file", top / f"{long_name}-{n}"), 40),
        "rename": error_of_many(lambda n: os.rename(top / f"d/{n}", top / f"{long_name}+{n}"), 20),
        "xattr": error_of(os.setxattr, top / "file", "user.large", b"v" * 900),
    }


def prepare(top: Path) -> None:
    (top / "d").mkdir()
    for number in range(20):
        (top / "d" / str(number)).touch()
    (top / "file").write_bytes(b"f" * 10_000)
    os.truncate(top / "file", 4_000_000)
    (top / "source").write_bytes(os.urandom(200_000))


@pytest.mark.parametrize("block_bytes", [1024, 4096])
def test_a_full_disk_is_an_errno_and_both_stay_in_step(tmp_path: Path, block_bytes: int) -> None:
    with pair_on_small_disk(tmp_path, block_bytes=block_bytes) as pair:
        prepare(pair.mount)
        filler = fill(pair.left)
        names = change_names(pair.mount)
        data = change_data(pair.mount)
        works = {"in place": "", "cut": ""}
        assert data == {**dict.fromkeys(data, "ENOSPC"), **works}
        assert names == dict.fromkeys(names, "ENOSPC")
        filler.unlink()
        pair.assert_in_step()
        (pair.mount / "after").write_bytes(b"room again")
        pair.assert_in_step()


def test_writers_of_one_file_keep_what_they_were_told_on_a_full_disk(tmp_path: Path) -> None:
    """What one could not write is taken back, and nothing of what its neighbours wrote."""
    piece, count, writers = 60_000, 60, 4
    told: dict[int, bytes] = {}

    def write(fd: int, seed: int) -> None:
        chance = random.Random(seed)
        for number in range(seed, count * writers, writers):
            content = chance.randbytes(piece)
            with suppress(OSError):
                told[number] = content[: os.pwrite(fd, content, number * piece)]

    with pair_on_small_disk(tmp_path) as pair:
        filler = fill(pair.left)
        os.truncate(filler, filler.stat().st_size - count * piece)
        fd = os.open(pair.mount / "file", os.O_CREAT | os.O_WRONLY)
        threads = [threading.Thread(target=write, args=(fd, at)) for at in range(writers)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        os.close(fd)
        assert len(told) < count * writers
        with (pair.right / "file").open("rb") as there:
            for number, content in told.items():
                assert os.pread(there.fileno(), len(content), number * piece) == content, number
        pair.assert_in_step()


def test_a_broken_disk_of_the_primary_gives_up_serving(tmp_path: Path) -> None:
    """It turns read-only, as ext4 does after an error. What was acknowledged is on the other."""
    with pair_on_small_disk(
        tmp_path, features="has_journal", options=["errors=remount-ro"]
    ) as pair:
        (pair.mount / "file").write_bytes(b"acknowledged")
        break_down(pair.left)
        assert error_of((pair.mount / "file").write_bytes, b"refused!") == "EROFS"
        assert error_of((pair.mount / "new").touch) == "EROFS"
        assert error_of((pair.mount / "file").unlink) == "EROFS"
        assert (pair.mount / "file").read_bytes() == b"acknowledged"
        pair.end()
        assert {(event.kind, event.error) for event in pair.events} == {
            (LOCAL_FAULT, -errno.EROFS)
        }
        assert "disk refused" in pair.events[0].detail
        assert pair.pair.primary.mirrored()  # the secondary is told by the control plane

"""Whether a name is replicated is true when it is made, although a directory above it moves."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from mirror.adapters.compare import compare_trees
from mirror.adapters.compare.excluded import local_by
from tests.mount.pair import AWAIT_MS, open_pair
from tests.mount.small_disk import small_disk, standing_still

pytestmark = pytest.mark.mount

RULES = (("regex", r"^spool/deep/.*\.idx$"),)
Act = Callable[[Path, Path], None]


def begin(
    act: Callable[[], None], count: Callable[[], int]
) -> tuple[threading.Thread, list[OSError]]:
    """Begin a change in a thread. Returns when it has been counted, or ended."""
    errors: list[OSError] = []

    def run() -> None:
        try:
            act()
        except OSError as error:
            errors.append(error)

    before = count()
    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    deadline = time.monotonic() + AWAIT_MS / 1000
    while thread.is_alive() and count() == before:
        assert time.monotonic() < deadline, "the change did not begin"
        time.sleep(0.002)
    return thread, errors


def make(_known: Path, name: Path) -> None:
    name.write_text("made")


def make_directory(_known: Path, name: Path) -> None:
    name.mkdir()


def make_symlink(_known: Path, name: Path) -> None:
    name.symlink_to("anywhere")


def link_nameless(_known: Path, name: Path) -> None:
    fd = os.open(name.parent, os.O_TMPFILE | os.O_RDWR)
    into = os.open(name.parent, os.O_RDONLY)
    try:
        os.write(fd, b"nameless")
        os.link(f"/proc/self/fd/{fd}", name.name, dst_dir_fd=into, follow_symlinks=True)
    finally:
        os.close(into)
        os.close(fd)


@pytest.mark.parametrize(
    "act", [make, make_directory, make_symlink, link_nameless, os.link, os.rename]
)
@pytest.mark.parametrize(("before", "after"), [("spool", "other"), ("other", "spool")])
def test_a_name_made_while_a_directory_above_it_moves(
    tmp_path: Path, act: Act, before: str, after: str
) -> None:
    with small_disk(tmp_path / "n2", 256 << 20), open_pair(tmp_path, rules=RULES) as pair:
        top = pair.mount
        (top / before / "deep").mkdir(parents=True)
        (top / "from").mkdir()
        known = top / "from" / "known"
        known.write_text("known")
        os.listdir(top / before / "deep")
        with standing_still(tmp_path / "n2"):
            # The secondary is at it, not only the gate passed, after which the other one might
            # overtake it: here the directory still has its old name.
            mover, moved = begin(
                lambda: os.rename(top / before, top / after), pair.secondary.apply_operations
            )
            maker, made = begin(
                lambda: act(known, top / before / "deep" / "a.idx"),
                lambda: pair.primary.counters().changes,
            )
        for thread in (mover, maker):
            thread.join(AWAIT_MS / 1000)
            assert not thread.is_alive()
        assert moved == []
        here, there = (
            os.path.lexists(lower / after / "deep" / "a.idx") for lower in (pair.left, pair.right)
        )
        assert there == (after == "other" and made == [])
        assert here == (made == [])
        pair.primary.checkpoint()
        assert compare_trees(pair.left, pair.right, local_by(RULES)) == []
        assert pair.primary.mirrored(), "the pair was parted"

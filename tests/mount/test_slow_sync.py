"""A disk of the primary that takes long to sync: nobody but the caller waits for it."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mirror.adapters.lab.bad_disk import FILE_NAME
from mirror.adapters.lab.image import make_image
from mirror.adapters.native import unmount
from tests.mount.pair import AWAIT_MS, open_pair
from tests.mount.small_disk import mounted_image

pytestmark = pytest.mark.mount

DISK_BYTES = 32 << 20


@contextmanager
def hanging_disk(directory: Path) -> Iterator[Callable[[str], None]]:
    """A file system over the directory; yields what tells its disk how to be (bad_disk.py)."""
    served = directory.parent / "served"
    served.mkdir(parents=True)
    image = directory.with_suffix(".img")
    make_image(image, "ext4", DISK_BYTES)
    command = [sys.executable, "-m", "mirror.adapters.lab.bad_disk"]
    with subprocess.Popen(
        [*command, str(image), str(served), str(os.getpid())],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        bufsize=1,
    ) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        tell, answers = server.stdin, server.stdout
        assert answers.readline() == "mounted\n"

        def say(word: str) -> None:
            tell.write(f"{word}\n")
            assert answers.readline() == "done\n"

        try:
            with mounted_image(served / FILE_NAME, directory):
                try:
                    yield say
                finally:
                    say("heal")
        finally:
            unmount(str(served), lazy=True)


@pytest.mark.parametrize(
    ("sync_both", "alone"),
    [(False, False), (True, True), (True, False)],
    ids=["second", "none, alone", "none"],
)
def test_a_freeze_does_not_wait_for_a_sync_and_its_success_waits_for_the_gate(
    tmp_path: Path, *, sync_both: bool, alone: bool
) -> None:
    """sync_both: async="none", which means the disk of this node when it is alone."""
    lower = tmp_path / "n1" / "lower"
    with hanging_disk(lower) as say:
        (lower / "lost+found").rmdir()
        with open_pair(tmp_path, sync_both=sync_both) as pair:
            if alone:
                pair.go_alone()
            fd = os.open(pair.mount / "file", os.O_CREAT | os.O_RDWR)
            os.write(fd, b"first")
            os.fsync(fd)
            os.pwrite(fd, b"again", 0)
            say("hang")
            before = pair.primary.counters().changes
            done = threading.Event()

            def sync() -> None:
                os.fsync(fd)
                done.set()

            syncing = threading.Thread(target=sync)
            syncing.start()
            try:
                while pair.primary.counters().changes == before:
                    pass
                pair.primary.freeze(20_000)
            finally:
                say("heal")
            while pair.primary.counters().parked == 0:
                assert not done.is_set()
            pair.primary.open_gate()
            syncing.join(AWAIT_MS / 1000)
            assert done.is_set()
            os.close(fd)

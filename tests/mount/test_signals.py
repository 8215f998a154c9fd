"""A change that waits is as one on a local disk: it ends with its process, by no other signal."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.mount.pair import AWAIT_MS, Pair, open_pair

pytestmark = pytest.mark.mount

AWAIT_S_MAX = AWAIT_MS / 1000
CONTENT = b"x" * 9000
# libc's write itself: Python would begin again after EINTR. The handler has no SA_RESTART.
WRITER = f"""
import ctypes, os, signal, sys
signal.signal(signal.SIGUSR1, lambda *_: None)
libc = ctypes.CDLL(None, use_errno=True)
fd = os.open(sys.argv[1], os.O_WRONLY)
written = libc.write(fd, {CONTENT!r}, {len(CONTENT)})
print(written, ctypes.get_errno())
"""

THREADED = """
import os, sys, threading, time
fd = os.open(sys.argv[1], os.O_WRONLY)
threading.Thread(target=os.write, args=(fd, b"x")).start()
time.sleep(600)
"""


def await_true(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + AWAIT_S_MAX
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.01)


@pytest.fixture
def frozen(tmp_path: Path) -> Iterator[Pair]:
    with open_pair(tmp_path) as pair:
        (pair.mount / "file").touch()
        pair.primary.freeze(AWAIT_MS)
        yield pair


@contextmanager
def waiting_writer(pair: Pair, program: str = WRITER) -> Iterator[subprocess.Popen[str]]:
    """A process whose write is parked."""
    command = [sys.executable, "-c", program, str(pair.mount / "file")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
        try:
            await_true(lambda: pair.primary.counters().parked == 1, "no write waits")
            yield writer
        finally:
            pair.primary.open_gate()  # else the write may never end


def signal_and_await(pair: Pair, writer: subprocess.Popen[str]) -> None:
    """The kernel tells the capture of the first signal of a mount; and of no other one."""
    before = pair.primary.counters().requests
    writer.send_signal(signal.SIGUSR1)
    await_true(lambda: pair.primary.counters().requests > before, "no FUSE_INTERRUPT")


def test_a_signal_does_not_end_a_write_that_waits(frozen: Pair) -> None:
    with waiting_writer(frozen) as writer:
        signal_and_await(frozen, writer)
        assert frozen.primary.counters().parked == 1
        frozen.primary.open_gate()
        said, _ = writer.communicate(timeout=AWAIT_S_MAX)
    assert said.split() == [str(len(CONTENT)), "0"]
    assert (frozen.left / "file").read_bytes() == CONTENT
    assert (frozen.right / "file").read_bytes() == CONTENT


@pytest.mark.parametrize("signalled", [False, True], ids=["at_once", "after_a_signal"])
def test_a_killed_process_does_not_wait(frozen: Pair, signalled: bool) -> None:
    with waiting_writer(frozen) as writer:
        if signalled:
            signal_and_await(frozen, writer)
        writer.kill()
        assert writer.wait(AWAIT_S_MAX) == -signal.SIGKILL
        await_true(lambda: frozen.primary.counters().parked == 0, "its write waits still")
    assert (frozen.left / "file").stat().st_size == 0
    assert (frozen.right / "file").stat().st_size == 0


def test_a_thread_that_waits_ends_with_its_process(frozen: Pair) -> None:
    """Not the leader of its process, and ended by a signal with its default action."""
    with waiting_writer(frozen, THREADED) as writer:
        writer.terminate()
        assert writer.wait(AWAIT_S_MAX) == -signal.SIGTERM
        await_true(lambda: frozen.primary.counters().parked == 0, "its write waits still")
    assert (frozen.right / "file").stat().st_size == 0

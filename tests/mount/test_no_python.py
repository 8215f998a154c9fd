"""No Python runs on the path of an operation: they go on while the interpreter lock is held."""

from __future__ import annotations

import ctypes
import subprocess
import sys
from pathlib import Path

import pytest

from tests.mount.pair import AWAIT_MS, open_pair

pytestmark = pytest.mark.mount

# Writes, renames, lists and syncs; says so in a file outside the mount.
APPLICATION = """
import os, sys
top, done = sys.argv[1:]
for turn in range(200):
    with open(f"{top}/file", "wb") as file:
        file.write(b"x" * 10_000)
        os.fsync(file.fileno())
    os.rename(f"{top}/file", f"{top}/file-{turn % 3}")
    os.listdir(top)
open(done, "w").close()
"""
HELD_MS = AWAIT_MS  # at most: one that waits for Python does not end meanwhile, however long


def test_operations_go_on_while_the_interpreter_is_held(tmp_path: Path) -> None:
    done = tmp_path / "done"
    with open_pair(tmp_path / "pair", sync_both=True) as pair:
        command = [sys.executable, "-c", APPLICATION, str(pair.mount), str(done)]
        with subprocess.Popen(command) as application:
            # PyDLL keeps the interpreter lock: no Python can run in this process meanwhile.
            watch = ctypes.PyDLL(None)
            for _ in range(HELD_MS):
                watch.usleep(1000)
                if watch.access(bytes(done), 0) == 0:
                    break
            assert done.exists(), "the application waited for Python"
            assert application.wait(AWAIT_MS / 1000) == 0

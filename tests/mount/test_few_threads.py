"""A mount comes up with the threads that the system gives (a limit of tasks, no memory)."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.mount import few_threads

pytestmark = pytest.mark.mount

ROOT = Path(__file__).parents[2]


def test_a_mount_with_fewer_workers_than_asked_for(tmp_path: Path) -> None:
    program = [sys.executable, "-m", few_threads.__name__, str(tmp_path)]
    done = subprocess.run(
        ["prlimit", f"--stack={few_threads.STACK_BYTES}", *program],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "1 ['file']\n"), done.stderr

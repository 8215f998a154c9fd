"""Writes while every processor is wanted by other tasks, as on a host whose application computes.

Each such task is a session of its own, which never sleeps. What a write takes then is how soon the
threads of both nodes get their turns (native/util/prompt.h).
"""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.row import Figures, Row
from bench.turns import on_each

TASKS_A_PROCESSOR = 6


@contextmanager
def _busy() -> Iterator[None]:
    count = TASKS_A_PROCESSOR * (os.cpu_count() or 1)
    task = [sys.executable, "-c", "while True: pass"]
    tasks = [subprocess.Popen(task, start_new_session=True) for _ in range(count)]
    try:
        yield
    finally:
        for each in tasks:
            os.killpg(each.pid, signal.SIGKILL)
            each.wait()


def beside_busy_tasks(
    at: dict[str, Path], rounds: int, write: Callable[[Path], Figures]
) -> list[Row]:
    """Write on each of these."""
    with _busy():
        seen = on_each(at, rounds, write)
    local = seen["local"]["mean_us"]
    return [
        Row("k", f"write 4 KiB, busy: {name}", each, each["mean_us"] / local, "local")
        for name, each in seen.items()
    ]

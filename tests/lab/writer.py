"""An application of the tests: appends numbers to a file, says each one after it was written.

What it has said is known outside of its host, whatever becomes of that host: every number said
must be in the file for ever (barrier="write": a completed write is on both nodes).
"""

import itertools
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from mirror.adapters.lab.client import Lab

END_S = 60.0

_PROGRAM = """
import os, sys, time
fd = os.open(sys.argv[1], os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_TRUNC, 0o644)
number = 0
while True:
    try:
        os.write(fd, b"%d\\n" % number)
    except OSError as error:
        print("error", error.errno, flush=True)
        sys.exit(0)
    print(number, flush=True)
    number += 1
    time.sleep(0.01)
"""


@dataclass
class Writer:
    """said: numbers whose write returned, with the moment; error: the errno that ended it."""

    process: "subprocess.Popen[str]"
    said: list[tuple[int, float]] = field(default_factory=list)
    error: int = 0
    changed: threading.Condition = field(default_factory=threading.Condition)

    def __post_init__(self) -> None:
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with self.changed:
                if line.startswith("error"):
                    self.error = int(line.split()[1])
                elif line.endswith("\n"):
                    self.said.append((int(line), time.monotonic()))
                self.changed.notify_all()

    def await_more(self, count: int, timeout_s: float = 60.0) -> None:
        with self.changed:
            goal = len(self.said) + count
            assert self.changed.wait_for(lambda: len(self.said) >= goal, timeout_s), (
                f"{len(self.said)} of {goal} writes, error {self.error}"
            )

    def await_error(self, timeout_s: float = 60.0) -> None:
        with self.changed:
            assert self.changed.wait_for(lambda: self.error, timeout_s), "every write succeeds"

    def longest_gap_s(self) -> float:
        moments = [moment for _, moment in self.said]
        return max(
            (later - before for before, later in itertools.pairwise(moments)),
            default=0.0,
        )

    def stop(self) -> list[int]:
        """End it; everything that it said. It said it all before this began, or never will."""
        # The program is a grandchild, in another process namespace but in the same group.
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self._reader.join(END_S)  # a write that hangs keeps it, when a test has failed
        return [number for number, _ in self.said]


@contextmanager
def writing(lab: Lab, host: str, path: str) -> Iterator[Writer]:
    """Run a writer in a host; it is ended at the end."""
    command = [sys.executable, "-c", _PROGRAM, path]
    process = lab.popen(host, command, stdout=subprocess.PIPE, text=True)
    writer = Writer(process)
    try:
        writer.await_more(20)
        yield writer
    finally:
        writer.stop()
        assert process.stdout is not None
        process.stdout.close()

"""Real applications while the server that runs them dies: what they committed is on the other."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

import pytest

from mirror.adapters.lab import plan
from mirror.adapters.lab.client import Lab
from tests.lab.applications import NAMES, SQLITE_MODES
from tests.lab.looking import (
    RETURN_S,
    SHIPPED,
    TAKEOVER_S,
    assert_equal,
    await_states,
    opened,
    serve_at,
)

pytestmark = [pytest.mark.lab, pytest.mark.slow]

COMMITTED_MIN = 12  # of each application, before the server dies; a gc of git among them
PATIENCE_S = 120.0
SOURCE = Path(__file__).parents[2]


def command(verb: str, name: str) -> list[str]:
    directory = f"{plan.REPLICATED_DIRECTORY}/{name}"
    program = [sys.executable, "-m", "tests.lab.applications", verb, name, directory]
    return ["env", f"PYTHONPATH={SOURCE}", *program]


class Application:
    """One that runs on a host. said: what it committed, line by line."""

    def __init__(self, lab: Lab, host: str, name: str) -> None:
        self.name = name
        self.said: list[str] = []
        self.changed = threading.Condition()
        self._process = lab.popen(host, command("write", name), stdout=subprocess.PIPE, text=True)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            with self.changed:
                self.said += [line.rstrip("\n")] if line.endswith("\n") else []
                self.changed.notify_all()

    def await_committed(self, count: int) -> None:
        with self.changed:
            reached = self.changed.wait_for(lambda: len(self.said) >= count, PATIENCE_S)
        assert reached, f"{self.name}: {len(self.said)} of {count}"

    def end(self) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._reader.join()
        assert self._process.stdout is not None
        self._process.stdout.close()


def open_pair(run_name: str, _directory: Path) -> AbstractContextManager[Lab]:
    return opened(f"{run_name}-applications", SHIPPED)


@contextmanager
def running(lab: Lab, host: str, names: Sequence[str] = NAMES) -> Iterator[list[Application]]:
    applications = [Application(lab, host, name) for name in names]
    try:
        for application in applications:
            application.await_committed(COMMITTED_MIN)
        yield applications
    finally:
        for application in applications:
            application.end()


def check(lab: Lab, host: str, applications: list[Application]) -> None:
    for each in applications:
        told = "".join(f"{line}\n" for line in each.said)
        lab.exec(host, command("check", each.name), stdin=told, timeout_s=PATIENCE_S)


def test_what_applications_committed_survives_power_and_process(pair: Lab) -> None:
    with running(pair, "n1") as first:
        pair.power_off("n1")
        await_states(pair, TAKEOVER_S, n2="ALONE")
    check(pair, "n2", first)
    pair.boot("n1")
    await_states(pair, RETURN_S, n2="PRIM", n1="SECOND")
    with running(pair, "n2") as second:
        pair.kill("n2", "data")
        await_states(pair, RETURN_S, n1="PRIM", n2="SECOND")
    check(pair, "n1", second)
    assert_equal(pair)


def test_what_was_synced_survives_the_loss_of_both(pair: Lab) -> None:
    """Two failures: a transaction that was committed was synced to the primary's disk."""
    serve_at(pair, "n1")
    with running(pair, "n1", SQLITE_MODES) as applications:
        # In this order: n2, did it live on for long enough, would rightly serve.
        pair.power_off("n2")
        pair.power_off("n1")
    for host in plan.NODES:
        pair.boot(host)
    await_states(pair, RETURN_S, n1="PRIM", n2="SECOND")
    check(pair, "n1", applications)
    assert_equal(pair)

"""The guardian with real control planes, on a node that is in no cluster yet."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import pytest

from mirror.adapters.local_client import LocalClient
from mirror.config.layout import Layout
from mirror.errors import MirrorError

T = TypeVar("T")

# A start imports everything, on a machine that may be busy.
PATIENCE_S = 180.0


@pytest.fixture
def node(tmp_path: Path) -> Iterator[tuple["subprocess.Popen[bytes]", Layout]]:
    layout = Layout(tmp_path / "safe", tmp_path / "var")
    environment = os.environ | {"SAFE": str(layout.safe), "SAFEVAR": str(layout.safevar)}
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "mirror.daemon.guardian"], env=environment, stderr=log
        )
    try:
        yield process, layout
    finally:
        process.kill()
        process.wait()


def control_pid(layout: Layout) -> int:
    with suppress(MirrorError), LocalClient(layout.control_socket, timeout_s=1) as client:
        return int(client.call("part_pids")["control"])
    return 0


def children(guardian: int) -> list[int]:
    text = Path(f"/proc/{guardian}/task/{guardian}/children").read_text()
    return [int(child) for child in text.split()]


def name_of(process: int) -> str:
    with suppress(OSError):
        return Path(f"/proc/{process}/comm").read_text().strip()
    return ""


def spares(guardian: int) -> list[int]:
    """Those that have imported everything."""
    return [child for child in children(guardian) if name_of(child) == "mirror-spare"]


def stopped_while_it_loads(guardian: int) -> int:
    """Number of a spare that is stopped before it has imported everything; 0: none is yet."""
    for child in children(guardian):
        with suppress(OSError):
            if b"mirror.daemon.control_plane" not in Path(f"/proc/{child}/cmdline").read_bytes():
                continue
            if name_of(child).startswith("mirror-"):
                continue
            os.kill(child, signal.SIGSTOP)
            eventually(lambda: "State:\tT" in Path(f"/proc/{child}/status").read_text())  # noqa: B023 - called at once
            if name_of(child) != "mirror-spare":
                return child
            os.kill(child, signal.SIGKILL)  # too late: another one follows
    return 0


def eventually(what: Callable[[], T], patience_s: float = PATIENCE_S) -> T:
    deadline = time.monotonic() + patience_s
    while not (found := what()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return found


def control_of(layout: Layout) -> int:
    """The control plane; it may be too busy to answer for a moment."""
    return eventually(lambda: control_pid(layout))


def test_a_control_plane_that_died_is_replaced_by_the_spare(
    node: tuple["subprocess.Popen[bytes]", Layout],
) -> None:
    process, layout = node
    control_of(layout)
    ready = eventually(lambda: spares(process.pid))
    os.kill(control_of(layout), signal.SIGKILL)
    eventually(lambda: control_pid(layout) in ready)


def test_a_spare_that_waits_goes_before_one_that_still_loads(
    node: tuple["subprocess.Popen[bytes]", Layout],
) -> None:
    process, layout = node
    control_of(layout)
    loading = eventually(lambda: stopped_while_it_loads(process.pid))
    try:
        ready = eventually(lambda: spares(process.pid))
        assert loading not in ready
        os.kill(control_of(layout), signal.SIGKILL)
        eventually(lambda: control_pid(layout) in ready)
    finally:
        with suppress(ProcessLookupError):
            os.kill(loading, signal.SIGKILL)


def test_a_control_plane_that_stands_still_is_replaced(
    node: tuple["subprocess.Popen[bytes]", Layout],
) -> None:
    process, layout = node
    control_of(layout)
    eventually(lambda: spares(process.pid))  # one that still loads has longer
    stopped = control_of(layout)
    os.kill(stopped, signal.SIGSTOP)
    eventually(lambda: control_pid(layout) not in {0, stopped})
    assert not Path(f"/proc/{stopped}").exists()


def test_it_ends_with_everything(node: tuple["subprocess.Popen[bytes]", Layout]) -> None:
    process, layout = node
    control = control_of(layout)
    process.terminate()
    assert process.wait(PATIENCE_S) == 0
    assert not Path(f"/proc/{control}").exists()


def test_a_control_plane_does_not_outlive_its_guardian(
    node: tuple["subprocess.Popen[bytes]", Layout],
) -> None:
    process, layout = node
    control = control_of(layout)
    process.kill()
    process.wait()
    eventually(lambda: not Path(f"/proc/{control}").exists())


@pytest.fixture
def no_console(tmp_path: Path) -> None:
    """A console that starts finds no place for what it remembers, and ends."""
    (tmp_path / "var").mkdir()
    (tmp_path / "var" / "console").write_text("no directory")


def test_a_console_that_keeps_ending_is_waited_for_longer_and_disturbs_nothing(
    no_console: None, node: tuple["subprocess.Popen[bytes]", Layout]
) -> None:
    _, layout = node
    control, log = control_of(layout), layout.safevar.parent / "log"
    two_starts_s = 2 * PATIENCE_S
    eventually(lambda: '"again_ms": 4000' in log.read_text(), two_starts_s)
    assert '"again_ms": 2000' in log.read_text()
    assert control_of(layout) == control

"""The guardian with real control planes, on a node that is in no cluster yet."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from mirror.adapters.local_client import LocalClient
from mirror.config.layout import Layout
from mirror.errors import MirrorError

# A start imports everything, on a machine that may be busy.
PATIENCE_S = 90.0


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


def spares(guardian: int) -> list[int]:
    found = []
    for child in Path(f"/proc/{guardian}/task/{guardian}/children").read_text().split():
        with suppress(OSError):
            if Path(f"/proc/{child}/comm").read_text().strip() == "mirror-spare":
                found.append(int(child))
    return found


def eventually(what: Callable[[], bool], patience_s: float = PATIENCE_S) -> None:
    deadline = time.monotonic() + patience_s
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_control_plane_that_died_is_replaced_by_the_spare(
    node: tuple["subprocess.Popen[bytes]", Layout],
) -> None:
    process, layout = node
    eventually(lambda: control_pid(layout) != 0)
    eventually(lambda: spares(process.pid) != [])
    ready = spares(process.pid)
    os.kill(control_pid(layout), signal.SIGKILL)
    eventually(lambda: control_pid(layout) in ready)


def test_a_control_plane_that_stands_still_is_replaced(
    node: tuple["subprocess.Popen[bytes]", Layout],
) -> None:
    process, layout = node
    eventually(lambda: control_pid(layout) != 0)
    eventually(lambda: spares(process.pid) != [])  # one that still loads has longer
    stopped = control_pid(layout)
    os.kill(stopped, signal.SIGSTOP)
    eventually(lambda: control_pid(layout) not in {0, stopped})
    assert not Path(f"/proc/{stopped}").exists()


def test_it_ends_with_everything(node: tuple["subprocess.Popen[bytes]", Layout]) -> None:
    process, layout = node
    eventually(lambda: control_pid(layout) != 0)
    control = control_pid(layout)
    process.terminate()
    assert process.wait(PATIENCE_S) == 0
    assert not Path(f"/proc/{control}").exists()


def test_a_control_plane_does_not_outlive_its_guardian(
    node: tuple["subprocess.Popen[bytes]", Layout],
) -> None:
    process, layout = node
    eventually(lambda: control_pid(layout) != 0)
    control = control_pid(layout)
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
    eventually(lambda: control_pid(layout) > 0)
    control, log = control_pid(layout), layout.safevar.parent / "log"
    two_starts_s = 2 * PATIENCE_S
    eventually(lambda: '"again_ms": 4000' in log.read_text(), two_starts_s)
    assert '"again_ms": 2000' in log.read_text()
    assert control_pid(layout) == control

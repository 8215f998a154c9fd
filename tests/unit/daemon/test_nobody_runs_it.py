"""What a guardian leaves on a host when nobody runs the modules any more: nothing that serves."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from mirror.adapters import clock
from mirror.adapters.scripts import ScriptRunner
from mirror.config.layout import Layout
from mirror.daemon.fence import fence_all
from mirror.daemon.guardian import LOST_PART, Guardian, _Child
from mirror.daemon.node.fence_file import FenceFile, write_fence_file
from tests.mount.small_disk import small_disk, standing_still
from tests.unit.daemon.test_guardian import PATIENCE_S, control_of, eventually, node

__all__ = ["node"]  # a fixture

TIMEOUT_MS = 600_000


class Module:
    """A module whose application runs here, and whom no control plane knows."""

    def __init__(self, layout: Layout, name: str) -> None:
        self._runner = ScriptRunner.probe(layout, name)
        self.paths = layout.module(name)
        for directory in (self.paths.applied_bin, self.paths.working, self.paths.state):
            directory.mkdir(parents=True, exist_ok=True)
        write_fence_file(self.paths, FenceFile(name, "n1", "n2", TIMEOUT_MS, (), ()))
        script = self.paths.applied_bin / "start_prim"
        script.write_text("#!/bin/sh\nsleep 1000 >/dev/null 2>&1 &\n")
        script.chmod(0o755)

    def serve(self) -> None:
        asyncio.run(self._runner.run("start_prim"))
        eventually(self.serves)

    def serves(self) -> bool:
        return bool(asyncio.run(self._runner.application_processes()))

    def end(self) -> None:
        asyncio.run(self._runner.end_everything())


@pytest.fixture
def module(tmp_path: Path, run_name: str) -> Iterator[Module]:
    made = Module(Layout(tmp_path / "safe", tmp_path / "var"), f"{run_name}m")
    yield made
    made.end()


def test_a_guardian_that_ends_without_its_control_plane_leaves_nothing(
    module: Module, node: tuple["subprocess.Popen[bytes]", Layout]
) -> None:
    process, layout = node
    control = control_of(layout)
    module.serve()
    os.kill(control, signal.SIGSTOP)  # so that it cannot end in order
    process.terminate()
    os.kill(control, signal.SIGKILL)
    process.wait(PATIENCE_S)
    eventually(lambda: not module.serves())


def test_a_record_on_a_disk_that_hangs_keeps_no_other_module_running(
    module: Module, tmp_path: Path, run_name: str
) -> None:
    layout = Layout(tmp_path / "safe", tmp_path / "var")
    another = Module(layout, f"{run_name}z")  # by its name the second one
    os.mkfifo(module.paths.record)  # who reads it waits
    for one in (module, another):
        one.serve()
    fences = threading.Thread(target=fence_all, args=(layout,), daemon=True)
    fences.start()
    try:
        eventually(lambda: not another.serves())
    finally:
        another.end()
        module.paths.record.write_bytes(b"")
        fences.join()


def child(*command: str) -> _Child:
    here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    here.setblocking(False)
    with there:
        process = subprocess.Popen(command, pass_fds=(there.fileno(),))
    return _Child(process, here, clock.boottime_ms(), clock.boottime_ms())


@pytest.mark.mount
def test_a_control_plane_that_the_kernel_holds_does_not_hold_its_guardian(tmp_path: Path) -> None:
    guardian = Guardian(Layout(tmp_path / "safe", tmp_path / "var"))
    with small_disk(tmp_path / "disk", 4 << 20):
        file = tmp_path / "disk" / "file"
        file.touch()
        with standing_still(tmp_path / "disk") as thaw:
            writes = child(sys.executable, "-c", f"open('{file}', 'w').write('x')")
            stat = Path(f"/proc/{writes.process.pid}/stat")
            eventually(lambda: ") D " in stat.read_text())
            guardian._current = writes
            buries = threading.Thread(
                target=guardian._bury, args=(writes, clock.boottime_ms(), "test"), daemon=True
            )
            buries.start()
            buries.join(PATIENCE_S / 6)
            stuck = buries.is_alive()
            thaw()
            buries.join()
            assert not stuck
        assert writes.process.wait() == -signal.SIGKILL


def test_a_control_plane_that_dies_while_it_loads_may_have_begun_to_serve(
    module: Module, tmp_path: Path
) -> None:
    guardian = Guardian(Layout(tmp_path / "safe", tmp_path / "var"))
    loads = child("sleep", "1000")
    guardian._current = loads
    after_ms = int(TIMEOUT_MS * LOST_PART) + 1_000
    now_ms = clock.boottime_ms() + after_ms
    guardian._judge(now_ms)
    assert guardian._current is loads, "nothing serves here: it may go on"
    module.serve()  # it has loaded the first of many
    loads.process.kill()
    loads.process.wait()
    guardian._look_after_current(now_ms)
    guardian._judge(now_ms + after_ms)
    eventually(lambda: not module.serves())

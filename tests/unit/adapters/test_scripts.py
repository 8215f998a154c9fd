"""Scripts as real processes: environment, log, timeout, and applications that try to escape."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest

from mirror.adapters import script_in_hand, scripts
from mirror.adapters.cgroups import find_cgroup2
from mirror.adapters.scripts import ScriptResult, ScriptRunner
from mirror.config.layout import Layout
from mirror.errors import ProcessesRemain, ScriptNotStarted
from tests.patient_runner import PatientRunner

T = TypeVar("T")

# A daemon as it should not be: forks twice, leaves session, directory and parent.
DAEMON = f"""#!{sys.executable}
import os, signal, sys
signal.signal(signal.SIGTERM, signal.SIG_IGN)
if os.fork():
    os.wait()
    sys.exit(0)
os.setsid()
if os.fork():
    os._exit(0)
with open(sys.argv[1], "w") as ready:
    ready.write(str(os.getpid()))
signal.pause()
"""

RUNS = """
import asyncio, sys
from pathlib import Path
from mirror.adapters.scripts import ScriptRunner
from mirror.config.layout import Layout
safe, safevar, module, script, cgroup2 = sys.argv[1:]
layout = Layout(Path(safe), Path(safevar))
runner = ScriptRunner(layout, module, cgroup2=Path(cgroup2) if cgroup2 else None)
asyncio.run(runner.run(script))
"""


class Module:
    """An installed module with scripts written by the test."""

    def __init__(self, root: Path, name: str, cgroup2: Path | None) -> None:
        self.layout = Layout(safe=root / "safe", safevar=root / "var")
        self.paths = self.layout.module(name)
        self.paths.applied_bin.mkdir(parents=True)
        self.runner = ScriptRunner(self.layout, name, cgroup2=cgroup2)

    def wait_until_ready(self) -> Path:
        """Have the time of the next script begin when it writes to the file that is returned."""
        ready = self.paths.applied_bin / "is_ready"
        cgroup2 = self.runner._cgroup2
        self.runner = PatientRunner(ready, self.layout, self.paths.name, cgroup2=cgroup2)
        return ready

    def script(self, name: str, text: str, mode: int = 0o755) -> Path:
        path = self.paths.applied_bin / name
        path.write_text(text)
        path.chmod(mode)
        return path


@pytest.fixture(params=["cgroup2", "marks"])
def module(request: pytest.FixtureRequest, tmp_path: Path, run_name: str) -> Iterator[Module]:
    cgroup2 = find_cgroup2() if request.param == "cgroup2" else None
    if request.param == "cgroup2" and cgroup2 is None:
        pytest.skip("no cgroup2 that we may write to on this host")
    made = Module(tmp_path, f"{run_name}x", cgroup2)
    yield made
    if cgroup2 is not None:
        base = cgroup2 / "mirror" / made.paths.name
        for group in [*base.glob("*/"), base]:
            with contextlib.suppress(OSError):
                group.rmdir()
        assert not base.exists(), "a group outlived its test"


def has_ended(pid: int) -> bool:
    with contextlib.suppress(FileNotFoundError):
        return ") Z " in Path(f"/proc/{pid}/stat").read_text()
    return True


def go(story: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(asyncio.wait_for(story, 120))


def log_of(result: ScriptResult) -> str:
    assert result.log_path is not None
    return result.log_path.read_text()


def test_arguments_environment_and_log(module: Module) -> None:
    module.script("transition", '#!/bin/sh\nprintf "%s\\n" "$#" "$@"; env; pwd; echo bad >&2\n')
    hostile = ["WAIT", "ALONE", "$(touch /tmp/never); 'x' \"y\"", ""]
    variables = {"PORT": "5432", "SAFEVAR": "/elsewhere"}
    result = go(module.runner.run("transition", hostile, variables))
    assert result.succeeded
    lines = log_of(result).splitlines()
    assert lines[:5] == ["4", *hostile]
    environment = dict(line.split("=", 1) for line in lines if "=" in line)
    assert environment["PORT"] == "5432"
    assert environment["SAFEMODULE"] == module.paths.name
    assert environment["SAFEVAR"] == str(module.layout.safevar)
    assert environment["SAFEBIN"] == str(module.layout.safebin)
    assert environment["SAFEUSERBIN"] == str(module.paths.applied_bin)
    assert environment["SAFEUSERCONF"] == str(module.paths.applied_conf)
    assert environment["SAFEUSERVAR"] == str(module.paths.working)
    assert str(module.paths.applied_bin) in lines
    assert "bad" in lines
    assert result.log_path is not None
    assert result.log_path.name.startswith("userlog_")
    assert result.log_path.name.endswith("_transition.ulog")


def test_a_missing_script_is_no_failure(module: Module) -> None:
    result = go(module.runner.run("poststop"))
    assert result.skipped
    assert result.succeeded
    assert result.log_path is None


def test_exit_codes_are_the_scripts_own(module: Module) -> None:
    module.script("start_prim", "#!/bin/sh\nexit 7\n")
    module.script("stop_prim", "#!/bin/sh\nkill -KILL $$\n")
    assert go(module.runner.run("start_prim")).exit_code == 7
    killed = go(module.runner.run("stop_prim"))
    assert killed.exit_code == -signal.SIGKILL
    assert not killed.succeeded


def test_a_script_that_is_not_executable_says_so(module: Module) -> None:
    module.script("start_prim", "#!/bin/sh\n", mode=0o644)
    with pytest.raises(ScriptNotStarted, match="not executable"):
        go(module.runner.run("start_prim"))


def test_one_at_a_time(module: Module) -> None:
    fifo = module.paths.applied_bin / "fifo"
    os.mkfifo(fifo)
    module.script("restart", f"#!/bin/sh\necho began; cat {fifo}\n")
    module.script("transition", "#!/bin/sh\nexit 0\n")

    async def story() -> None:
        first = asyncio.create_task(module.runner.run("restart"))
        second = asyncio.create_task(module.runner.run("transition"))
        writer = await asyncio.to_thread(os.open, fifo, os.O_WRONLY)  # opens when `cat` reads
        assert not second.done()
        assert not list(module.paths.working.glob("*_transition.ulog"))
        os.close(writer)
        assert (await first).succeeded
        assert (await second).succeeded

    go(story())


def test_a_timeout_ends_the_script_and_its_children(
    module: Module, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scripts, "TERM_GRACE_S", 0.2)
    ready = module.wait_until_ready()
    module.script(
        "stop_prim",
        f"#!/bin/sh\ntrap '' TERM\nsleep 1000 &\necho $! $$\necho >{ready}\nwait\nwait\nwait\n",
    )
    result = go(module.runner.run("stop_prim", timeout_s=0.3))
    assert result.timed_out
    assert result.exit_code == -signal.SIGKILL
    assert 300 <= result.duration_ms < 60_000
    pids = log_of(result).split()
    assert len(pids) == 2
    for pid in pids:
        # A zombie is as dead as one that is gone, or that goes while it is looked at.
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            assert ") Z " in Path(f"/proc/{pid}/stat").read_text()


def test_the_application_stays_and_a_forced_stop_ends_all_of_it(module: Module) -> None:
    ready = module.paths.applied_bin / "ready"
    module.script("daemon", DAEMON)
    module.script("start_prim", f"#!/bin/sh\nexec $SAFEUSERBIN/daemon {ready}\n")

    async def story() -> None:
        os.mkfifo(ready)
        reading = asyncio.create_task(asyncio.to_thread(ready.read_text))
        result = await module.runner.run("start_prim", timeout_s=60)
        assert result.succeeded
        pid = int(await reading)
        assert await module.runner.application_processes() == [pid]
        assert await module.runner.application_processes("start_both") == []
        with os.fdopen(os.pidfd_open(pid)):
            assert await module.runner.end_application() == [pid]
        assert await module.runner.application_processes() == []
        assert await module.runner.end_application() == []

    go(story())


def test_what_a_handler_starts_again_is_the_application_too(module: Module) -> None:
    ready = module.paths.applied_bin / "ready"
    module.script("daemon", DAEMON)
    module.script("mend", f"#!/bin/sh\nexec $SAFEUSERBIN/daemon {ready}\n")

    async def story() -> None:
        os.mkfifo(ready)
        reading = asyncio.create_task(asyncio.to_thread(ready.read_text))
        await module.runner.run("mend", timeout_s=60, starts_as="start_both")
        pid = int(await reading)
        assert await module.runner.application_processes("start_both") == [pid]
        assert await module.runner.end_application("start_both") == [pid]

    go(story())


def test_a_timed_out_start_leaves_the_application_to_the_forced_stop(
    module: Module, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scripts, "TERM_GRACE_S", 0.2)
    fifo, ready = module.paths.applied_bin / "fifo", module.wait_until_ready()
    module.script("daemon", DAEMON)
    module.script(
        "start_prim", f"#!/bin/sh\n$SAFEUSERBIN/daemon {fifo}\necho >{ready}\nsleep 1000\n"
    )

    async def story() -> None:
        os.mkfifo(fifo)
        reading = asyncio.create_task(asyncio.to_thread(fifo.read_text))
        result = await module.runner.run("start_prim", timeout_s=0.3)
        assert result.timed_out
        assert int(await reading) in await module.runner.end_application()

    go(story())


def test_what_does_not_die_is_said(module: Module, monkeypatch: pytest.MonkeyPatch) -> None:
    module.script("start_prim", "#!/bin/sh\nsleep 1000 & \n")

    async def story() -> None:
        await module.runner.run("start_prim")
        group = module.runner.place.group("app")
        with monkeypatch.context() as patched:
            patched.setattr(type(group), "signal", lambda self, number: None)
            with pytest.raises(ProcessesRemain, match="MIR-210"):
                await module.runner.end_application(timeout_s=0.2)
        assert len(await module.runner.end_application()) == 1

    go(story())


def test_a_cancelled_run_kills_the_script(module: Module) -> None:
    fifo = module.paths.applied_bin / "fifo"
    os.mkfifo(fifo)
    module.script("stop_prim", f"#!/bin/sh\ntrap '' TERM\necho $$ >{fifo}\nsleep 1000\n")

    async def story() -> None:
        running = asyncio.create_task(module.runner.run("stop_prim"))
        pid = int(await asyncio.to_thread(fifo.read_text))
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
        assert (await module.runner.run("absent")).skipped, "the next script may run"

    go(story())


def test_everything_of_the_module_ends_also_for_a_new_control_plane(module: Module) -> None:
    fifo = module.paths.applied_bin / "fifo"
    os.mkfifo(fifo)
    module.script("start_prim", "#!/bin/sh\nsleep 1000 &\n")
    module.script("start_both", "#!/bin/sh\nsleep 1000 &\n")
    module.script("transition", f"#!/bin/sh\necho $$ >{fifo}\nsleep 1000\n")

    async def story() -> None:
        for script in ("start_prim", "start_both"):
            assert (await module.runner.run(script)).succeeded
        hanging = asyncio.create_task(module.runner.run("transition"))
        await asyncio.to_thread(fifo.read_text)
        another = ScriptRunner(module.layout, module.paths.name, cgroup2=module.runner._cgroup2)
        for script in ("start_prim", "start_both"):  # a process that becomes `sleep` has no mark
            while not await another.application_processes(script):  # noqa: ASYNC110 - no event
                await asyncio.sleep(0.01)
        assert len(await another.end_everything()) >= 3
        assert (await hanging).exit_code == -signal.SIGKILL
        assert await module.runner.application_processes() == []
        assert await another.end_everything() == []

    go(story())


@pytest.mark.parametrize("script", ["stop_prim", "start_prim"])
def test_the_script_of_a_control_plane_that_is_gone_is_ended_before_another(
    module: Module, script: str
) -> None:
    """What runs on is the script alone: nobody waits for it any more, as after a SIGKILL."""
    fifo = module.paths.applied_bin / "fifo"
    os.mkfifo(fifo)
    module.paths.state.mkdir(parents=True)
    module.script("start_both", "#!/bin/sh\nsleep 1000 &\n")
    module.script(script, f"#!/bin/sh\ntrap '' TERM\necho $$ >{fifo}\nsleep 1000\n")
    parts = (str(module.layout.safe), str(module.layout.safevar), module.paths.name, script)
    another = ScriptRunner(module.layout, module.paths.name, cgroup2=module.runner._cgroup2)

    async def story() -> None:
        assert (await module.runner.run("start_both")).succeeded
        control = await asyncio.create_subprocess_exec(
            sys.executable, "-c", RUNS, *parts, str(module.runner._cgroup2 or "")
        )
        pid = int(await asyncio.to_thread(fifo.read_text))
        while script_in_hand.find(module.paths.state) is None:  # noqa: ASYNC110 - no event
            await asyncio.sleep(0.01)
        control.kill()
        await control.wait()
        os.kill(pid, 0)  # it outlived who ran it
        assert await another.end_left_script() == script
        assert has_ended(pid)
        assert await another.application_processes("start_both"), "the application stays"
        assert await another.end_left_script() == ""
        await another.end_everything()

    go(story())


def test_old_logs_make_room_for_new_ones(module: Module) -> None:
    module.paths.working.mkdir(parents=True)
    for day in range(1, 6):
        (module.paths.working / f"userlog_2026-01-0{day}T000000.000_x.ulog").write_text("x" * 100)
    other = module.paths.working / "log.db"
    other.write_text("y" * 1000)
    go(module.runner.prune_logs(250))
    kept = sorted(path.name for path in module.paths.working.glob("userlog_*"))
    assert [name[8:18] for name in kept] == ["2026-01-04", "2026-01-05"]
    assert other.exists()


def test_without_logging_nothing_is_written(tmp_path: Path) -> None:
    module = Module(tmp_path, "quiet", None)
    module.runner = ScriptRunner(module.layout, "quiet", cgroup2=None, logging=False)
    module.script("transition", "#!/bin/sh\necho noise\n")
    assert go(module.runner.run("transition")).log_path is None
    assert module.runner.protection is not None

"""Scripts as the core asks for them, run for real: arguments, force, timeouts, what is kept."""

import asyncio
from pathlib import Path

import pytest

from mirror.adapters.module_log import ModuleLog, read_last
from mirror.adapters.scripts import ScriptRunner
from mirror.config.layout import Layout
from mirror.config.models import User
from mirror.core import scripts
from mirror.daemon.node.process_port import ProcessPort
from mirror.daemon.node.scripts_port import ScriptsPort
from mirror.vocabulary.actions import ScriptCall
from mirror.vocabulary.states import ScreenWord as W
from tests.patient_runner import PatientRunner

NAMES = (
    *("prestart", "poststop", "transition", "start_prim", "stop_prim", "start_both", "stop_both"),
    *("start_second", "stop_second", "start_sec", "stop_sec"),
)
TELLS = '#!/bin/sh\necho "${0##*/} $*" >>"$SAFEUSERVAR/told"\n'


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    found = Layout(safe=tmp_path / "s", safevar=tmp_path / "v")
    paths = found.module("web")
    paths.applied_bin.mkdir(parents=True)
    paths.working.mkdir(parents=True)
    for name in NAMES:
        (paths.applied_bin / name).write_text(TELLS)
        (paths.applied_bin / name).chmod(0o755)
    return found


def user(**changes: int) -> User:
    times = {"nicestoptimeout_ms": 60_000, "forcestoptimeout_ms": 60_000}
    return User(**{**times, "logging": "userlog", "userlogsize_bytes": 10_000, **changes})  # type: ignore[arg-type]


def run(
    layout: Layout,
    settings: User,
    calls: tuple[ScriptCall, ...],
    runner: ScriptRunner | None = None,
) -> list[str]:
    """Run the calls one after the other; return what the scripts told."""

    runner = runner or ScriptRunner(layout, "web", cgroup2=None)

    async def work() -> None:
        log = ModuleLog(layout.module("web").log_database, "web")
        processes = ProcessPort(None, print, print, print)
        port = ScriptsPort(runner, settings, log, lambda _: {}, processes)
        try:
            for call in calls:
                await port.run(call)
        finally:
            await asyncio.to_thread(log.close)

    asyncio.run(work())
    told = layout.module("web").working / "told"
    return told.read_text().splitlines() if told.exists() else []


def test_a_whole_life_in_order_with_arguments(layout: Layout) -> None:
    calls = (
        *scripts.enter(W.STOP, W.WAIT, "start"),
        *scripts.enter(W.WAIT, W.ALONE, "start"),
        *scripts.enter(W.ALONE, W.PRIM, "start"),
        *scripts.leave(W.PRIM, "stop"),
        *scripts.after_stop("stop"),
    )
    assert run(layout, user(), calls) == [
        "transition STOP WAIT start",
        "prestart STOP WAIT start",
        "transition WAIT ALONE start",
        "start_both WAIT ALONE start",
        "start_prim WAIT ALONE start",
        "start_sec WAIT ALONE start",
        "stop_sec ALONE PRIM start",
        "transition ALONE PRIM start",
        "stop_prim PRIM WAIT stop",
        "stop_both PRIM WAIT stop",
        "transition PRIM WAIT stop",
        "stop_sec force WAIT STOP stop",
        "stop_prim force WAIT STOP stop",
        "stop_second force WAIT STOP stop",
        "stop_both force WAIT STOP stop",
        "poststop WAIT STOP stop",
        "transition WAIT STOP stop",
    ]


def test_a_stop_that_hangs_is_followed_by_force(layout: Layout) -> None:
    paths = layout.module("web")
    ready = paths.working / "ready"
    hangs = f'{TELLS}[ "$1" = force ] || {{ echo >{ready}; exec sleep 1000; }}\n'
    (paths.applied_bin / "stop_prim").write_text(hangs)
    settings = user(nicestoptimeout_ms=300)
    runner = PatientRunner(ready, layout, "web", cgroup2=None)
    told = run(layout, settings, scripts.leave_for_swap(W.PRIM), runner)
    assert told == ["stop_prim PRIM SECOND swap", "stop_prim force PRIM SECOND swap"]
    said = [entry.text for entry in read_last(paths.log_database, 20)]
    assert "Script stop_prim: lasted too long" in said
    assert "Script stop_prim force" in said


@pytest.mark.parametrize("script", ["transition", "update", "poststop"])
def test_what_only_tells_does_not_hold_up_a_stop_for_ever(layout: Layout, script: str) -> None:
    paths = layout.module("web")
    ready = paths.working / "ready"
    (paths.applied_bin / script).write_text(f"{TELLS}echo >{ready}\nexec sleep 1000\n")
    (paths.applied_bin / script).chmod(0o755)
    runner = PatientRunner(ready, layout, "web", cgroup2=None)
    calls = (ScriptCall(script, ()), ScriptCall("stop_prim", ()))
    told = run(layout, user(nicestoptimeout_ms=300), calls, runner)
    assert [line.split()[0] for line in told] == [script, "stop_prim"]


def test_outputs_are_kept_one_a_run_and_pruned_at_a_start(layout: Layout) -> None:
    working = layout.module("web").working
    for number in range(3):
        (working / f"userlog_2020-01-0{number + 1}T000000.000_old.ulog").write_text("x" * 6_000)
    run(layout, user(), (ScriptCall("start_prim", ()), ScriptCall("start_prim", ())))
    assert len(list(working.glob("userlog_*_start_prim.ulog"))) == 2
    assert len(list(working.glob("userlog_*_old.ulog"))) == 3
    run(layout, user(), scripts.enter(W.STOP, W.WAIT, "start"))
    assert len(list(working.glob("userlog_*_old.ulog"))) == 1

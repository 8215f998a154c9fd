"""What follows when a process of the application is gone: a command, or a handler."""

import asyncio
from pathlib import Path

import pytest

from mirror.adapters.module_log import ModuleLog
from mirror.adapters.scripts import ScriptRunner
from mirror.config.layout import Layout
from mirror.config.models import Errd, User, WatchedProcess
from mirror.daemon.node.process_port import ProcessPort
from mirror.daemon.node.scripts_port import ScriptsPort
from mirror.vocabulary.events import CommandAsked, Event

USER = User(1000, 1000, "userlog", 1 << 20, {"COLOUR": "blue"})


def process(name: str, action: str, services: str = "") -> WatchedProcess:
    return WatchedProcess(name, False, None, None, 1, -1, action, "prim", 0, services)


@pytest.mark.parametrize(
    ("action", "services", "posted", "handled"),
    [
        ("restart", "", [CommandAsked("restart", (), "errd")], []),
        ("restart", "a, b", [CommandAsked("restart", ("-Services", "a, b"), "errd")], []),
        ("stop", "", [CommandAsked("stop", (), "errd")], []),
        ("noaction", "", [], []),
        ("notify", "", [], [("notify", "prim")]),
    ],
)
def test_what_a_death_asks_for(
    action: str, services: str, posted: list[Event], handled: list[tuple[str, str]]
) -> None:
    events: list[Event] = []
    handlers: list[tuple[str, str]] = []
    resources: dict[str, str] = {}
    errd = Errd(1000, (process("app", action, services),))
    port = ProcessPort(
        errd, events.append, resources.__setitem__, lambda *asked: handlers.append(asked)
    )
    port._changed("proc.app", "up")
    assert (events, handlers) == ([], [])
    port._changed("proc.app", "down")
    assert (events, handlers) == (posted, handled)
    assert resources == {"proc.app": "down"}


@pytest.mark.parametrize(("text", "handled"), [("exit 0", True), ("exit 3", False), ("", False)])
def test_a_handler_says_by_its_exit_code_whether_it_did_it(
    tmp_path: Path, text: str, handled: bool
) -> None:
    layout = Layout(tmp_path / "safe", tmp_path / "var")
    paths = layout.module("demo")
    paths.applied_bin.mkdir(parents=True)
    paths.working.mkdir(parents=True)
    if text:
        script = paths.applied_bin / "notify"
        script.write_text(f'#!/bin/sh\necho "$COLOUR $SAFEMODULE" > {tmp_path}/said\n{text}\n')
        script.chmod(0o755)
    log = ModuleLog(paths.log_database, "demo")
    runner = ScriptRunner(layout, "demo", cgroup2=None)
    processes = ProcessPort(None, print, print, print)
    port = ScriptsPort(runner, USER, log, lambda _: {}, processes)
    assert asyncio.run(port.handle("notify", "prim")) == handled
    if text:
        assert (tmp_path / "said").read_text() == "blue demo\n"
    log.close()

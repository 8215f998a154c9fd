"""Logs, outputs of scripts, the states of the past: also while the control plane is down."""

import asyncio
import contextlib
import shutil
import sqlite3
import time
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from mirror.adapters.module_log import ModuleLog
from mirror.config.module_store import ModuleStore
from mirror.web.endpoints.logs import _periods

from .world import PRIM, START_S, Browser, ControlPlane, Node, events, until

LOG = "/api/v1/modules/web/log"


@pytest.fixture
def web(node: Node, tmp_path: Path, data: Path) -> Iterator[Node]:
    """A module with a log of eight lines."""
    store = ModuleStore(node.layout)
    store.install("web", node.write_module(tmp_path / "web", data), replace=True)
    working = node.layout.module("web").working
    log = ModuleLog(node.layout.module("web").log_database, "web")
    for text in ("STOP NotReady", "WAIT NotReady", "ALONE Ready", "PRIM Ready"):
        log.append("E", "heart", f"Local state {text}", row="A1")
        log.append("D", "heart", f"state something -> {text}")
    asyncio.run(log.flush())
    log.close()
    yield node
    shutil.rmtree(working)


def test_the_shown_levels_and_all(web: Node, monitor: Browser) -> None:
    shown = monitor.json(LOG)
    assert [one["text"] for one in shown["entries"]] == [
        "Local state STOP NotReady",
        "Local state WAIT NotReady",
        "Local state ALONE Ready",
        "Local state PRIM Ready",
    ]
    assert shown["entries"][0]["fields"] == {"row": "A1"}
    assert len(monitor.json(LOG, every=True)["entries"]) == 8
    assert len(monitor.json(LOG, text="alone")["entries"]) == 1


def test_paging_forth_and_back(web: Node, monitor: Browser) -> None:
    last = monitor.json(LOG, count=2)
    assert [one["id"] for one in last["entries"]] == [5, 7]
    earlier = monitor.json(LOG, count=2, before=5)
    assert [one["id"] for one in earlier["entries"]] == [1, 3]
    later = monitor.json(LOG, count=2, since=3)
    assert ([one["id"] for one in later["entries"]], later["last_id"]) == ([5, 7], 7)
    nothing = monitor.json(LOG, since=7)
    assert (nothing["entries"], nothing["last_id"]) == ([], 7)


def test_the_states_of_the_past(web: Node, monitor: Browser) -> None:
    timeline = monitor.json("/api/v1/modules/web/timeline")
    assert [one["state"] for one in timeline["periods"]] == ["STOP", "WAIT", "ALONE", "PRIM"]
    for before, after in zip(timeline["periods"], timeline["periods"][1:], strict=False):
        assert before["until_us"] == after["from_us"]
    assert timeline["periods"][-1]["until_us"] is None
    since = timeline["periods"][2]["from_us"]
    late = monitor.json("/api/v1/modules/web/timeline", since_us=since)
    assert [one["state"] for one in late["periods"]] == ["ALONE", "PRIM"]


def test_a_node_that_died_did_not_serve_meanwhile(tmp_path: Path) -> None:
    file = tmp_path / "log.db"
    lines = [
        (100, "Local state PRIM Ready"),
        (130, "Remote state SECOND Ready"),
        (900, "Local state STOP NotReady"),
        (901, "Local state WAIT Transient"),
        (910, "Local state SECOND Ready"),
        (950, "Local state WAIT Transient"),
        (951, "Local state STOP NotReady"),
    ]
    with contextlib.closing(sqlite3.connect(file)) as database, database:
        database.execute(
            "CREATE TABLE log(id INTEGER PRIMARY KEY, time_us, level, source, text, fields)"
        )
        database.executemany(
            "INSERT INTO log(time_us, level, source, text, fields)"
            " VALUES (?, 'E', 'heart', ?, '{}')",
            lines,
        )
    for alive_us, died_us in ((0, 130), (500, 500), (5000, 900)):
        _, periods = _periods(file, 0, lambda _, alive_us=alive_us: alive_us)  # type: ignore[misc]
        seen = [(one.state, one.from_us, one.until_us) for one in periods]
        assert seen == [
            ("PRIM", 100, died_us),
            ("UNKNOWN", died_us, 900),
            ("STOP", 900, 901),
            ("WAIT", 901, 910),
            ("SECOND", 910, 950),
            ("WAIT", 950, 951),
            ("STOP", 951, None),
        ]


def test_since_when_and_how_full(web: Node, monitor: Browser) -> None:
    ModuleStore(web.layout).apply("web", ModuleStore(web.layout).stage("web"))
    plane = ControlPlane(web.layout.control_socket)
    plane.states["web"] = PRIM
    wanted = monitor.json("/api/v1/modules/web/timeline")["periods"][-1]["from_us"]
    deadline = time.monotonic() + START_S
    local: dict[str, Any] = {}
    with events(monitor) as found:
        # The files are looked at each second, the disks each quarter of a minute.
        while local.get("since_us") != wanted or not local.get("disk"):
            local = monitor.json("/api/v1/modules/web/state")["local"]
            until(found, "beat")
            assert time.monotonic() < deadline, local
    assert 0 < local["disk"]["used_bytes"] < local["disk"]["total_bytes"]
    assert monitor.json("/api/v1/state")["version"] == version("mirror")
    lines = monitor.get("/metrics").text
    assert 'mirror_disk_used_bytes{module="web",node="this"}' in lines
    plane.close()
    ModuleStore(web.layout).remove_applied("web")


def test_the_other_node_as_it_was_heard(web: Node, monitor: Browser) -> None:
    file = web.layout.module("web").log_database
    with contextlib.closing(sqlite3.connect(file)) as database, database:
        (newest,) = database.execute("SELECT max(time_us) FROM log").fetchone()
        for seconds, text in ((1, "PRIM Ready"), (50, "UNKNOWN Unknown")):
            database.execute(
                "INSERT INTO log(time_us, level, source, text, fields)"
                " VALUES (?, 'E', 'heart', ?, '{}')",
                (newest + seconds * 1_000_000, f"Remote state {text}"),
            )
    found = monitor.json("/api/v1/modules/web/timeline")["remote"]
    assert [(one["state"], one["until_us"]) for one in found][1] == ("UNKNOWN", None)
    length_us = found[0]["until_us"] - found[0]["from_us"]
    assert 40_000_000 <= length_us < 49_000_000, "its silence began a timeout before"


def test_what_scripts_said(web: Node, operator: Browser) -> None:
    file = web.layout.module("web").working / "userlog_2026-01-01T000000.000_start_prim.ulog"
    file.write_text("starting\n")
    (listed,) = operator.json("/api/v1/modules/web/outputs")["outputs"]
    assert (listed["name"], listed["bytes"]) == (file.name, 9)
    path = f"/api/v1/modules/web/outputs/{file.name}"
    first = operator.json(path)
    assert (first["text"], first["next_offset"]) == ("starting\n", 9)
    with file.open("a") as output:
        output.write("started\n")
    assert operator.json(path, offset=first["next_offset"])["text"] == "started\n"


@pytest.mark.parametrize("name", ["log.db", "..%2F..%2Fconsole%2Fconsole.db", "link.ulog"])
def test_only_outputs_are_read(web: Node, operator: Browser, name: str) -> None:
    link = web.layout.module("web").working / "link.ulog"
    link.symlink_to("log.db")
    assert operator.get(f"/api/v1/modules/web/outputs/{name}").status_code == 404

"""What people and scripts see: states, exit codes, the safety sentence, progress, the log."""

import contextlib
import re
import sqlite3

import pytest

from mirror.adapters import clock
from mirror.cli.state_view import progress_line
from mirror.cli.words import state_word
from mirror.config.layout import Layout
from mirror.errors import ModuleUnknown

from .conftest import ControlPlane, Run

PRIM = {
    "state": "PRIM",
    "ready": "Ready",
    "local": {"node": "n1"},
    "remote": {"node": "n2", "state": "SECOND", "ready": "Transient"},
    "rfs": {},
    "progress": {
        "phase": "data",
        "bytes_done": 830,
        "bytes_total": 1000,
        "rate_bytes_s": 97_517_568,
        "eta_ms": 100_000,
    },
    "reason": "the secondary is joining",
    "row": "A4",
    "safety": "n2 is catching up: 83 %, 1 min 40 s left. Until then only n1 is complete.",
}


def test_a_module_at_a_glance(mirror: Run, control_plane: ControlPlane) -> None:
    control_plane.answers["state"] = {"modules": {"web": PRIM, "db": {"state": "STOP"}}}
    out = mirror("state").out
    assert out.splitlines() == [
        "web  n1         PRIM (Ready)      ".rstrip(),
        "     n2         SECOND (Transient)",
        "  n2 is catching up: 83 %, 1 min 40 s left. Until then only n1 is complete.",
        "  why: the secondary is joining (row A4)",
        "  reintegration: data, 83 %, 830 B of 1000 B, 93 MiB/s, 1 min 40 s left",
        "db  this node  STOP",
    ] or [line.split() for line in out.splitlines()] == [
        ["web", "n1", "PRIM", "(Ready)"],
        ["n2", "SECOND", "(Transient)"],
        PRIM["safety"].split(),  # type: ignore[attr-defined]
        ["why:", "the", "secondary", "is", "joining", "(row", "A4)"],
        [
            "reintegration:",
            "data,",
            "83",
            "%,",
            "830",
            "B",
            "of",
            "1000",
            "B,",
            "93",
            "MiB/s,",
            "1",
            "min",
            "40",
            "s",
            "left",
        ],
        ["db", "this", "node", "STOP"],
    ]
    assert "\x1b" not in out, "no colours in a pipe"


def test_the_word_of_a_node_whose_control_plane_is_silent_has_its_time(
    mirror: Run, control_plane: ControlPlane
) -> None:
    heard_us = 1_763_640_000_000_000
    mute = PRIM | {"remote": {"node": "n2", "state": "SECOND", "mute_since_us": heard_us}}
    control_plane.answers["state"] = {"modules": {"web": mute, "db": PRIM}}
    said = f"SECOND, as of {clock.wall_text(heard_us)[:19]}"
    assert [said in line for line in mirror("state").out.splitlines()].count(True) == 1


def test_one_module_with_its_resources(mirror: Run, control_plane: ControlPlane) -> None:
    joining = {**PRIM, "progress": {"phase": "data", "pending": ["a/b", "c"]}}
    control_plane.answers["state"] = {"modules": {"web": joining, "db": PRIM}}
    control_plane.answers["resources"] = {"resources": {"rfs.uptodate": {"value": "up"}}}
    out = mirror("state", "-m", "web", "-v").out
    assert "pending: a/b, c" in out
    assert "db" not in out
    assert ["rfs.uptodate", "up"] in [line.split() for line in out.splitlines()]
    value = mirror("--json", "state", "-m", "web", "-v").json
    assert value["modules"]["web"]["resources"]["rfs.uptodate"]["value"] == "up"
    assert mirror("get", "-r", "rfs.uptodate", "-m", "web").out == "up\n"
    assert mirror("get", "-r", "rfs.x", "-m", "web").code == 1


def test_nothing_configured_is_said(mirror: Run, control_plane: ControlPlane) -> None:
    control_plane.answers["state"] = {"modules": {}}
    assert "No module is configured" in mirror("state").out
    assert mirror("state", "-m", "web").code == 1


@pytest.mark.parametrize(
    ("state", "code"),
    [("STOP", 0), ("WAIT", 1), ("ALONE", 2), ("UP", 2), ("PRIM", 3), ("SECOND", 4), ("?", 255)],
)
def test_the_exit_code_that_scripts_compare(
    mirror: Run, control_plane: ControlPlane, state: str, code: int
) -> None:
    control_plane.answers["state"] = {"modules": {"web": {"state": state}}}
    outcome = mirror("state", "-m", "web", "-lq")
    assert (outcome.code, outcome.out) == (code, "")


def test_an_error_is_never_taken_for_a_state(mirror: Run) -> None:
    assert mirror("state", "-m", "web", "-lq").code == 255
    assert mirror("state", "-lq").code == 255


def test_a_refused_state(mirror: Run, control_plane: ControlPlane) -> None:
    control_plane.answers["state"] = ModuleUnknown(module="web", observed="gone")
    assert mirror("state", "-m", "web", "-lq").code == 255


@pytest.mark.parametrize(
    ("values", "word"),
    [
        ({"state": "PRIM", "ready": "Ready"}, "PRIM (Ready)"),
        ({"state": "PRIM", "ready": True}, "PRIM (Ready)"),
        ({"state": "WAIT", "ready": False}, "WAIT (NotReady)"),
        ({"state": "PRIM"}, "PRIM"),
        ({}, "unknown"),
    ],
)
def test_words_of_a_state(values: dict[str, object], word: str) -> None:
    assert state_word(values) == word


def test_progress_never_guesses() -> None:
    assert progress_line({}) == "reintegration: in progress"
    assert progress_line({"phase": "names", "files_done": 2, "files_total": 9}) == (
        "reintegration: names, 2 of 9 files"
    )
    assert "100 %" in progress_line({"bytes_done": 11, "bytes_total": 10})


ENTRIES = [
    {
        "time_us": 1_795_164_020_909_224,
        "source": "heart",
        "level": "E",
        "text": "Local state ALONE Ready",
    },
    {"time_us": 1_795_164_021_000_000, "source": "rfs", "level": "D", "text": "detail"},
]


def test_the_log(mirror: Run, control_plane: ControlPlane) -> None:
    control_plane.answers["log"] = {"entries": ENTRIES}
    out = mirror("log", "-m", "web", "-s", "5").out
    assert re.fullmatch(r"\| 2026-\S+ \S+\.909224 \| heart \| E \| Local state ALONE Ready\n", out)
    assert control_plane.asked[0]["last"] == 5
    assert mirror("log", "-m", "web", "-A").out.count("\n") == 2
    assert mirror("log", "-m", "web", "-A", "--json").json["entries"] == ENTRIES


def test_the_log_of_a_node_that_is_down(mirror: Run, layout: Layout) -> None:
    file = layout.module("web").log_database
    file.parent.mkdir(parents=True)
    with contextlib.closing(sqlite3.connect(file)) as database, database:
        database.execute(
            "CREATE TABLE log(id INTEGER PRIMARY KEY, time_us, level, source, text, fields)"
        )
        for entry in ENTRIES:
            database.execute(
                "INSERT INTO log(time_us, level, source, text, fields) VALUES (?, ?, ?, ?, '{}')",
                tuple(entry[name] for name in ("time_us", "level", "source", "text")),
            )
    outcome = mirror("log", "-m", "web")
    assert outcome.code == 0
    assert outcome.out.endswith("| heart | E | Local state ALONE Ready\n")
    assert "the log on the disk" in outcome.err
    assert len(mirror("log", "-A", "-m", "web", "--json").json["entries"]) == 2
    file.write_bytes(b"x" * 5000)
    assert mirror("log", "-m", "web").code == 1


def test_no_log_is_not_an_empty_log(mirror: Run) -> None:
    outcome = mirror("log", "-m", "nope")
    assert (outcome.code, outcome.out) == (1, "")
    assert "no such module: nope" in outcome.err


def test_the_log_is_followed_until_the_node_ends(mirror: Run, control_plane: ControlPlane) -> None:
    control_plane.answers["log"] = {"entries": ENTRIES[:1]}
    control_plane.events = [{"entry": {**ENTRIES[0], "text": "later"}}, {"entry": ENTRIES[1]}]
    outcome = mirror("log", "-m", "web", "-f")
    assert [line.split(" | ")[-1] for line in outcome.out.splitlines()] == [
        "Local state ALONE Ready",
        "later",
    ]
    assert outcome.code == 3


def test_level(mirror: Run, web: object) -> None:
    value = mirror("level", "--json").json
    assert value["modules"]["web"] == {
        "id": 1,
        "heartbeat_udp": 8888,
        "data_tcp": 5600,
        "configured": False,
    }
    assert "Module: web id=1 not configured" in mirror("level").out

"""Lines of the module log in the journal, with fields; and in syslog, where there is none."""

import socket
import syslog
from pathlib import Path

import pytest

from mirror.adapters import journal

FIELDS = {"row": "S5", "cause": "index persisted", "generation": "", "from": None, "no name": 1}


def test_the_journal_gets_fields(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as daemon:
        daemon.bind(str(tmp_path / "socket"))
        daemon.settimeout(60)
        text = "Local state ALONE\nPRIORITY=0"
        journal.say("web", "E", "heart", text, FIELDS, journal=str(tmp_path / "socket"))
        lines = daemon.recv(65_536).decode().splitlines()
    assert lines == [
        "MESSAGE=web | heart | Local state ALONE PRIORITY=0",
        f"PRIORITY={syslog.LOG_NOTICE}",
        "SYSLOG_IDENTIFIER=mirror",
        "MIRROR_ROW=S5",
        "MIRROR_CAUSE=index persisted",
        "MIRROR_MODULE=web",
        "MIRROR_SOURCE=heart",
        "MIRROR_LEVEL=E",
    ]


def test_syslog_gets_structured_data(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    said: list[tuple[int, str]] = []
    monkeypatch.setattr(syslog, "syslog", lambda level, text: said.append((level, text)))
    fields = {"row": "S5", "why": 'a "quoted" ] end'}
    journal.say("web", "C", "heart", "it failed", fields, journal=str(tmp_path / "none"))
    journal.say("web", "I", "heart", "plain", {}, journal=str(tmp_path / "none"))
    assert said == [
        (syslog.LOG_CRIT, r'web | heart | it failed [mirror row="S5" why="a \"quoted\" \] end"]'),
        (syslog.LOG_INFO, "web | heart | plain"),
    ]

"""`mirror demo --once` from beginning to end, as `make demo ONCE=1` runs it."""

import os
import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.lab,
    pytest.mark.slow,
    pytest.mark.skipif(os.geteuid() != 0, reason="a lab needs root"),
    pytest.mark.skipif(
        shutil.which("pg_createcluster") is None, reason="PostgreSQL is not installed"
    ),
    pytest.mark.skipif(
        find_spec("mirror.daemon.control_plane") is None, reason="there is no node to run yet"
    ),
]

LAST_LINE = re.compile(r"demo: lost (\d+), different (\d+), outage \d+ ms")


def demo(*options: str) -> tuple[int, str, re.Match[str]]:
    command = Path(sys.prefix) / "bin" / "mirror"
    name = f"--name=demo{os.getpid()}"
    done = subprocess.run(
        [command, "demo", "--once", name, *options],
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=800,
    )
    last = LAST_LINE.fullmatch(done.stdout.splitlines()[-1])
    assert last is not None, done.stdout
    return done.returncode, done.stdout, last


def test_nothing_is_lost_when_the_primary_loses_its_power() -> None:
    code, said, last = demo("--fault=power-off")
    assert last.group(1, 2) == ("0", "0"), said
    assert code == 0
    for moment in ("takeover", "start_prim", "first transaction", "copied back to n1", "0 diff"):
        assert moment in said


def test_the_control_plane_dies_and_a_planted_difference_makes_it_fail() -> None:
    code, said, last = demo("--fault=kill-control", "--plant-difference")
    assert code == 1, said
    assert "takeover" not in said
    assert last.group(1, 2) == ("0", "1")
    assert ": bytes: " in said

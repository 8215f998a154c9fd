"""Processes by their mark: who is born while the others are killed is killed too."""

import asyncio
import os
import signal
import subprocess
from pathlib import Path

import pytest

from mirror.adapters.process_marks import MARK_VARIABLE, MarkedGroup

# At each line a child, which does nothing; its number is the answer.
BEARS = "while read -r _; do sleep 1000 >/dev/null & echo $!; done"


def test_who_is_born_while_all_are_killed_is_killed_too(
    run_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"{run_name}marks"
    with subprocess.Popen(
        ["sh", "-c", BEARS],
        env={**os.environ, MARK_VARIABLE: name},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as parent:
        group = MarkedGroup(name)
        listed = group.processes()
        assert listed == [parent.pid]
        assert parent.stdin is not None
        assert parent.stdout is not None
        parent.stdin.write("now\n")
        parent.stdin.flush()
        child = int(parent.stdout.readline())
        with monkeypatch.context() as before:
            before.setattr(group, "processes", lambda: listed)
            group.signal(signal.SIGKILL)
        assert asyncio.run(group.wait_empty(10))
    stat = Path(f"/proc/{child}/stat")
    assert not stat.exists() or ") Z " in stat.read_text()

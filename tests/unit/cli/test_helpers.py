"""What scripts find in SAFEBIN: boundcmd, kill, processtree, gencron; and `safekit -r`."""

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mirror.adapters.process_tree import heads, processes, tree
from mirror.adapters.user_crontab import switch
from mirror.config.installation import HELPERS
from mirror.config.layout import Layout

from .conftest import Run

CRONTAB = """MAILTO=root
# own comment
0 3 * * * /opt/app/backup --full

*/5 * * * * /opt/app/poll
"""


@pytest.fixture
def family(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process of a name of its own, with a child that has left its session.

    It is the child that tells its number: then it has its own name, and the head's no more.
    """
    program, never = tmp_path / "family-head", tmp_path / "never"
    os.mkfifo(never)
    program.write_text(f"#!/bin/bash\nsetsid bash -c 'echo $$; read <{never}' & wait\n")
    program.chmod(0o755)
    process = subprocess.Popen([program], stdout=subprocess.PIPE, text=True)
    with process:
        yield process
        process.kill()


def test_boundcmd_gives_the_exit_code_of_the_command(mirror: Run) -> None:
    assert mirror("boundcmd", "20", "sh", "-c", "exit 7").code == 7
    assert mirror("boundcmd", "20", "sh", "-c", "kill -9 $$").code == 137
    assert mirror("boundcmd", "20", "/no/such/program").code == 127


def test_boundcmd_ends_what_lasts_too_long(mirror: Run, tmp_path: Path) -> None:
    file = tmp_path / "pid"
    script = f"setsid sleep 1000 & echo $! >{file}; wait"
    for seconds in ("0.5", "5", "50"):  # a busy machine needs longer to begin
        file.write_text("")
        outcome = mirror("boundcmd", seconds, "sh", "-c", script)
        assert outcome.code == 2
        assert f"lasted longer than {seconds} s" in outcome.err
        if file.read_text():
            break
    assert not is_alive(int(file.read_text()))


def test_processtree(mirror: Run, family: subprocess.Popen[str]) -> None:
    assert family.stdout is not None
    child = int(family.stdout.readline())
    listed = mirror("processtree", "list", "family-head").out.splitlines()
    assert listed[0] == f"{family.pid} family-head"
    assert listed[1].strip().startswith(f"{child} ")
    value = mirror("processtree", "list", str(child), "--json").json["processes"]
    assert [one["pid"] for one in value] == [child]
    assert mirror("processtree", "kill").code == 2
    killed = mirror("processtree", "kill", "family-head", "--json").json["killed"]
    assert sorted(killed) == sorted([family.pid, child])
    family.wait(60)
    assert not is_alive(child)


def test_a_name_lists_a_tree_once() -> None:
    known = processes()
    assert os.getpid() in known
    assert next(tree(known, os.getpid())) == (0, known[os.getpid()])
    assert heads(known, "no-such-name") == []


def test_kill_by_name_and_arguments(mirror: Run, family: subprocess.Popen[str]) -> None:
    assert family.stdout is not None
    child = int(family.stdout.readline())
    assert mirror("kill", "-name=family-head", "-level=test").out == f"{family.pid}\n"
    assert mirror("kill", "-name=family-head", "-argregex=other", "-level=test").code == 1
    outcome = mirror("kill", "-name=family-head", "-argregex=family-h.*", "-level=terminate")
    assert (outcome.code, outcome.out) == (0, f"{family.pid}\n")
    family.wait(60)
    os.kill(child, 9)
    assert mirror("kill", "-name=no-such-name", "-level=9").code == 0
    assert mirror("kill", "-level=9").code == 2


def test_entries_of_a_crontab_are_switched_off_and_on_again() -> None:
    off, changed = switch(CRONTAB, mark="app", command=None, on=False)
    assert changed == 2
    assert "# app: 0 3 * * * /opt/app/backup --full\n" in off
    assert "MAILTO=root\n# own comment\n" in off
    assert switch(off, mark="app", command=None, on=False) == (off, 0)
    assert switch(off, mark="other", command=None, on=True) == (off, 0)
    one, changed = switch(off, mark="app", command="backup", on=True)
    assert changed == 1
    assert "\n0 3 * * * /opt/app/backup --full\n" in one
    assert switch(one, mark="app", command=None, on=True)[0] == CRONTAB


def test_safebin_and_r(mirror: Run, layout: Layout) -> None:
    """Run as scripts do: by their path, and by `safekit -r`."""
    outcome = mirror("-r", "no-such-helper")
    assert outcome.code == 2
    assert "no such helper: no-such-helper" in outcome.err
    assert "boundcmd" in outcome.err
    for name in HELPERS:
        assert os.access(layout.safebin / name, os.X_OK)
    command = [str(layout.safebin / "boundcmd"), "20", "sh", "-c", "exit 5"]
    assert subprocess.run(command, check=False).returncode == 5
    command = [str(layout.command), "-r", "processtree", "list", str(os.getpid())]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert done.stdout.startswith(f"{os.getpid()} ")


def is_alive(pid: int) -> bool:
    for _ in range(1000):
        if not Path(f"/proc/{pid}").exists():
            return False
        if "\nState:\tZ" in Path(f"/proc/{pid}/status").read_text():
            return False
        time.sleep(0.02)
    return True

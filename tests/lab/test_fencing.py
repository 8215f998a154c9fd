"""Fencing on real nodes: a script of the module that has the host's power taken, and fence_dummy.

The agent notes that it was called; the test takes the power and lets the agent see it.
"""

import re
import shutil
import time
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from mirror.adapters.lab import plan
from mirror.adapters.lab.client import Lab
from tests.lab.looking import (
    MODULE,
    RETURN_S,
    SHIPPED,
    await_in_log,
    await_states,
    holds_address,
    opened,
    serve_at,
    told_state,
)

pytestmark = [pytest.mark.lab, pytest.mark.slow]

SHOT, OFF = "root/shot", "root/off"
AGENT = f"""#!/bin/sh
action=
while read -r line; do
    case $line in action=*) action=${{line#action=}} ;; esac
done
case $action in
    off) : >/{SHOT} ;;
    status) [ ! -e /{OFF} ] || exit 2 ;;
esac
exit 0
"""
DELAY_S = 15  # a machine at work must not make the first one the later one
BY_SCRIPT = f'<fence exec="off" delay="{DELAY_S}s" timeout="60s"/>'
BY_AGENT = (
    '<fence agent="fence_dummy" delay="0"><option name="status_file" value="/root/power"/></fence>'
)


def fenced_module(directory: Path) -> Path:
    """The shipped module, with <fence>."""
    module = directory / MODULE
    shutil.copytree(SHIPPED, module)
    file = module / "conf" / "userconfig.xml"
    text, count = re.subn("</service>", f"{BY_SCRIPT}</service>", file.read_text())
    assert count == 1
    file.write_text(text)
    script = module / "bin" / "off"
    script.write_text(AGENT)
    script.chmod(0o755)
    return module


def open_pair(run_name: str, directory: Path) -> AbstractContextManager[Lab]:
    return opened(f"{run_name}-fencing", fenced_module(directory))


def file_of(lab: Lab, host: str, name: str) -> Path:
    return Path(f"/proc/{lab.pid(host)}/root") / name


def await_shot(lab: Lab, host: str) -> None:
    deadline = time.monotonic() + RETURN_S
    while not file_of(lab, host, SHOT).exists():
        assert time.monotonic() < deadline, f"{host} does not call its agent"
        time.sleep(0.02)


def test_parted_the_one_that_serves_shoots_first_and_the_other_never(pair: Lab) -> None:
    pair.cut("n1")
    await_shot(pair, "n1")
    assert not file_of(pair, "n2", SHOT).exists()
    assert told_state(pair, "n1").startswith("PRIM")
    pair.power_off("n2")
    file_of(pair, "n1", OFF).touch()
    await_states(pair, RETURN_S, n1="ALONE")
    pair.heal("n1")
    for name in (SHOT, OFF):
        file_of(pair, "n1", name).unlink()
    pair.boot("n2")
    await_states(pair, RETURN_S, n1="PRIM", n2="SECOND")


def test_no_takeover_before_the_host_is_seen_to_be_off(pair: Lab) -> None:
    serve_at(pair, "n1")
    pair.power_off("n1")
    await_shot(pair, "n2")
    assert told_state(pair, "n2").startswith("SECOND")
    assert not holds_address(pair, "n2")
    file_of(pair, "n2", OFF).touch()
    await_states(pair, RETURN_S, n2="ALONE")
    assert holds_address(pair, "n2")
    pair.boot("n1")
    await_states(pair, RETURN_S, n1="SECOND", n2="PRIM")


@pytest.mark.skipif(not Path("/usr/sbin/fence_dummy").exists(), reason="no fence-agents here")
def test_another_agent_is_taken_up_by_a_module_that_runs(pair: Lab) -> None:
    file = f"{plan.SAFE}/modules/{MODULE}/conf/userconfig.xml"
    for host in plan.NODES:
        edited = file_of(pair, host, file.removeprefix("/"))
        edited.write_text(edited.read_text().replace(BY_SCRIPT, BY_AGENT))
        pair.exec(host, ["mirror", "update", "-m", MODULE], timeout_s=RETURN_S)
    serve_at(pair, "n2")
    pair.power_off("n2")
    await_states(pair, RETURN_S, n1="ALONE")
    await_in_log(pair, "n1", "n2 is off, says fence_dummy")

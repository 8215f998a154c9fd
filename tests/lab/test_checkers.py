"""Checkers on real nodes, and what their rules do: restart, move the service, wait."""

import re
import shutil
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from mirror.adapters.lab.client import Lab
from tests.lab.looking import (
    MODULE,
    RETURN_S,
    SHIPPED,
    await_in_log,
    await_state,
    await_states,
    opened,
    serve_at,
)

pytestmark = [pytest.mark.lab, pytest.mark.slow]

GATEWAY = "10.77.1.10"  # the client's address: whoever cannot reach it waits
CHECKS = f"""<failover period="500ms" handle_time="1s"/>
<check>
<tcp ident="app" when="prim"><to addr="127.0.0.1" port="7777" interval="1s" timeout="10s"/></tcp>
<ping ident="way" when="pre"><to addr="{GATEWAY}" interval="1s" timeout="10s"/></ping>
<custom ident="health" when="prim" exec="look" action="stopstart"/>
</check></service>"""
# Returns when the application listens, and the other when it does no more: what is looked at in
# between is neither.
START = """#!/bin/sh
exec python3 -c '
import os, socket
listener = socket.create_server(("", 7777))
if child := os.fork():
    open("/run/app.pid", "w").write(str(child))
    os._exit(0)
os.setsid()
while True:
    listener.accept()[0].close()
' </dev/null >/dev/null 2>&1
"""
STOP = """#!/bin/sh
while kill -9 $(cat /run/app.pid); do sleep 0.1; done
rm -f /run/app.pid /run/sick
"""
LOOK = """#!/bin/sh
# Arguments: module, resource.
while :; do
    if [ -e /run/sick ]; then now=down; else now=up; fi
    [ "$now" = "${said:-}" ] || "$SAFE/safekit" set -m "$1" -r "$2" -v "$now" -i look
    said=$now
    sleep 0.2
done
"""


def checked_module(directory: Path) -> Path:
    """The shipped module with an application and what watches it."""
    module = directory / MODULE
    shutil.copytree(SHIPPED, module)
    file = module / "conf" / "userconfig.xml"
    text, count = re.subn("</service>", CHECKS, file.read_text())
    assert count == 1
    file.write_text(text)
    for name, script in (("start_prim", START), ("stop_prim", STOP), ("look", LOOK)):
        (module / "bin" / name).write_text(script)
        (module / "bin" / name).chmod(0o755)
    return module


def open_pair(run_name: str, directory: Path) -> AbstractContextManager[Lab]:
    return opened(f"{run_name}-checkers", checked_module(directory))


def test_an_application_that_does_not_answer_is_restarted_where_it_is(pair: Lab) -> None:
    await_in_log(pair, "n1", "Resource tcp.app set to up")
    pair.exec("n1", ["sh", "-c", "kill -9 $(cat /run/app.pid)"])
    await_in_log(pair, "n1", "Action restart from failover rule t_app")
    await_in_log(pair, "n1", "Resource tcp.app set to up", count=2)
    await_states(pair, RETURN_S, n1="PRIM", n2="SECOND")


def test_what_a_program_of_the_module_finds_moves_the_service(pair: Lab) -> None:
    serve_at(pair, "n1")
    pair.exec("n1", ["touch", "/run/sick"])
    await_in_log(pair, "n1", "Action stopstart from failover rule c_health")
    await_states(pair, RETURN_S, n1="SECOND", n2="PRIM")


def test_who_cannot_reach_the_gateway_waits_and_is_woken(pair: Lab) -> None:
    serve_at(pair, "n2")
    pair.exec("n1", ["mirror", "stop", "-m", MODULE])
    pair.exec("n1", ["mirror", "waitstate", "-m", MODULE, "STOP"], timeout_s=RETURN_S)
    await_states(pair, RETURN_S, n2="ALONE")
    pair.exec("n1", ["ip", "route", "add", "blackhole", f"{GATEWAY}/32"])
    pair.exec("n1", ["mirror", "start", "-m", MODULE])
    await_in_log(pair, "n1", "Resource ping.way set to down")
    await_state(pair, "n1", "WAIT (NotReady)")
    pair.exec("n1", ["ip", "route", "del", "blackhole", f"{GATEWAY}/32"])
    await_states(pair, RETURN_S, n1="SECOND", n2="PRIM")
    await_in_log(pair, "n1", "Action wakeup from failover rule Implicit_wakeup")

"""capture="watch" on real nodes: nothing is mounted, the copy follows, and may be behind."""

import json
import shutil
import time
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from mirror.adapters.lab import plan
from mirror.adapters.lab.client import Lab
from tests.lab.looking import (
    MODULE,
    RETURN_S,
    SHIPPED,
    TAKEOVER_S,
    assert_equal,
    await_in_log,
    await_states,
    opened,
    serve_at,
)

pytestmark = [pytest.mark.lab, pytest.mark.slow]

TOP = plan.REPLICATED_DIRECTORY


def open_pair(run_name: str, directory: Path) -> AbstractContextManager[Lab]:
    module = directory / MODULE
    shutil.copytree(SHIPPED, module)
    file = module / "conf/userconfig.xml"
    text = file.read_text()
    assert '<rfs barrier="write"' in text
    file.write_text(text.replace('<rfs barrier="write"', '<rfs capture="watch"'))
    return opened(f"{run_name}-watch", module)


def shell(lab: Lab, host: str, script: str) -> str:
    return lab.exec(host, ["sh", "-c", script]).stdout


def ask(lab: Lab, host: str, *words: str, check: bool = True) -> Any:
    done = lab.exec(host, ["mirror", *words, "-m", MODULE, "--json"], check=check)
    return json.loads(done.stdout)


def seen(lab: Lab, host: str) -> dict[str, Any]:
    module: dict[str, Any] = ask(lab, host, "state")["modules"][MODULE]
    return module


def await_copy(lab: Lab, host: str) -> None:
    """Wait until the serving node says that the other one lacks nothing."""
    deadline = time.monotonic() + RETURN_S
    while (found := seen(lab, host)["replication"])["watch"]["lag_ms"] or found["index"]:
        assert time.monotonic() < deadline, found
        time.sleep(0.2)


def test_the_application_writes_to_a_plain_directory(pair: Lab) -> None:
    assert "fuse" not in shell(pair, "n1", f"findmnt -no FSTYPE -T {TOP}")
    shell(pair, "n1", f"cd {TOP} && mkdir -p d/e && head -c 3000000 /dev/urandom > d/e/big")
    shell(pair, "n1", f"cd {TOP} && echo one > d/small && ln -s small d/link && mv d moved")
    assert_equal(pair)
    await_copy(pair, "n1")
    assert shell(pair, "n2", f"cat {TOP}/moved/link") == "one\n"
    for host in plan.NODES:
        assert "asynchronous" in seen(pair, host)["safety"]
    shown, deadline = "", time.monotonic() + RETURN_S
    while "copies: asynchronous, 0.0 s behind" not in shown:
        assert time.monotonic() < deadline, shown
        shown = pair.exec("n1", ["mirror", "state", "-m", MODULE]).stdout
    refused = ask(pair, "n1", "rfsverify", check=False)
    assert refused["error"]["code"] == "MIR-515"


def test_an_orderly_stop_leaves_nothing_behind(pair: Lab) -> None:
    serve_at(pair, "n1")
    shell(
        pair, "n1", f"cd {TOP} && head -c 5000000 /dev/urandom > last && mirror stop -m {MODULE}"
    )
    await_states(pair, TAKEOVER_S, n2="ALONE")
    assert shell(pair, "n2", f"stat -c %s {TOP}/last") == "5000000\n"
    shell(pair, "n2", f"cd {TOP} && rm last && mkdir -p moved && echo two > moved/small")
    pair.exec("n1", ["mirror", "start", "-m", MODULE])
    await_states(pair, RETURN_S, n1="SECOND", n2="PRIM")
    assert_equal(pair)
    await_copy(pair, "n2")
    assert ask(pair, "n1", "kept")["files"] == []


def test_what_was_not_sent_is_kept_aside_after_a_takeover(pair: Lab) -> None:
    serve_at(pair, "n2")
    shell(pair, "n2", f"cd {TOP} && mkdir -p moved && echo three > moved/small && echo new > late")
    pair.power_off("n2")
    await_states(pair, TAKEOVER_S, n1="ALONE")
    await_in_log(pair, "n1", "what n2 wrote last may be missing here")
    shell(pair, "n1", f"cd {TOP} && echo four >> moved/small")
    pair.boot("n2")
    await_states(pair, RETURN_S, n1="PRIM", n2="SECOND")
    assert_equal(pair)
    await_copy(pair, "n1")

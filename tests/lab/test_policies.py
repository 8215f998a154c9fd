"""What an administrator decided in advance: policy="ask" and syncdelta, on real nodes."""

import json
import re
import shutil
import time
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from mirror.adapters.lab import module_setup, plan
from mirror.adapters.lab.client import Lab
from tests.lab.looking import (
    MODULE,
    RETURN_S,
    SHIPPED,
    TAKEOVER_S,
    assert_equal,
    await_in_log,
    await_no_address,
    await_states,
    opened,
    serve_at,
)

pytestmark = [pytest.mark.lab, pytest.mark.slow]

TOP = plan.REPLICATED_DIRECTORY


def with_rfs(directory: Path, attributes: str) -> Path:
    """The shipped module, its <rfs> with these attributes."""
    module = directory / MODULE
    shutil.copytree(SHIPPED, module)
    file = module / "conf" / "userconfig.xml"
    file.write_text(re.sub(r"<rfs\b", f"<rfs {attributes}", file.read_text(), count=1))
    return module


def open_pair(run_name: str, directory: Path) -> AbstractContextManager[Lab]:
    module = with_rfs(directory, 'policy="ask" syncdelta="10m"')
    return opened(f"{run_name}-policies", module)


def shell(lab: Lab, host: str, script: str) -> str:
    return lab.exec(host, ["sh", "-c", script]).stdout


def seen(lab: Lab, host: str) -> dict[str, Any]:
    """The whole state of the module on a node; {} while it does not answer."""
    done = lab.exec(host, ["mirror", "state", "-m", MODULE, "--json"], check=False)
    found: dict[str, Any] = json.loads(done.stdout).get("modules", {}).get(MODULE, {})
    return found


def waits(lab: Lab, host: str) -> bool:
    found = seen(lab, host)
    return found.get("detail") == "WAIT" and found.get("split") == "seen"


def both_wait(lab: Lab) -> bool:
    return all(waits(lab, host) for host in plan.NODES)


def await_that(condition: object, timeout_s: float, what: str) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline, what
        time.sleep(0.2)


def test_after_a_split_brain_the_administrator_chooses(pair: Lab) -> None:
    shell(pair, "n1", f"echo before > {TOP}/both")
    pair.cut("n1")
    await_states(pair, TAKEOVER_S, n1="ALONE", n2="ALONE")
    for host in plan.NODES:
        shell(pair, host, f"echo of {host} > {TOP}/both; sync")
    pair.heal("n1")

    await_that(lambda: both_wait(pair), RETURN_S, "they do not wait")
    for host in plan.NODES:
        await_no_address(pair, host)
        assert shell(pair, host, f"cat {TOP}/both") == f"of {host}\n"
        values = seen(pair, host)
        assert values["reason"].startswith("Split brain: both nodes changed data alone")
        changed = ["mirror", "kept", "changed", "-m", MODULE, "--json"]
        listed = json.loads(pair.exec(host, changed).stdout)
        assert "both" in {one["path"] for one in listed["files"]}
    pair.exec("n2", ["mirror", "prim", "-m", MODULE])
    await_states(pair, RETURN_S, n2="PRIM", n1="SECOND")
    assert shell(pair, "n2", f"cat {TOP}/both") == "of n2\n"
    listed = json.loads(pair.exec("n2", ["mirror", "kept", "-m", MODULE, "--json"]).stdout)
    assert [(one["node"], one["path"]) for one in listed["files"]] == [("n1", "both")]
    assert_equal(pair)


def test_the_first_one_back_serves_when_it_is_young_enough(pair: Lab) -> None:
    serve_at(pair, "n2")
    pair.power_off("n1")
    await_states(pair, TAKEOVER_S, n2="ALONE")
    shell(pair, "n2", f"echo n1 does not know it > {TOP}/newer; sync {TOP}/newer")
    pair.power_off("n2")
    pair.boot("n1")
    module_setup.await_node(pair, "n1")
    await_states(pair, RETURN_S, n1="ALONE")
    await_in_log(pair, "n1", "Action start called by syncdelta")

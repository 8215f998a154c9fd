"""`restart` while its control plane dies: the next one ends what was begun."""

import shutil
from pathlib import Path

import pytest

from mirror.adapters.lab import plan
from tests.lab.looking import (
    MODULE,
    RETURN_S,
    SHIPPED,
    await_in_log,
    await_states,
    opened,
    times_in_log,
)

pytestmark = [pytest.mark.lab, pytest.mark.slow]

HOLD = f"{plan.REPLICATED_DIRECTORY}/hold"
STOPPED = "stop_prim was here"
TWICE = "stop_prim beside another one"


def module_that_stops_slowly(directory: Path) -> Path:
    """The shipped module; its stop_prim waits for as long as there is a file."""
    module = directory / MODULE
    shutil.copytree(SHIPPED, module)
    script = module / "bin" / "stop_prim"
    wait = f'while [ "${{1:-}}" != force ] && [ -e {HOLD} ]; do sleep 0.05; done'
    alone = f'exec 9>/run/stopping; flock -n 9 || $SAFE/safekit printi "{TWICE}"'
    script.write_text(f'#!/bin/sh\n{alone}\n$SAFE/safekit printi "{STOPPED}"\n{wait}\n')
    return module


def test_a_restart_is_ended_by_the_next_control_plane(run_name: str, tmp_path: Path) -> None:
    with opened(f"{run_name}-restart", module_that_stops_slowly(tmp_path)) as lab:
        started = times_in_log(lab, "n1", "Script start_prim")
        lab.exec("n1", ["touch", HOLD])
        lab.exec("n1", ["mirror", "restart", "-m", MODULE])
        await_in_log(lab, "n1", STOPPED)
        lab.kill("n1", "control")
        await_in_log(lab, "n1", "Action restart called by heart")
        await_in_log(lab, "n1", STOPPED, 2)
        assert not times_in_log(lab, "n1", TWICE)
        lab.exec("n1", ["rm", HOLD])
        await_in_log(lab, "n1", "Script start_prim", started + 1)
        await_states(lab, RETURN_S, n1="PRIM", n2="SECOND")

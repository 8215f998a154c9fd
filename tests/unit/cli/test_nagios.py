"""check-nagios: the line and the exit code of the plugin interface."""

from pathlib import Path
from typing import Any

import pytest

from mirror.cli.nagios import Level, disk_level, judge

from .conftest import ControlPlane, Run

STATE = {"state": "PRIM", "ready": "Ready", "reason": "both are in step", "directories": []}


@pytest.mark.parametrize(
    ("values", "code", "word"),
    [
        ({}, 0, "OK"),
        ({"state": "SECOND"}, 0, "OK"),
        ({"state": "ALONE", "reason": "no heartbeat"}, 1, "WARNING"),
        ({"ready": "Transient"}, 1, "WARNING"),
        ({"state": "STOP", "ready": "NotReady"}, 2, "CRITICAL"),
        ({"reason": "split brain: both went on alone"}, 2, "CRITICAL"),
    ],
)
def test_a_state_is_a_level(
    mirror: Run, control_plane: ControlPlane, values: dict[str, Any], code: int, word: str
) -> None:
    control_plane.answers["state"] = {"modules": {"web": STATE | values}}
    outcome = mirror("check-nagios", "-m", "web")
    assert outcome.code == code
    assert outcome.out.startswith(f"MIRROR {word} - web ")
    assert outcome.out.count("\n") == 1


def test_the_worst_of_all_counts_and_figures_follow_the_bar(
    mirror: Run, control_plane: ControlPlane, tmp_path: Path
) -> None:
    directories = [str(tmp_path)]
    progress = {"percent": 40}
    control_plane.answers["state"] = {
        "modules": {
            "web": STATE | {"directories": directories, "replication": {"changes": 9}},
            "db": STATE | {"state": "ALONE", "reason": "a | b", "progress": progress},
        }
    }
    outcome = mirror("check-nagios", "--disk-warning", "100", "--disk-critical", "100")
    line, _, figures = outcome.out.strip().partition(" | ")
    assert (outcome.code, line) == (1, "MIRROR WARNING - db ALONE Ready: a / b")
    assert "'web serves'=1;;;0;1 'web changes'=9c" in figures
    assert f"'{tmp_path}'=" in figures
    assert "'db reintegration'=40%;;;0;100" in figures
    full = mirror("check-nagios", "-m", "web", "--disk-warning", "1", "--disk-critical", "1")
    assert (full.code, "% full" in full.out) == (2, True)


def test_what_is_not_known_is_unknown(mirror: Run, control_plane: ControlPlane) -> None:
    control_plane.answers["state"] = {"modules": {}}
    assert mirror("check-nagios").code == 3
    assert mirror("check-nagios", "-m", "web").out == (
        "MIRROR UNKNOWN - web is not configured on this node\n"
    )


def test_a_silent_node_is_unknown(mirror: Run) -> None:
    outcome = mirror("check-nagios")
    assert outcome.code == 3
    assert "(MIR-302)" in outcome.out


def test_levels() -> None:
    assert [disk_level(part, 80, 90) for part in (79, 80, 90)] == [0, 1, 2]
    assert judge("web", {})[0] is Level.WARNING

"""The small files of a module on a full disk: what is needed next was given room before."""

import asyncio
import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from mirror.adapters import script_in_hand
from mirror.adapters.scripts import ScriptRunner
from mirror.config.layout import Layout, ModuleLayout
from mirror.daemon.node.fence_file import FenceFile, read_fence_files, write_fence_file
from mirror.daemon.node.saved_state import read_saved_state, write_saved_state
from mirror.daemon.plane.settings import PlaneSettings
from mirror.vocabulary.actions import SaveState
from mirror.vocabulary.states import Goal, State
from tests.mount.small_disk import small_disk

pytestmark = pytest.mark.mount

FENCE = FenceFile("db", "n1", "n2", 1000, ("10.0.0.5",), ("/srv/db",))
PLANE = PlaneSettings("db", "n1", "n2", "s", ("/srv/db",), "l", "i", 1, "ca", "c", "k")


@pytest.fixture
def layout(tmp_path: Path) -> Iterator[Layout]:
    with small_disk(tmp_path / "disk", 4 << 20):
        made = Layout(tmp_path / "safe", tmp_path / "disk")
        made.module("db").state.mkdir(parents=True)
        yield made


def fill(layout: Layout) -> None:
    """Leave no free block."""
    filler = layout.safevar / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(1024))
        except OSError:
            os.fsync(file.fileno())


def fill_names(layout: Layout) -> None:
    """Leave no block for another name among the logs of scripts either."""
    fill(layout)
    try:
        for number in range(1_000_000):
            (layout.module("db").working / f"filler{number}").touch()
    except OSError:
        return


def write_all(paths: ModuleLayout, state: State, timeout_ms: int) -> None:
    write_saved_state(paths.state, SaveState(state, Goal.START.value, "5e5510"))
    write_fence_file(paths, replace(FENCE, timeout_ms=timeout_ms))
    replace(PLANE, io_timeout_ms=timeout_ms).write(paths.data_plane_config)
    script_in_hand.note(paths.state, "stop_prim", os.getpid(), state.value)


def test_what_the_next_process_needs_is_replaced(layout: Layout) -> None:
    paths = layout.module("db")
    write_all(paths, State.PRIM, 1)
    fill(layout)
    for state, timeout_ms in ((State.FREEZING, 22), (State.ALONE, 333)):
        write_all(paths, state, timeout_ms)
        saved = read_saved_state(paths.state)
        assert saved is not None
        assert saved.state is state
        assert read_fence_files(layout.safevar / "modules")[0].timeout_ms == timeout_ms
        assert PlaneSettings.read(paths.data_plane_config).io_timeout_ms == timeout_ms
        script = script_in_hand.find(paths.state)
        assert script is not None
        assert script.group == state.value


def test_a_script_whose_output_finds_no_room_runs_all_the_same(layout: Layout) -> None:
    paths = layout.module("db")
    paths.applied_bin.mkdir(parents=True)
    said = layout.safe / "said"
    script = paths.applied_bin / "start_prim"
    script.write_text(f"#!{sys.executable}\nopen('{said}', 'w').close()\n")
    script.chmod(0o755)
    fill_names(layout)
    runner = ScriptRunner(layout, "db", cgroup2=None)
    result = asyncio.run(runner.run("start_prim"))
    assert result.succeeded
    assert result.log_path is None
    assert said.exists()

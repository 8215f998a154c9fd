"""The small files between one control plane and the next, and between it and the guardian."""

import json
from dataclasses import replace
from pathlib import Path

from mirror.config.layout import Layout
from mirror.daemon.guardian import START_MS_A_MODULE, START_MS_MAX, start_ms_max
from mirror.daemon.node.fence_file import FenceFile, read_fence_files, write_fence_file
from mirror.daemon.node.saved_state import NAME, boot_name, read_saved_state, write_saved_state
from mirror.vocabulary.actions import SaveState
from mirror.vocabulary.states import Goal, State

SAVED = SaveState(State.PRIM, Goal.START.value, "5e5510")
FENCE = FenceFile("db", "n1", "n2", 1000, ("10.0.0.5",), ("/srv/db",))


def test_the_state_is_found_again_in_the_same_boot(tmp_path: Path) -> None:
    assert read_saved_state(tmp_path) is None
    write_saved_state(tmp_path, SAVED)
    assert read_saved_state(tmp_path) == SAVED


def test_another_boot_finds_nothing(tmp_path: Path) -> None:
    write_saved_state(tmp_path, SAVED)
    file = tmp_path / NAME
    content = json.loads(file.read_text())
    assert content["boot"] == boot_name() != ""
    file.write_text(json.dumps(content | {"boot": "an earlier one"}))
    assert read_saved_state(tmp_path) is None


def test_a_damaged_state_counts_as_none(tmp_path: Path) -> None:
    write_saved_state(tmp_path, SAVED)
    file = tmp_path / NAME
    for damaged in ("", "{}", '{"state": "FLYING"}', "[1]"):
        file.write_text(damaged)
        assert read_saved_state(tmp_path) is None


def test_the_guardian_reads_what_was_written_and_skips_what_is_damaged(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "safe", tmp_path / "var")
    for name in ("db", "bad"):
        layout.module(name).state.mkdir(parents=True)
    write_fence_file(layout.module("db"), FENCE)
    (layout.module("bad").state / "guardian.json").write_text('{"module": "bad"}')
    assert read_fence_files(layout.safevar / "modules") == [FENCE]


def test_a_control_plane_has_the_longer_to_load_the_more_modules_there_are(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "safe", tmp_path / "var")
    assert start_ms_max(layout) == START_MS_MAX
    for name in ("db", "web", "mail"):
        layout.module(name).state.mkdir(parents=True)
        write_fence_file(layout.module(name), replace(FENCE, module=name))
    assert start_ms_max(layout) == START_MS_MAX + 3 * START_MS_A_MODULE

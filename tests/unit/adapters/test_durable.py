"""Files whole or absent, with the rights asked for."""

import os
import stat
from pathlib import Path

import pytest

from mirror.adapters.durable import make_directory, write_durably, write_into_reserve


def test_content_and_mode_are_those_asked_for_whatever_the_umask(tmp_path: Path) -> None:
    path = tmp_path / "key"
    before = os.umask(0)
    try:
        write_durably(path, b"one")
        write_durably(tmp_path / "public", b"two", mode=0o644)
    finally:
        os.umask(before)
    assert path.read_bytes() == b"one"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "public").stat().st_mode) == 0o644


def test_a_failure_leaves_the_old_file_and_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "record"
    path.mkdir()  # a directory cannot be replaced by a file
    (path / "old").touch()
    with pytest.raises(OSError, match="directory"):
        write_durably(path, b"new")
    assert [entry.name for entry in tmp_path.iterdir()] == ["record"]


def test_parents_are_made_and_existing_ones_keep_their_mode(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    make_directory(tmp_path / "a" / "b")
    make_directory(tmp_path / "a" / "b")
    assert stat.S_IMODE((tmp_path / "a" / "b").stat().st_mode) == 0o700
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o755


def test_a_file_with_a_reserve_is_replaced_again_and_again(tmp_path: Path) -> None:
    path = tmp_path / "record"
    for content in (b"one", b"a longer one" * 1000, b"two", b""):
        write_into_reserve(path, content)
        assert path.read_bytes().rstrip(b" ") == content
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert sorted(each.name for each in tmp_path.iterdir()) == [".record.reserve", "record"]
        assert (tmp_path / ".record.reserve").stat().st_size == path.stat().st_size


@pytest.mark.parametrize("step", ["fsync", "hardlink_to", "replace", "replace again", "whole"])
def test_a_reserve_cut_at_any_point_holds_the_old_file_or_the_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    path = tmp_path / "record"
    write_into_reserve(path, b"old")
    acts: list[str] = []

    def cut(name: str) -> None:
        acts.append(name if name not in acts else f"{name} again")
        if acts[-1] == step:
            raise KeyboardInterrupt

    def before(owner: object, name: str) -> None:
        act = getattr(owner, name)

        def perform(*arguments: object) -> object:
            cut(name)
            return act(*arguments)

        monkeypatch.setattr(owner, name, perform)

    before(os, "fsync")
    before(Path, "hardlink_to")
    before(Path, "replace")
    if step == "whole":
        write_into_reserve(path, b"new")
    else:
        with pytest.raises(KeyboardInterrupt):
            write_into_reserve(path, b"new")
    monkeypatch.undo()
    assert path.read_bytes().rstrip(b" ") == (b"new" if len(acts) > 3 else b"old")
    write_into_reserve(path, b"the next")
    assert path.read_bytes().rstrip(b" ") == b"the next"
    assert sorted(each.name for each in tmp_path.iterdir()) == [".record.reserve", "record"]

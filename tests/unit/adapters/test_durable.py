"""Files whole or absent, with the rights asked for."""

import os
import stat
from pathlib import Path

import pytest

from mirror.adapters.durable import make_directory, write_durably


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

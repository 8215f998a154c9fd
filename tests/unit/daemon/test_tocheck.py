"""What must exist beneath a replicated directory exists, or the data plane does not start."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from mirror.adapters.data_plane_client import DataPlaneClient
from mirror.daemon.plane.directories import Directory
from mirror.daemon.plane.settings import PlaneSettings
from mirror.errors import DataPlaneNotStarted, DirectoryNotReady


def settings_in(tmp_path: Path) -> PlaneSettings:
    (tmp_path / "data").mkdir()
    return PlaneSettings(
        module="m",
        node="n1",
        peer="n2",
        socket=str(tmp_path / "socket"),
        directories=(str(tmp_path / "data"),),
        lower_prefix=str(tmp_path / "lower."),
        index_directory=str(tmp_path / "index"),
        listen_port=0,
        ca="",
        certificate="",
        key="",
        to_check=(("disk/is/mounted",),),
        rules=((("path", "cache"),),),
    )


def test_settings_are_what_was_written(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    settings.write(tmp_path / "plane.json")
    assert PlaneSettings.read(tmp_path / "plane.json") == settings
    assert replace(settings, to_check=(), rules=()).rules_of(3) == ()


def test_a_missing_path_is_named(tmp_path: Path) -> None:
    (tmp_path / "there").touch()
    directory = Directory(0, str(tmp_path), str(tmp_path / "lower.0"))
    directory.check(["there"])
    with pytest.raises(DirectoryNotReady, match="missing of <tocheck> is missing"):
        directory.check(["there", "missing"])


def test_the_data_plane_says_so_and_touches_nothing(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    settings.write(tmp_path / "plane.json")
    client = DataPlaneClient(
        "m",
        tmp_path / "plane.json",
        tmp_path / "socket",
        tmp_path / "log",
        on_event=lambda _: None,
        on_lost=lambda _: None,
    )
    with pytest.raises(DataPlaneNotStarted, match="disk/is/mounted of <tocheck> is missing"):
        asyncio.run(client.ensure())
    assert list((tmp_path / "data").iterdir()) == []

"""A version kept aside takes the place of what an application has written just now."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest

from mirror.adapters.local_client import LocalClient
from mirror.cli.kept import _Running
from mirror.daemon.plane.aside import RESTORED_OVER
from mirror.daemon.plane.directories import Directory
from mirror.daemon.plane.kept import KeptVersions
from tests.mount.pair import Pair, open_pair

pytestmark = pytest.mark.mount


class Here:
    """The verbs of a data plane, answered in this process."""

    def __init__(self, pair: Pair) -> None:
        directory = Directory(0, str(pair.mount), str(pair.left))
        self._kept = KeptVersions(pair.primary, [directory], ("n1", "n2"), lambda: None)

    def call(self, verb: str, **fields: Any) -> Any:
        if verb == "kept_list":
            return {"serves": True, **self._kept.list()}
        if verb == "kept_hold":
            return self._kept.hold(**fields)
        return self._kept.read(**fields)


def test_what_is_replaced_is_kept_with_what_was_not_written_back_yet(tmp_path: Path) -> None:
    with open_pair(tmp_path, writeback=True) as pair:
        file = pair.mount / "file"
        file.write_bytes(b"first")
        here = Here(pair)
        running = _Running(cast("LocalClient", here))
        running.listing()
        here.call("kept_hold", root=0, path=b"file")  # the version that is restored
        (version,) = running.listing()["files"]
        with file.open("r+b", buffering=0) as held:
            held.write(b"acknowledged, and in memory")
            running.restore(version)
        assert file.read_bytes() == b"first"
        over = [each for each in running.listing()["files"] if each["id"] != version["id"]]
        assert [each["what"] for each in over] == [RESTORED_OVER]
        piece = here.call("kept_read", node="n1", version=over[0]["id"], offset=0, size=100)
        assert piece["data"] == b"acknowledged, and in memory"

"""The console while SAFEVAR is full: who looks, sees; who changes something, is told why not."""

import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from mirror.adapters.console import credentials
from mirror.adapters.console.credentials import Credentials
from mirror.adapters.console.database import Database
from mirror.adapters.console.roles import Role
from mirror.errors import ConsoleDatabaseFailed

from .world import START_S, Node

BLOCK = b"x" * 4096


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Node]:
    """A node whose SAFEVAR is a disk of its own; the log is beside it."""
    node = Node(tmp_path)
    node.layout.safevar.mkdir()
    mount = ("mount", "-t", "tmpfs", "-o", "size=4m", "none", str(node.layout.safevar))
    subprocess.run(mount, check=True)
    try:
        yield node.make()
    finally:
        node.stop()
        subprocess.run(("umount", "-l", str(node.layout.safevar)), check=True)


def fill(node: Node) -> Path:
    filler = node.layout.safevar / "filler"
    with filler.open("wb", buffering=0) as file, suppress(OSError):
        while file.write(BLOCK):
            pass
    return filler


def test_who_is_signed_in_goes_on_looking_and_a_change_is_refused_until_there_is_room(
    small: Node,
) -> None:
    admin, nobody = small.start().browser(Role.ADMIN), small.browser()
    filler = fill(small)
    assert admin.get("/api/v1/state").status_code == 200
    assert admin.post("/api/v1/userconfig/check", xml="<safe/>").status_code == 200
    refused = admin.put("/api/v1/users/nora", role="Monitor", password="correct horse battery")
    assert (refused.status_code, refused.json()["code"]) == (503, "MIR-815")
    assert "the disk is full" in refused.json()["detail"]
    assert nobody.sign_in("admin", "x").json()["code"] == "MIR-815"
    filler.unlink()
    again = admin.put("/api/v1/users/nora", role="Monitor", password="correct horse battery")
    assert again.status_code == 200, again.text
    assert "Traceback" not in small.log


def test_a_console_that_cannot_start_says_so_in_one_sentence(small: Node) -> None:
    small.start()
    assert small.stop() == 0
    before, _ = small.log, fill(small)
    with suppress(httpx.HTTPError):  # it answers nothing
        small.start()
    assert small.process is not None
    assert small.process.wait(START_S) == ConsoleDatabaseFailed.exit_code
    said = small.log.removeprefix(before).splitlines()
    assert len(said) == 1, said
    assert "the disk is full" in said[0]


def test_that_a_session_was_seen_is_good_to_know_and_no_more(
    small: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(credentials, "SEEN_EVERY_US", 0)
    with Database(small.layout.safevar) as database:
        held = Credentials(database)
        secret, _ = held.open_session("admin", "here")
        fill(small)
        found = held.session(secret, active=True)
        with pytest.raises(ConsoleDatabaseFailed, match="the disk is full"):
            held.close_session(secret)
    assert found is not None

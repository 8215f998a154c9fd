"""A dirty index that cannot be trusted at a start: bad sectors, damage, or it is gone.

Real data planes, on a disk that cannot read some of its blocks.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from mirror.adapters.data_plane_client import DataPlaneClient
from mirror.adapters.pki import create_cluster, issue_node
from mirror.adapters.pki_files import PkiFiles
from mirror.daemon.plane.settings import PlaneSettings
from mirror.errors import DataPlaneNotStarted
from tests.free_port import free_port
from tests.mount.small_disk import FailingDisk, failing_disk

pytestmark = [
    pytest.mark.mount,
    # A data plane outlives who started it; whoever holds its socket ends it.
    pytest.mark.filterwarnings("ignore:.*Popen.__del__"),
]

DISK_BYTES = 160 << 20
INDEX_BYTES = 16 << 20
FILES = 300  # noted one by one: more than one page of the index
AWAIT_S = 120


class Node:
    """One data plane, again and again. said: its events since its last start, in order."""

    def __init__(self, directory: Path, disk: FailingDisk) -> None:
        self.disk = disk
        self.top = directory / "disk"
        self.said: list[dict[str, Any]] = []
        self._directory = directory
        self._configure()

    @property
    def index(self) -> Path:
        """The file of the dirty index."""
        return self.top / "index" / "data.mdb"

    def _configure(self) -> None:
        (self.top / "data").mkdir()
        create_cluster(self._directory)
        issue_node(self._directory, "n1", ["127.0.0.1"], self._directory / "n1")
        own = PkiFiles(self._directory / "n1")
        PlaneSettings(
            module="m",
            node="n1",
            peer="n2",
            socket=str(self._directory / "socket"),
            directories=(str(self.top / "data"),),
            lower_prefix=str(self._directory / "lower."),
            index_directory=str(self.top / "index"),
            index_bytes=INDEX_BYTES,
            listen_port=free_port(),
            ca=str(own.ca_certificate),
            certificate=str(own.node_certificate),
            key=str(own.node_key),
        ).write(self._directory / "plane.json")

    def client(self) -> DataPlaneClient:
        self.said.clear()
        return DataPlaneClient(
            "m",
            self._directory / "plane.json",
            self._directory / "socket",
            self._directory / "log",
            on_event=self.said.append,
            on_lost=lambda _: None,
        )


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    """It serves alone, then its data plane was killed: its index names what the peer lacks."""
    with failing_disk(tmp_path / "disk", DISK_BYTES) as disk:
        made = Node(tmp_path, disk)
        asyncio.run(live_alone(made))
        yield made


@asynccontextmanager
async def running(node: Node) -> AsyncIterator[DataPlaneClient]:
    """A data plane, which is killed at the end."""
    client = node.client()
    await client.ensure()
    try:
        yield client
    finally:
        client.kill()
        await client.wait_gone()


async def live_alone(node: Node) -> None:
    async with running(node) as client:
        await client.call("adopt", {})
        await client.call("serve", {})
        await client.call("go_alone", {"generation": "00" * 16})
        for number in range(FILES):
            await asyncio.to_thread((node.top / "data" / f"file {number}").touch)
        assert (await client.call("status", {}))["index"] >= FILES
    assert node.said == []


def start_again(node: Node, *, compares_all: bool) -> list[str]:
    """Start; the sentences about the index. compares_all: what it names is everything."""

    async def story() -> None:
        async with running(node) as client:
            while True:  # the scan of the start marks it, soon
                estimate = await client.call("estimate", {})
                if bool(estimate["whole"]) == compares_all:
                    break

    asyncio.run(asyncio.wait_for(story(), AWAIT_S))
    return [str(each["sentence"]) for each in node.said if each["event"] == "index_lost"]


def test_one_that_is_good_is_believed(node: Node) -> None:
    node.disk.forget(node.index)
    assert start_again(node, compares_all=False) == []


def lose_first_page(node: Node) -> None:
    node.disk.lose(node.index, 0, 1)


def lose_tree(node: Node) -> None:
    node.disk.lose(node.index, 2, 16)


def damage_tree(node: Node) -> None:
    with node.index.open("r+b") as file:
        file.seek(2 << 12)
        file.write(b"damage" * (16 << 9))


def cut_short(node: Node) -> None:
    os.truncate(node.index, 3 << 12)


def empty(node: Node) -> None:
    os.truncate(node.index, 0)


def remove(node: Node) -> None:
    node.index.unlink()


@pytest.mark.parametrize(
    ("lose", "sentence"),
    [
        (lose_first_page, "cannot be read: its disk reports an error"),
        (lose_tree, "cannot be read: its disk reports an error"),
        (damage_tree, "is damaged"),
        (cut_short, "is damaged"),
        (empty, "is missing"),
        (remove, "is missing"),
    ],
)
def test_one_that_is_lost_is_made_anew_and_all_is_compared(
    node: Node, lose: Callable[[Node], None], sentence: str
) -> None:
    lose(node)
    (said,) = start_again(node, compares_all=True)
    assert said.startswith(f"The dirty index {sentence}")
    assert said.endswith("will be compared with the other node by block hash")
    assert start_again(node, compares_all=True) == []


def test_where_none_can_be_made_it_is_said_why(node: Node) -> None:
    node.disk.forget(node.index)
    node.disk.fail()
    with pytest.raises(DataPlaneNotStarted, match=r"dirty index: (Input/output error|Read-only)"):
        start_again(node, compares_all=True)


def test_a_page_that_is_mapped_and_cannot_be_read_is_told(tmp_path: Path) -> None:
    """It was read when the process began, and left the cache since."""
    file = tmp_path / "mapped"
    file.write_bytes(bytes(8192))
    code = (
        "import contextlib, mmap, os, sys\n"
        "from mirror.adapters import native\n"
        "with contextlib.suppress(PermissionError):\n"
        "    native.protect_process()\n"
        "with open(sys.argv[1], 'r+b') as file:\n"
        "    pages = mmap.mmap(file.fileno(), 8192)\n"
        "os.truncate(sys.argv[1], 4096)\n"
        "pages[5000]\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, file], check=False, capture_output=True, text=True
    )
    assert done.returncode == -signal.SIGBUS
    assert "a page that it has mapped cannot be read (SIGBUS)" in done.stderr

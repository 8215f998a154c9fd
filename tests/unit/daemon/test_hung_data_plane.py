"""A data plane that an earlier control plane left, and that hangs: it cannot even say its pid."""

import asyncio
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mirror.adapters.data_plane_client import DataPlaneClient
from mirror.errors import DataPlaneSilent

LISTENS = """
import socket, sys, time
listener = socket.socket(socket.AF_UNIX)
listener.bind(sys.argv[1])
listener.listen()
print(flush=True)
time.sleep(1000)
"""


@pytest.fixture
def hung(tmp_path: Path) -> Iterator["subprocess.Popen[bytes]"]:
    command = [sys.executable, "-c", LISTENS, str(tmp_path / "socket")]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGSTOP)
        yield process
        process.kill()


def test_it_is_ended_and_counts_as_none(hung: "subprocess.Popen[bytes]", tmp_path: Path) -> None:
    lost: list[str] = []

    async def story() -> None:
        client = DataPlaneClient(
            "one",
            tmp_path / "config",
            tmp_path / "socket",
            tmp_path / "log",
            on_event=print,
            on_lost=lost.append,
        )
        with pytest.raises(DataPlaneSilent):
            await client.attach()
        assert client.pid == 0
        assert await client.attach() is None
        await client.detach()

    asyncio.run(story())
    hung.wait()
    assert lost == []

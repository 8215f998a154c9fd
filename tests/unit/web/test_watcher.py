"""A change of a module reaches pages by its own line in the log, not by the next look."""

import asyncio
import time
from pathlib import Path

import pytest

from mirror.web import watcher
from mirror.web.cluster_seen import ClusterSeen
from mirror.web.command_line import CommandLine
from mirror.web.disks import Disks
from mirror.web.peers import Peers
from mirror.web.ring import Ring

from .world import PRIM, START_S, ControlPlane, Node

LINE = {"time_us": 5, "level": "E", "source": "heart", "text": "Local state SECOND Ready"}
NEVER_S = 86_400.0


def test_no_look_by_the_clock_lies_between_a_change_and_the_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watcher, "LOOK_EVERY_S", NEVER_S)
    asyncio.run(asyncio.wait_for(change_and_look(Node(tmp_path).make()), 2 * START_S))


def await_follower(plane: ControlPlane) -> None:
    end = time.monotonic() + START_S
    while not plane.followed("web"):
        assert time.monotonic() < end
        time.sleep(0.01)


async def change_and_look(node: Node) -> None:
    plane = ControlPlane(node.layout.control_socket)
    plane.states["web"] = PRIM
    ring, cluster = Ring(), ClusterSeen(node.layout)
    disks, peers = Disks(CommandLine({})), Peers(node.layout, cluster, 0)
    watching = watcher.Watcher(node.layout, {}, ring, cluster, peers, disks)
    task = asyncio.create_task(watching.run())
    told = ring.follow(None, watching.snapshot)
    try:
        event, _ = await anext(told)
        assert event.data["modules"]["web"]["state"] == "PRIM"
        await asyncio.to_thread(await_follower, plane)
        plane.states["web"] = PRIM | {"state": "SECOND"}
        plane.log("web", **LINE)
        async for event, _ in told:
            if event.name == "state":
                assert event.data["state"]["state"] == "SECOND"
                break
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await peers.close()
        plane.close()

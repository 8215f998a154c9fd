"""A change of a module reaches pages by its own line in the log, not by the next look.

And figures that nobody wants are not read, but for graphs, when one has moved.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
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
    monkeypatch.setattr(watcher, "UNSEEN_LOOK_EVERY_S", NEVER_S)
    asyncio.run(asyncio.wait_for(change_and_look(Node(tmp_path).make()), 2 * START_S))


def test_figures_that_rest_are_not_read_for_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watcher, "UNSEEN_LOOK_EVERY_S", 0.001)
    monkeypatch.setattr(watcher, "UNSEEN_FIGURES_EVERY_MS", NEVER_S * 1000)
    monkeypatch.setattr(watcher, "FIGURES_EVERY_MS", 0)
    asyncio.run(asyncio.wait_for(look_unseen(Node(tmp_path).make()), 2 * START_S))


def await_follower(plane: ControlPlane) -> None:
    end = time.monotonic() + START_S
    while not plane.followed("web"):
        assert time.monotonic() < end
        time.sleep(0.01)


@contextlib.asynccontextmanager
async def watched(node: Node) -> AsyncIterator[tuple[watcher.Watcher, Ring, ControlPlane]]:
    """A watch over one node whose module is PRIM."""
    plane = ControlPlane(node.layout.control_socket)
    plane.states["web"] = PRIM
    ring, cluster = Ring(), ClusterSeen(node.layout)
    disks, peers = Disks(CommandLine({})), Peers(node.layout, cluster, 0)
    watching = watcher.Watcher(node.layout, {}, ring, cluster, peers, disks)
    task = asyncio.create_task(watching.run())
    try:
        yield watching, ring, plane
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await peers.close()
        plane.close()


async def change_and_look(node: Node) -> None:
    async with watched(node) as (watching, ring, plane):
        told = ring.follow(None, watching.snapshot)
        event, _ = await anext(told)
        assert event.data["modules"]["web"]["state"] == "PRIM"
        await asyncio.to_thread(await_follower, plane)
        plane.states["web"] = PRIM | {"state": "SECOND"}
        plane.log("web", **LINE)
        async for event, _ in told:
            if event.name == "state":
                assert event.data["state"]["state"] == "SECOND"
                break


async def look_unseen(node: Node) -> None:
    async with watched(node) as (watching, _, plane):
        await given(plane, unchanged=20)  # whatever the start had to read is read
        whole = plane.states_given[True]
        await given(plane, unchanged=20)
        assert plane.states_given[True] == whole
        seen_us = watching.this_node().time_us
        await given(plane, unchanged=2)
        assert watching.this_node().time_us > seen_us, "it was so a moment ago, too"
        # A graph needs what moved.
        plane.states["web"] = PRIM | {"replication": {"changes": 7}}
        await given(plane, unchanged=20)
        assert plane.states_given[True] == whole + 1
        assert watching.this_node().modules["web"].replication == {"changes": 7}
        with watching.demand.watching():
            await given(plane, whole=3)  # moved or not
        await given(plane, unchanged=20)
        watching.demand.scraped()
        await given(plane, whole=3)


async def given(plane: ControlPlane, **more: int) -> None:
    """Wait until the state was given so often more, whole or as unchanged."""
    ((kind, count),) = more.items()
    wanted = plane.states_given[kind == "whole"] + count
    while plane.states_given[kind == "whole"] < wanted:  # noqa: ASYNC110 - counted in a thread
        await asyncio.sleep(0.001)

"""Heartbeats between two hosts over real cables that are cut, and processes that are stopped."""

import asyncio
import contextlib
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mirror.adapters.heartbeats import (
    HeartbeatListener,
    Heartbeats,
    HeartbeatSettings,
    HeartbeatThread,
    Lan,
)
from mirror.config.models import Profile
from mirror.config.timing import PROFILES
from mirror.errors import HeartbeatPortTaken
from tests.network.namespaces import Namespace, join

PORT = 8888
PULSE_MS = 50
# For a machine that does other work too; how exact the times are, the engine's own tests say.
TIMEOUT_MS = 2000
AWAIT_S = 60.0
KEY = b"k" * 32
ROOT = Path(__file__).parents[2]
LANS = {"a": ("10.97.0.1", "10.97.0.2"), "b": ("fd97::1", "fd97::2")}


class Node:
    """One end, with everything it was told."""

    def __init__(self, name: str, peer: str, lans: tuple[Lan, ...], key: bytes = KEY) -> None:
        self.events: asyncio.Queue[tuple[Any, ...]] = asyncio.Queue()
        listener = HeartbeatListener(
            on_heard=self._heard,
            on_silent=lambda lan: self.events.put_nowait(("silent", lan)),
            on_stall=lambda ms: self.events.put_nowait(("stall", ms)),
            on_note=lambda text, fields: self.events.put_nowait(("note", text, fields)),
        )
        settings = HeartbeatSettings("demo", name, peer, lans, PORT, key)
        self.heartbeats = Heartbeats(HeartbeatThread(), settings, listener)

    def _heard(self, lan: str) -> None:
        heard = self.heartbeats.heard()
        self.events.put_nowait(("heard", lan, heard.body if heard is not None else None))

    async def until(self, wanted: Callable[[tuple[Any, ...]], bool]) -> tuple[Any, ...]:
        async with asyncio.timeout(AWAIT_S):
            while True:
                event = await self.events.get()
                if wanted(event):
                    return event


async def eventually(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(AWAIT_S):
        while not is_so():  # noqa: ASYNC110 - figures have no event
            await asyncio.sleep(0.01)


def lans_of(left: bool) -> tuple[Lan, ...]:
    return tuple(
        Lan(name, *(ends if left else ends[::-1]), PULSE_MS, TIMEOUT_MS)
        for name, ends in LANS.items()
    )


@contextlib.asynccontextmanager
async def running(pair: tuple[Namespace, Namespace]) -> AsyncIterator[tuple[Node, Node]]:
    for name, (left_addr, right_addr) in LANS.items():
        length = 64 if ":" in left_addr else 24
        join(*pair, name, f"{left_addr}/{length}", f"{right_addr}/{length}")
    left, right = Node("n1", "n2", lans_of(left=True)), Node("n2", "n1", lans_of(left=False))
    try:
        for node, namespace in ((left, pair[0]), (right, pair[1])):
            with namespace.entered():
                node.heartbeats.start()
        for node in (left, right):
            unheard = set(LANS)  # told once each, in any order
            while unheard:
                _, lan, _ = await node.until(lambda event: event[0] == "heard")
                unheard.discard(lan)
        yield left, right
    finally:
        left.heartbeats.stop()
        right.heartbeats.stop()


def test_a_changed_body_is_heard_before_the_next_pulse(pair: tuple[Namespace, Namespace]) -> None:
    async def story() -> None:
        async with running(pair) as (left, right):
            left.heartbeats.set_body({"state": "ALONE"}, urgent=True)
            await right.until(lambda event: event[2:3] == ({"state": "ALONE"},))
            statistics = right.heartbeats.statistics
            assert set(statistics()) == set(LANS)
            await eventually(
                lambda: all(0 <= lan.last_heard_ms < TIMEOUT_MS for lan in statistics().values())
            )

    asyncio.run(story())


def test_a_cut_network_is_silent_and_the_other_lives(
    pair: tuple[Namespace, Namespace],
) -> None:
    async def story() -> None:
        async with running(pair) as (_, right):
            pair[0].run("ip", "link", "set", "dev", "a", "down")
            await right.until(lambda event: event == ("silent", "a"))
            await eventually(lambda: not right.heartbeats.statistics()["b"].silent)
            pair[0].run("ip", "link", "set", "dev", "a", "up")
            await right.until(lambda event: event[:2] == ("heard", "a"))

    asyncio.run(story())


def test_a_cut_one_way_shows_on_which_side(pair: tuple[Namespace, Namespace]) -> None:
    async def story() -> None:
        async with running(pair) as (left, right):
            rules = "table inet cut {\nchain in {\ntype filter hook input priority 0;\n"
            drop = f"ip saddr {LANS['a'][0]} drop\n}}\n}}\n"
            pair[1].run("sh", "-c", f"nft -f - <<'E'\n{rules}{drop}E")
            await right.until(lambda event: event == ("silent", "a"))
            # The other side hears still, and the peer's own word tells that it is not heard.
            # Its next word says it: the one before the event may be a pulse older.
            await eventually(lambda: shows_who_is_deaf(left, right))
            pair[1].run("nft", "delete", "table", "inet", "cut")
            await right.until(lambda event: event[:2] == ("heard", "a"))

    asyncio.run(story())


def shows_who_is_deaf(left: Node, right: Node) -> bool:
    here, there = left.heartbeats.statistics()["a"], right.heartbeats.statistics()["b"]
    heard = not here.silent and here.last_heard_ms < TIMEOUT_MS
    return heard and here.peer_heard_ms >= TIMEOUT_MS and not there.silent


@pytest.mark.slow
@pytest.mark.parametrize("profile", ["fast", "standard"])
def test_the_loss_of_a_host_is_seen_after_the_time_of_the_profile(
    pair: tuple[Namespace, Namespace], profile: Profile
) -> None:
    join(*pair, "lan", "10.97.0.1/24", "10.97.0.2/24")
    timing = PROFILES[profile]
    rest = (str(PORT), str(timing.pulse_ms), str(timing.timeout_ms))
    with (
        process(pair[0], "n1", "n2", "10.97.0.1", "10.97.0.2", *rest) as left,
        process(pair[1], "n2", "n1", "10.97.0.2", "10.97.0.1", *rest) as right,
    ):
        wait_for(left, "heard")
        wait_for(right, "heard")
        left.kill()
        silent_ms = int(wait_for(right, "silent").split()[2])
    assert silent_ms >= timing.timeout_ms


def test_a_recorded_packet_sent_again_is_refused(pair: tuple[Namespace, Namespace]) -> None:
    async def story() -> None:
        with pair[1].entered():
            tap = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x0800))
        async with running(pair) as (left, right):
            tap.settimeout(AWAIT_S)
            recorded = b""
            while not recorded:
                packet = tap.recv(65535)
                if packet[9] == socket.IPPROTO_UDP and packet[12:16] == b"\x0a\x61\x00\x01":
                    recorded = packet[28:]
            tap.close()
            left.heartbeats.stop()
            await right.until(lambda event: event == ("silent", "a"))
            with pair[0].entered(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as replayer:
                replayer.sendto(recorded, (LANS["a"][1], PORT))
                replayer.sendto(b"garbage", (LANS["a"][1], PORT))
            note = await right.until(lambda event: event[0] == "note" and "heartbeat" in event[1])
            assert note[2]["why"] == "replayed or late"
            note = await right.until(lambda event: event[0] == "note")
            assert note[2]["why"] == "malformed"
            assert right.heartbeats.statistics()["a"].silent

    asyncio.run(story())


def test_another_clusters_key_is_never_heard(pair: tuple[Namespace, Namespace]) -> None:
    async def story() -> None:
        async with running(pair) as (left, right):
            left.heartbeats.stop()
            stranger = Node("n1", "n2", lans_of(left=True), key=b"x" * 32)
            with pair[0].entered():
                stranger.heartbeats.start()
            try:
                await right.until(lambda event: event == ("silent", "a"))
                statistics = right.heartbeats.statistics
                await eventually(lambda: statistics()["a"].refused["not authenticated"] > 0)
                assert statistics()["a"].silent
            finally:
                stranger.heartbeats.stop()

    asyncio.run(story())


def test_a_taken_port_is_said_and_leaves_nothing_open(pair: tuple[Namespace, Namespace]) -> None:
    async def story() -> None:
        async with running(pair):
            again = Node("n1", "n2", lans_of(left=True))
            with pair[0].entered(), pytest.raises(HeartbeatPortTaken, match="lan=a"):
                again.heartbeats.start()
            again.heartbeats.stop()

    asyncio.run(story())


@contextlib.contextmanager
def process(namespace: Namespace, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    program = [sys.executable, str(Path(__file__).with_name("heartbeat_node.py")), *arguments]
    started = subprocess.Popen(
        namespace.command(*program),
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={"PYTHONPATH": str(ROOT)},
    )
    try:
        yield started
    finally:
        started.kill()
        started.communicate()


def wait_for(started: subprocess.Popen[str], *kinds: str) -> str:
    assert started.stdout is not None
    for line in started.stdout:
        if line.split()[0] in kinds:
            return line
    pytest.fail("the process ended")


def test_a_stopped_process_is_silent_and_knows_it_was_stopped(
    pair: tuple[Namespace, Namespace],
) -> None:
    join(*pair, "lan", "10.97.0.1/24", "10.97.0.2/24")
    rest = (str(PORT), str(PULSE_MS), str(TIMEOUT_MS))
    with (
        process(pair[0], "n1", "n2", "10.97.0.1", "10.97.0.2", *rest) as left,
        process(pair[1], "n2", "n1", "10.97.0.2", "10.97.0.1", *rest) as right,
    ):
        wait_for(left, "heard")
        wait_for(right, "heard")
        left.send_signal(signal.SIGSTOP)
        wait_for(right, "silent")
        # The stall must be longer than the timeout, whenever it was heard before it began.
        time.sleep(TIMEOUT_MS / 1000)
        left.send_signal(signal.SIGCONT)
        # What queued up while it was stopped counts: it says stall, and never silence.
        first = wait_for(left, "stall", "silent")
        assert first.split()[0] == "stall"
        assert int(first.split()[1]) > TIMEOUT_MS
        assert wait_for(left, "heard", "silent").split()[0] == "heard"
        # The first word after the stall is what the control loop says now, not what it said then.
        assert wait_for(right, "heard").split()[2] == "2"


def test_a_killed_and_restarted_process_is_believed_as_another_incarnation(
    pair: tuple[Namespace, Namespace],
) -> None:
    join(*pair, "lan", "10.97.0.1/24", "10.97.0.2/24")
    rest = (str(PORT), str(PULSE_MS), str(TIMEOUT_MS))
    with process(pair[1], "n2", "n1", "10.97.0.2", "10.97.0.1", *rest) as right:
        with process(pair[0], "n1", "n2", "10.97.0.1", "10.97.0.2", *rest):
            before = wait_for(right, "heard").split()[-1]
        with process(pair[0], "n1", "n2", "10.97.0.1", "10.97.0.2", *rest):
            after = before
            while after == before:
                after = wait_for(right, "heard").split()[-1]

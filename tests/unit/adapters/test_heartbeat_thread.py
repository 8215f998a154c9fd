"""The one thread of a node's heartbeats, on the loopback device."""

import asyncio
import select
import socket
import sys
from collections.abc import Iterator, Mapping

import pytest

from mirror.adapters import clock
from mirror.adapters.heartbeats import (
    HeartbeatListener,
    Heartbeats,
    HeartbeatSettings,
    HeartbeatThread,
    Lan,
    thread,
)
from mirror.adapters.heartbeats.realtime import SWITCH_S
from mirror.adapters.heartbeats.settings import LanSocket

LAN = Lan("lan", "127.0.0.1", "127.0.0.2")
PORT = 18_888
PYTHONS_OWN_S = 0.005
HOUR_US = 3_600_000_000
STAMPED_US = 60_000_000


@pytest.fixture
def peer() -> Iterator[socket.socket]:
    """Where the other node sends from."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as opened:
        opened.bind((LAN.peer_addr, 0))
        yield opened


@pytest.fixture
def here() -> Iterator[LanSocket]:
    opened = LanSocket(LAN, PORT)
    try:
        yield opened
    finally:
        opened.close()


def test_each_module_is_told_that_heartbeats_are_not_protected(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Also one that joins when the thread runs since long ago."""
    monkeypatch.setattr(thread, "raise_this_thread", lambda: "no real-time priority: no")
    monkeypatch.setattr(thread, "lock_memory", lambda: None)

    async def story() -> None:
        shared, told = HeartbeatThread(), asyncio.Queue[tuple[str, str, Mapping[str, object]]]()
        modules = [_module(shared, name, told) for name in ("first", "later")]
        try:
            for name, one in zip(("first", "later"), modules, strict=True):
                one.start()
                async with asyncio.timeout(60):
                    assert await told.get() == (
                        name,
                        "heartbeat not protected",
                        {"why": ["no real-time priority: no"]},
                    )
        finally:
            for one in modules:
                one.stop()

    asyncio.run(story())


def _module(
    shared: HeartbeatThread, name: str, told: asyncio.Queue[tuple[str, str, Mapping[str, object]]]
) -> Heartbeats:
    listener = HeartbeatListener(
        on_heard=lambda lan: None,
        on_silent=lambda lan: None,
        on_stall=lambda ms: None,
        on_note=lambda text, fields: told.put_nowait((name, text, fields)),
    )
    settings = HeartbeatSettings(name, "n1", "n2", (LAN,), PORT, b"k" * 32)
    return Heartbeats(shared, settings, listener)


def test_the_heartbeats_wait_for_a_short_turn_of_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A busy loop keeps the interpreter from them for so long, at each of their system calls."""
    monkeypatch.setattr(thread, "raise_this_thread", lambda: "it runs")
    before_s = sys.getswitchinterval()

    async def story() -> None:
        told = asyncio.Queue[tuple[str, str, Mapping[str, object]]]()
        one = _module(HeartbeatThread(), "demo", told)
        try:
            one.start()
            async with asyncio.timeout(60):
                await told.get()
            assert sys.getswitchinterval() == SWITCH_S < PYTHONS_OWN_S
        finally:
            one.stop()

    try:
        sys.setswitchinterval(PYTHONS_OWN_S)
        asyncio.run(story())
    finally:
        sys.setswitchinterval(before_s)


def _arrive(peer: socket.socket, here: LanSocket) -> int:
    """Have a datagram wait. Returns: a moment at which it did."""
    peer.sendto(b"beat", (LAN.local_addr, PORT))
    assert select.select([here], [], [], 60)[0]
    return clock.boottime_us()


def test_a_datagram_arrived_when_the_kernel_took_it_however_late_it_is_read(
    peer: socket.socket, here: LanSocket
) -> None:
    """The kernel begins to stamp a moment after the first socket asks for it."""
    ends_us = clock.boottime_us() + STAMPED_US
    while clock.boottime_us() < ends_us:
        assert here.receive() is None
        sent_us = clock.boottime_us()
        there_us = _arrive(peer, here)
        while clock.boottime_us() < there_us + 1_000:
            pass  # the reader is held
        received = here.receive()
        assert received is not None
        assert received.datagram == b"beat"
        assert received.arrived_us >= sent_us
        if received.arrived_us <= there_us:
            return
    pytest.fail("it arrived when it was read")


@pytest.mark.parametrize("jump_us", [-HOUR_US, HOUR_US])
def test_wall_time_that_jumps_between_arrival_and_reading_is_believed_no_further_than_it_can_be(
    peer: socket.socket, here: LanSocket, monkeypatch: pytest.MonkeyPatch, jump_us: int
) -> None:
    """The kernel stamps by wall time: what waits came after nothing waited, and before now."""
    asked_us = clock.boottime_us()
    assert here.receive() is None
    _arrive(peer, here)
    stamped = clock.boottime_us_of
    monkeypatch.setattr(clock, "boottime_us_of", lambda wall_ns: stamped(wall_ns) + jump_us)
    received = here.receive()
    assert received is not None
    assert asked_us <= received.arrived_us <= clock.boottime_us()

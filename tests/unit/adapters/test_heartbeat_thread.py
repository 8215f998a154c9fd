"""The one thread of a node's heartbeats, on the loopback device."""

import asyncio
from collections.abc import Mapping

import pytest

from mirror.adapters.heartbeats import (
    HeartbeatListener,
    Heartbeats,
    HeartbeatSettings,
    HeartbeatThread,
    Lan,
    thread,
)

LAN = Lan("lan", "127.0.0.1", "127.0.0.2")
PORT = 18_888


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

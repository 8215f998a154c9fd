"""Whether the data link lives, looked at when heartbeats grow rare: it counts as one (design 9).

A firewall may drop the datagrams of heartbeats and let the link be. And a link that carries
nothing is no sign of life: a host that lost its power resets no connection, so a primary that
hears nothing on any network gives a silent session up rather than wait for the link's own time.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from mirror.adapters import clock
from mirror.adapters.data_plane_client import DataPlaneClient
from mirror.adapters.module_log import ModuleLog
from mirror.core.engine import Engine
from mirror.daemon.node.heart_port import HeartPort
from mirror.errors import MirrorError
from mirror.vocabulary.events import Event, LinkAlive, LinkLost
from mirror.vocabulary.said import said_of
from mirror.vocabulary.states import State

SAMPLES_PER_TIMEOUT = 8
# Of the timeout: so long no ping was answered (one is sent every fifth), then it is silent.
SILENT = 0.5
REASON = "no heartbeat on any network, the link is silent"


@dataclass(slots=True)
class _Beats:
    """What was last counted. grown_ms: when it was last seen to grow."""

    session: str
    count: int
    grown_ms: int


class LinkWatch:
    """The data link of one module. Used by one event loop.

    engine(): of the module. changes(): a count that grows with what the secondary acknowledges.
    """

    def __init__(
        self,
        timeout_ms: int,
        heart: HeartPort,
        client: DataPlaneClient,
        log: ModuleLog,
        engine: Callable[[], Engine],
        post: Callable[[Event], None],
        changes: Callable[[], Awaitable[object]],
    ) -> None:
        self._timeout_ms = timeout_ms
        self._pause_s = timeout_ms / SAMPLES_PER_TIMEOUT / 1000
        self._heart = heart
        self._client = client
        self._log = log
        self._engine = engine
        self._post = post
        self._changes = changes
        self._beats: _Beats | None = None
        self._alone_told = False

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            if not self._heart.quiet.is_set():
                self._beats, self._alone_told = None, False
            await self._heart.quiet.wait()
            if session := self._engine().context.session:
                await self._look(session)
            await asyncio.sleep(self._pause_s)

    async def _look(self, session: str) -> None:
        if await self._beats_on(session):
            self._tell_that_it_is_alone()
        elif not self._heart.lans_heard and self._engine().state in {State.PRIM, State.ALONE}:
            await self._judge(session)

    async def _beats_on(self, session: str) -> bool:
        """Tell whether the link beats, and say so to the core whenever it was seen to."""
        answer: dict[str, Any] = {}
        with contextlib.suppress(MirrorError, OSError):
            answer = dict(await self._client.call("link", {}))
        if answer.get("session") != session:
            return False
        count, now_ms, held = int(answer["beats"]), clock.boottime_ms(), self._beats
        if held is None or held.session != session:
            held = self._beats = _Beats(session, count, now_ms)
        elif count > held.count:
            held.count, held.grown_ms = count, now_ms
            self._post(LinkAlive(session))
        return now_ms - held.grown_ms < SILENT * self._timeout_ms

    def _tell_that_it_is_alone(self) -> None:
        if not self._heart.lans_heard and not self._alone_told:
            self._alone_told = True
            text = "No heartbeat on any network; the data link lives, so the other node does"
            self._log.append("W", "heart", text)

    async def _judge(self, session: str) -> None:
        """Give the session up, unless what is written is still acknowledged."""
        before = await self._changes()
        await asyncio.sleep(self._pause_s)
        if self._heart.lans_heard:
            return
        if before != await self._changes():
            self._post(LinkAlive(session))
            return
        try:
            await self._client.call("part", {"reason": REASON})
        except (MirrorError, OSError) as error:
            self._post(LinkLost(session, said_of(error)))

"""A model of the data plane: same verbs and events, its disk is a dictionary.

It keeps the rules of the real one (design 5, 8, 10) as plainly as can be, so that what the core
orders wrongly shows as a violation here.
"""

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mirror.errors import NodeNotReachable
from mirror.vocabulary.events import (
    CheckpointReached,
    DataFault,
    LinkAlive,
    LinkLost,
    LinkUp,
    Progressed,
    SourceInSync,
    TargetInSync,
)
from tests.simulation.ledger import BLOCKS, Violation, check_equal
from tests.simulation.process import Answer, Signal, Steps

if TYPE_CHECKING:
    from tests.simulation.host import SimHost

PINGS_LOST = 3
CALL_S = 0.002
AGAIN_S = 0.02  # between two tries of a packet that is lost


def pulses(one: "SimPlane", other: "SimPlane") -> bool:
    """Tell whether the primary among them gives signs of life: attended, and open."""
    source = one if one.mode == "prim" else other
    return source.mode == "prim" and source.host.driver is not None and source.gate != "closed"


class Closed(Exception):
    """The gate is closed: the application's call failed."""


class SimPlane:
    """One data plane process. It dies as a whole (`alive`)."""

    def __init__(self, host: "SimHost") -> None:
        self.host = host
        self.alive = True
        self.mode = "idle"
        self.gate = "closed"
        self.session = ""
        self.in_step = False
        self.recent: set[int] = set()
        self.in_flight = 0
        self.blocks_in_flight: set[int] = set()
        self.opened = Signal()
        self.confirmed = Signal()
        self.unanswered = 0  # how many of its last looks at the link found nobody
        self.attended = True  # somebody decided for the source, by the last of them
        self.looked_jumped_ms = 0  # how far this host's clock had jumped by the last of them
        self.aside = ""
        self.tasks: set[asyncio.Task[None]] = set()

    @property
    def peer(self) -> "SimPlane | None":
        """The other process, when it can be reached and stands in our session."""
        other = self.host.peer.plane
        if other is None or not other.alive or not self.host.network.link_stands():
            return None
        if not self.host.peer.powered or other.session != self.session or not self.session:
            return None
        return other

    def die(self) -> None:
        """The process is gone: its peer's connection is reset, if the network carries it."""
        other = self.peer
        self.alive = False
        self.host.disk.index |= self.recent  # what the scan of the next start finds changed
        self.gate = "closed"
        self.opened.set()
        for task in tuple(self.tasks):
            task.cancel()
        if other is not None and self.host.powered:
            other.lose(self.session, "connection reset")

    def lose(self, session: str, reason: str) -> None:
        """The session is over here; a primary holds its changes from now on."""
        if not self.alive or not session or self.session != session:
            return
        if self.mode in {"prim", "leading"}:
            self._freeze()
        elif self.mode in {"second", "following"}:
            self.host.disk.index |= self.recent
            self.mode = "covered"
        self.session = ""
        self.in_step = False
        self.host.post(LinkLost(session, reason))

    def _freeze(self) -> None:
        if self.gate == "open":
            self.gate = "frozen"
            self.opened.clear()

    # --- verbs ---

    async def call(self, verb: str, fields: Mapping[str, Any]) -> Mapping[str, Any]:
        await self.host.running.wait()
        await asyncio.sleep(CALL_S)
        await self.host.running.wait()
        if not self.alive:
            raise NodeNotReachable(socket="data.sock", observed="it closed the connection")
        reply: Mapping[str, Any] = await getattr(self, f"do_{verb}")(**fields) or {}
        return reply

    async def do_cover(self) -> None:
        if self.mode == "idle":
            self.mode = "covered"

    async def do_identify(self) -> dict[str, Any]:
        disk = self.host.disk
        root = {
            "directory": "/srv",
            "identity": disk.identity,
            "generation": disk.generation,
            "checkpoint": disk.checkpoint,
            "empty": not disk.blocks,
        }
        return {"roots": [root]}

    async def do_adopt(self) -> None:
        self.host.disk.identity = self.host.disk.identity or "root"

    async def do_serve(self, generation: str) -> None:
        assert generation
        if self.host.saved_record.get("may_serve") != [self.host.name]:
            raise Violation(f"{self.host.name} mounts before its record says alone")
        self.host.world.ledger_check_serves(self.host)
        self.mode = "alone"
        self._open()

    async def do_go_alone(self, generation: str) -> None:
        assert generation
        if self.host.saved_record.get("may_serve") != [self.host.name]:
            raise Violation(f"{self.host.name} goes alone before its record says so")
        if self.session:
            other, session = self.peer, self.session
            self.session = ""
            if other is not None:
                other.lose(session, "parted")
        self.host.disk.index |= self.recent
        self.recent = set()
        self.mode, self.in_step = "alone", False
        self._open()

    def _open(self) -> None:
        self.gate = "open"
        self.opened.set()

    async def do_freeze(self) -> None:
        self._freeze()

    async def do_gate(self, to: str) -> None:
        assert to == "closed"
        self.gate = "closed"
        self.opened.set()

    async def do_drain(self) -> dict[str, Any]:
        self.gate = "closed"
        self.opened.set()
        while self.in_flight:  # noqa: ASYNC110 - simulated time
            await asyncio.sleep(CALL_S)
        if self.host.disk_fails:  # in its last sync; told before the answer
            self.host.post(DataFault("local", "this node's disk failed to sync"))
        return {"checksum_equal": True}

    async def do_unserve(self) -> None:
        self.gate = "closed"
        self.opened.set()
        self._end_session("unserved")
        self.host.disk.index |= self.recent
        self.mode = "idle"

    async def do_settle(self) -> None:
        self._end_session("settled")
        if self.mode in {"second", "following"}:
            self.mode = "covered"

    def _end_session(self, reason: str) -> None:
        if self.session:
            other, session = self.peer, self.session
            self.session, self.in_step = "", False
            self.host.disk.index |= self.recent
            if other is not None:
                other.lose(session, reason)

    async def do_record_hidden(self, generation: str, checkpoint: int) -> None:
        self.host.disk.generation, self.host.disk.checkpoint = generation, checkpoint

    async def do_follow(self, session: str, peer_node: str, full: bool, aside: str) -> None:
        assert peer_node == self.host.peer.name
        del full
        other = self.host.peer.plane
        if other is not None and other.session == session and self.host.network.link_stands():
            # It led this session before: those connections were closed here, which it sees now.
            other.lose(session, "connection reset")
        self.session, self.mode, self.aside = session, "following", aside
        self.recent, self.confirmed = set(), Signal()
        self._spawn(self._ping())

    async def do_confirm_sync(self, session: str) -> None:
        if session != self.session:
            raise NodeNotReachable(socket="data.sock", observed="that session is over")
        self.confirmed.set()

    async def do_lead(self, session: str, full: bool, aside: str, **_: Any) -> None:
        self.session, self.mode = session, "leading"
        if self.peer is None:
            self.session, self.mode = "", "alone"
            raise NodeNotReachable(socket="peer", observed="no answer")
        self._spawn(self._ping())
        self._spawn(self._reintegrate(session, full=full, aside=aside))

    async def do_status(self) -> dict[str, Any]:
        return {}

    def _spawn(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        task.add_done_callback(self.host.world.task_ended)

    async def _ping(self) -> None:
        """Notice a peer that went silent; say that it lives while it does."""
        session = self.session
        self.host.post(LinkUp(session))
        epoch = self.unanswered = 0
        self.attended = True
        self.looked_jumped_ms = self.host.jumped_ms
        while self.session == session:
            await asyncio.sleep(self.host.world.timing.ping_s)
            await self.host.running.wait()
            if self.session != session:
                return
            other = self.peer
            self.looked_jumped_ms = self.host.jumped_ms
            self.host.check_disk()
            if other is not None and self.host.peer.running.is_set():
                self.unanswered, epoch = 0, epoch + 1
                self.attended = pulses(self, other)
                if self.attended:
                    self.host.post(LinkAlive(session))
                self.host.post(CheckpointReached(epoch))
                continue
            self.unanswered += 1
            if self.unanswered == PINGS_LOST:
                self.lose(session, "no answer in time")

    async def _reintegrate(self, session: str, *, full: bool, aside: str) -> None:
        """Copy what may differ while live writes go to both; then both are in sync."""
        other = self.peer
        if other is None:
            return
        self.host.disk.index |= other.host.disk.index
        todo = set(range(BLOCKS)) if full else set(self.host.disk.index)
        for number, block in enumerate(sorted(todo)):
            await asyncio.sleep(self.host.world.random.uniform(0.001, 0.02))
            await self._both_run()
            while block in self.blocks_in_flight:  # noqa: ASYNC110 - the region lock
                await asyncio.sleep(CALL_S)
            if (other := await self._reached(session)) is None:
                return
            value = self.host.disk.blocks.get(block, 0)
            self.host.ledger.overwrite(other.host.disk, block, value, aside)
            self.host.post(Progressed({"bytes_done": number, "bytes_left": len(todo) - number}))
        self._freeze()
        while self.in_flight:  # noqa: ASYNC110 - simulated time
            await asyncio.sleep(CALL_S)
        if (other := await self._reached(session)) is None:
            return
        for disk in (self.host.disk, other.host.disk):
            disk.blocks = {key: value for key, value in disk.blocks.items() if value}
        check_equal(self.host.disk, other.host.disk)
        self.host.world.in_step_again(self.host.disk)
        other.host.disk.identity = self.host.disk.identity
        other.host.post(TargetInSync(session, self.host.disk.generation))
        self._open()
        await other.confirmed.wait()
        if await self._reached(session) is None:
            return
        other.mode, other.in_step = "second", True
        other.host.disk.index, self.host.disk.index = set(), set()
        self.mode, self.in_step = "prim", True
        self.host.post(SourceInSync(session))

    async def _reached(self, session: str) -> "SimPlane | None":
        """Give the other process, or none when the session is over: packets are sent again."""
        while self.session == session:
            if self.peer is not None:
                return self.peer
            await asyncio.sleep(AGAIN_S)
        return None

    async def _both_run(self) -> None:
        await self.host.running.wait()
        await self.host.peer.running.wait()

    # --- the application's writes ---

    def write(self, block: int, value: int, until_s: float) -> Steps:
        """Replicate, then apply; ends when the client may be told.

        until_s: how long the client waits. Raises: Closed; TimeoutError.
        """
        while True:
            if not self.alive or self.gate == "closed":
                raise Closed
            if self.gate == "frozen":
                if not self.opened.is_set():
                    yield self.opened, until_s
                continue
            if self.host.world.loop.time() > until_s:
                raise TimeoutError
            self.in_flight += 1
            self.blocks_in_flight.add(block)
            try:
                if (yield from self._once(block, value, until_s)):
                    return
            finally:
                self.in_flight -= 1
                self.blocks_in_flight.discard(block)

    def _once(self, block: int, value: int, until_s: float) -> Answer:
        if self.mode == "alone":
            self.host.disk.index.add(block)
            yield 0.0002
            return self._apply(block, value, "")
        if self.mode not in {"prim", "leading"}:
            raise Closed
        session, draw = self.session, self.host.world.random
        self.recent.add(block)
        if self.mode == "leading":
            self.host.disk.index.add(block)
        yield draw.uniform(0.0005, 0.002)
        running = self.host.peer.running
        if not running.is_set():
            yield running, until_s
        other = self.peer
        if other is None or self.session != session:
            # No answer: held until the link is known to be lost, and then decided anew.
            yield 0.02
            return False
        if other.host.disk_full:
            # Its ENOSPC never reaches the application: the secondary is dropped (design 5).
            other.host.disk_fault()
            return False
        other.recent.add(block)
        other.host.disk.blocks[block] = value
        yield draw.uniform(0.0005, 0.002)
        while self.alive and self.session == session and self.peer is None:
            yield AGAIN_S  # the answer is sent again: in flight, until the session is over
        return self._apply(block, value, session)

    def _apply(self, block: int, value: int, session: str) -> bool:
        # What was in flight when the gate froze or closed still ends, in its own session.
        open_for_this = self.gate == "open" or session
        if not self.alive or not open_for_this or self.session != session:
            return False
        self.host.disk.blocks[block] = value
        return True

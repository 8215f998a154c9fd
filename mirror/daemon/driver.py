"""The loop of one module: events in, in order, through the engine; its actions to the executor."""

import asyncio
from collections.abc import Callable

from mirror.core.engine import Engine
from mirror.daemon.executor import Executor
from mirror.daemon.ports import Ports
from mirror.vocabulary.events import Event, Progressed, Ticked


class Driver:
    """One module on one node. Used by one event loop.

    now_ms: the boot clock. tick_ms: time passes for the engine at least this often; a fraction
    of the timeout, because a gap longer than the timeout is taken for a stall.
    tick(): the event that says so; it may bring what changes with time alone.
    on_handled: called after each event, with it.
    """

    def __init__(
        self,
        engine: Engine,
        ports: Ports,
        *,
        now_ms: Callable[[], int],
        tick_ms: int,
        tick: Callable[[], Event] = Ticked,
        on_handled: Callable[[Event], None] | None = None,
    ) -> None:
        self.engine = engine
        self._now_ms = now_ms
        self._tick_s = tick_ms / 1000
        self._tick_event = tick
        self._on_handled = on_handled
        self.moves = 0  # rises with each event that had an effect, or tells of progress
        self._events: asyncio.Queue[Event] = asyncio.Queue()
        self._ticking: asyncio.TimerHandle | None = None
        self._executor = Executor(ports, self.post)

    def post(self, event: Event) -> None:
        """Take an event; it is handled in its turn. Never blocks."""
        self._events.put_nowait(event)

    async def run(self) -> None:
        """Handle events until cancelled. Raises: InvariantBroken, after which nothing is done."""
        self._plan_tick(asyncio.get_running_loop())
        try:
            while True:
                self._handle(await self._next())
        finally:
            assert self._ticking is not None
            self._ticking.cancel()
            await self._executor.close()

    async def _next(self) -> Event:
        return await self._events.get()

    def _plan_tick(self, loop: asyncio.AbstractEventLoop) -> None:
        """At the same moments for all modules of a node: the loop wakes once for them."""
        next_s = (round(loop.time() / self._tick_s) + 1) * self._tick_s
        self._ticking = loop.call_at(next_s, self._tick, loop)

    def _tick(self, loop: asyncio.AbstractEventLoop) -> None:
        self._plan_tick(loop)
        if not self._events.empty():
            return
        event = self._tick_event()
        if not self._passes_over(event):
            self.post(event)
        elif self._on_handled is not None:
            self._on_handled(event)

    def _passes_over(self, event: Event) -> bool:
        """Have the engine take it here and now, without waking `run`, if nothing follows."""
        return self.engine.rests(event, self._now_ms())

    def _handle(self, event: Event) -> None:
        actions = self.engine.handle(event, self._now_ms())
        self.moves += bool(actions) or isinstance(event, Progressed)
        self._executor.perform(actions)
        if self._on_handled is not None:
            self._on_handled(event)

"""The loop of one module: events in, in order, through the engine; its actions to the executor."""

import asyncio
from collections.abc import Callable

from mirror.core.engine import Engine
from mirror.daemon.executor import Executor
from mirror.daemon.ports import Ports
from mirror.vocabulary.events import Event, Ticked


class Driver:
    """One module on one node. Used by one event loop.

    now_ms: the boot clock. tick_ms: time passes for the engine at least this often; a fraction
    of the timeout, because a gap longer than the timeout is taken for a stall.
    on_handled: called after each event, with it.
    """

    def __init__(
        self,
        engine: Engine,
        ports: Ports,
        *,
        now_ms: Callable[[], int],
        tick_ms: int,
        on_handled: Callable[[Event], None] | None = None,
    ) -> None:
        self.engine = engine
        self._now_ms = now_ms
        self._tick_s = tick_ms / 1000
        self._on_handled = on_handled
        self._events: asyncio.Queue[Event] = asyncio.Queue()
        self._executor = Executor(ports, self.post)

    def post(self, event: Event) -> None:
        """Take an event; it is handled in its turn. Never blocks."""
        self._events.put_nowait(event)

    async def run(self) -> None:
        """Handle events until cancelled. Raises: InvariantBroken, after which nothing is done."""
        ticker = asyncio.get_running_loop().create_task(self._tick())
        try:
            while True:
                self._handle(await self._next())
        finally:
            ticker.cancel()
            await self._executor.close()

    async def _next(self) -> Event:
        return await self._events.get()

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(self._tick_s)
            if self._events.empty():
                self.post(Ticked())

    def _handle(self, event: Event) -> None:
        self._executor.perform(self.engine.handle(event, self._now_ms()))
        if self._on_handled is not None:
            self._on_handled(event)

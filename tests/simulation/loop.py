"""An asyncio loop whose time jumps to the next thing that is due. No real waiting, no threads.

What tasks, futures, events, queues and locks ask of a loop is done here with the least of work;
the selector of the parent is never asked. What a callback raises ends the run.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Generator
from contextvars import Context
from heapq import heappop, heappush
from typing import Any, TypeVar, TypeVarTuple, cast

RESOLUTION_S = 1e-9  # what is due within it is due at one moment
T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class _Due(asyncio.TimerHandle):
    """One callback. It knows no loop: one that is cancelled is dropped when its moment comes."""

    __slots__ = ("args", "callback")

    def __init__(self, callback: Callable[..., object], args: tuple[Any, ...]) -> None:
        self.callback: Callable[..., object] | None = callback
        self.args = args

    def cancel(self) -> None:
        self.callback = None


class VirtualLoop(asyncio.SelectorEventLoop):
    """Single-threaded, deterministic: what is due at one moment runs in the order it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self._now_s = 0.0
        self._soon: deque[_Due] = deque()
        self._timers: list[tuple[float, int, _Due]] = []
        self._asked = 0

    def time(self) -> float:
        return self._now_s

    def now_ms(self) -> int:
        return round(self._now_s * 1000)

    def call_soon(
        self, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> _Due:
        del context
        due = _Due(callback, args)
        self._soon.append(due)
        return due

    def call_later(
        self,
        delay: float,
        callback: Callable[[*Ts], object],
        *args: *Ts,
        context: Context | None = None,
    ) -> _Due:
        return self.call_at(self._now_s + delay, callback, *args, context=context)

    def call_at(
        self,
        when: float,
        callback: Callable[[*Ts], object],
        *args: *Ts,
        context: Context | None = None,
    ) -> _Due:
        del context
        due = _Due(callback, args)
        self._asked += 1
        heappush(self._timers, (when, self._asked, due))
        return due

    def run_until_complete(self, future: Generator[Any, None, T] | Awaitable[T]) -> T:
        """Run until it is done. Raises: what it, or any callback, raises."""
        task = asyncio.ensure_future(cast("Awaitable[T]", future), loop=self)
        asyncio._set_running_loop(self)
        try:
            while not task.done():
                self._run_moment()
        finally:
            asyncio._set_running_loop(None)
        return task.result()

    def _run_moment(self) -> None:
        soon, timers = self._soon, self._timers
        if not soon:
            if not timers:
                raise RuntimeError("nothing is due, for ever: the simulated world is dead")
            when_s, _, due = heappop(timers)
            if due.callback is None:
                return
            self._now_s = max(self._now_s, when_s)
            if not timers or timers[0][0] >= self._now_s + RESOLUTION_S:
                due.callback(*due.args)  # as almost always: alone at its moment
                return
            soon.append(due)
        end_s = self._now_s + RESOLUTION_S
        while timers and timers[0][0] < end_s:
            soon.append(heappop(timers)[2])
        for _ in range(len(soon)):
            due = soon.popleft()
            if due.callback is not None:
                due.callback(*due.args)

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """A task that failed and that nobody asked: the world looks at those that matter."""

"""A client as a generator: it yields what it waits for. A tenth of the cost of a task of asyncio.

yield 0.01                # seconds to wait
yield signal, until_s     # a signal to wait for; at that time TimeoutError is thrown in
"""

import asyncio
from collections import deque
from collections.abc import Callable, Generator
from typing import Any

from tests.simulation.loop import VirtualLoop


class Signal:
    """An event of asyncio that generators can wait for, too."""

    def __init__(self) -> None:
        self._set = False
        self._waiters: deque[asyncio.Future[Any]] = deque()

    def is_set(self) -> bool:
        return self._set

    def set(self) -> None:
        self._set = True
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)

    def clear(self) -> None:
        self._set = False

    def waiter(self) -> asyncio.Future[Any]:
        """Give a future that ends when it is set next."""
        waiter: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        return waiter

    async def wait(self) -> None:
        if not self._set:
            await self.waiter()


Wait = float | tuple[Signal, float]
Steps = Generator[Wait, None, None]
Answer = Generator[Wait, None, bool]
EVER = float("inf")


class Process:
    """Runs the steps of one generator. failed: told what ended it, if anything did."""

    def __init__(
        self, loop: VirtualLoop, steps: Steps, failed: Callable[[BaseException], None]
    ) -> None:
        self._loop = loop
        self._steps = steps
        self._failed = failed
        loop.call_soon(self._step)

    def _step(self, error: BaseException | None = None) -> None:
        try:
            wait = next(self._steps) if error is None else self._steps.throw(error)
        except StopIteration:
            return
        except Exception as ended:  # noqa: BLE001 - the world judges what it was
            self._failed(ended)
            return
        if isinstance(wait, float):
            self._loop.call_later(wait, self._step)
            return
        signal, until_s = wait
        waiter = signal.waiter()
        waiter.add_done_callback(self._waited)
        if until_s != EVER:
            self._loop.call_at(until_s, _expire, waiter)

    def _waited(self, waiter: asyncio.Future[Any]) -> None:
        self._step(waiter.exception())


def _expire(waiter: asyncio.Future[Any]) -> None:
    if not waiter.done():
        waiter.set_exception(TimeoutError())

"""An asyncio loop whose time jumps to the next thing that is due. No real waiting, no threads."""

import asyncio
import selectors
from typing import Any


class _JumpingSelector(selectors.SelectSelector):
    """Instead of waiting, time passes."""

    def __init__(self) -> None:
        super().__init__()
        self.now_s = 0.0

    def select(self, timeout: float | None = None) -> list[Any]:
        if timeout is None:
            raise RuntimeError("nothing is due, for ever: the simulated world is dead")
        self.now_s += max(timeout, 0.0)
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """Single-threaded, deterministic: what is due at one moment runs in the order it was asked."""

    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.now_s

    def now_ms(self) -> int:
        return round(self._jumping.now_s * 1000)

"""How far the peer is behind, when what is written reaches it later (capture="watch")."""

from __future__ import annotations

import threading

from mirror.adapters import clock


class Lag:
    """The age of the oldest change that the peer lacks. Any thread.

    A pass ships what had changed when it began; what changes meanwhile is for the next one.
    """

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._waiting_ms: int | None = None
        self._shipped_ms: int | None = None

    def changed(self) -> None:
        """Something was noted."""
        with self._condition:
            if self._waiting_ms is None:
                self._waiting_ms = clock.monotonic_ms()
            self._condition.notify_all()

    def wait(self, timeout_s: float) -> bool:
        """Wait until the peer lacks something, or `wake`. Says whether it does."""
        with self._condition:
            if not self._is_behind():
                self._condition.wait(timeout_s)
            return self._is_behind()

    def wake(self) -> None:
        """Let who waits look around."""
        with self._condition:
            self._condition.notify_all()

    def begin(self) -> None:
        """A pass begins."""
        with self._condition:
            self._shipped_ms = self._shipped_ms or self._waiting_ms
            self._waiting_ms = None

    def shipped(self) -> None:
        """The pass is complete: both disks hold it."""
        with self._condition:
            self._shipped_ms = None

    def behind_ms(self) -> int:
        """Milliseconds; 0: the peer lacks nothing that was noted."""
        with self._condition:
            oldest = self._shipped_ms or self._waiting_ms
            return 0 if oldest is None else max(1, clock.monotonic_ms() - oldest)

    def _is_behind(self) -> bool:
        return self._shipped_ms is not None or self._waiting_ms is not None

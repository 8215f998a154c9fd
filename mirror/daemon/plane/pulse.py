"""A living link counts as a heartbeat (design 9): the source pings several times in a timeout.

Only while somebody decides for it: a data plane whose control plane is gone, or whose gate was
closed, gives no sign of life, so that the secondary may take over.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from mirror.errors import MirrorError


class Pulse:
    """The pings of one primary. is_attended: a control plane is connected. Any thread."""

    def __init__(self, period_s: float, is_attended: Callable[[], bool]) -> None:
        self._period_s = period_s
        self._is_attended = is_attended
        self._stop = threading.Event()
        self.beats = 0  # pings answered in this session; written by its thread only

    def start(self, ping: Callable[[], object]) -> None:
        """Ping from now on. ping(): returns when the target has answered."""
        self.stop()
        self._stop, self.beats = threading.Event(), 0
        target = self._beat
        threading.Thread(target=target, args=(ping, self._stop), name="pulse", daemon=True).start()

    def stop(self) -> None:
        """Ping no more. A ping under way returns when its connection ends."""
        self._stop.set()

    def _beat(self, ping: Callable[[], object], stop: threading.Event) -> None:
        while not stop.wait(self._period_s):
            if not self._is_attended():
                continue
            try:
                ping()
            except (OSError, MirrorError):
                return  # the session is over, and is told of elsewhere
            if not stop.is_set():
                self.beats += 1

"""Slows down who guesses passwords: after a few failures, each next try waits twice as long.

In memory and bounded: a restart of the console forgets, which a guesser cannot cause.
"""

from collections import OrderedDict

from mirror.adapters import clock
from mirror.errors import TooManyAttempts

FREE_FAILURES = 5
WAIT_S_MAX = 300
FORGOTTEN_AFTER_MS = 15 * 60 * 1000
KEYS_MAX = 10_000


class Attempts:
    """Failures by key (an address, a name). Used by one event loop."""

    def __init__(self) -> None:
        # key -> (failures, time of the last one), the longest untouched first.
        self._failures: OrderedDict[str, tuple[int, int]] = OrderedDict()

    def check(self, what: str, *keys: str) -> None:
        """Let a try through, or raise TooManyAttempts (MIR-804)."""
        now_ms = clock.boottime_ms()
        for key in keys:
            count, last_ms = self._failures.get(key, (0, 0))
            if count < FREE_FAILURES or now_ms - last_ms > FORGOTTEN_AFTER_MS:
                continue
            wait_ms = min(2 ** (count - FREE_FAILURES), WAIT_S_MAX) * 1000
            left_ms = last_ms + wait_ms - now_ms
            if left_ms > 0:
                raise TooManyAttempts(what=what, wait_s=-(-left_ms // 1000))

    def failed(self, *keys: str) -> None:
        """Count a failure."""
        now_ms = clock.boottime_ms()
        for key in keys:
            count, last_ms = self._failures.pop(key, (0, now_ms))
            if now_ms - last_ms > FORGOTTEN_AFTER_MS:
                count = 0
            self._failures[key] = (count + 1, now_ms)
        while len(self._failures) > KEYS_MAX:
            self._failures.popitem(last=False)

    def succeeded(self, *keys: str) -> None:
        """Forget the failures of these keys."""
        for key in keys:
            self._failures.pop(key, None)

"""Time that a host has lost and its own clock does not show."""

_OFFSET_WINDOW_US = 2_000_000


class OffsetWatch:
    """Sees it: a virtual machine was paused.

    The peer's clock minus ours is constant, but for delays, which only lower it. If it rises by
    more than the timeout, our clock stood still. What queued up during the pause comes in steps,
    hence the comparison with what was known some time ago and not with the packet before.
    """

    def __init__(self, threshold_us: int) -> None:
        self._threshold_us = threshold_us
        self._base_us: int | None = None
        self._window_us = 0
        self._window_max_us = 0

    def note(self, sent_us: int, now_us: int) -> int:
        """A packet sent at the peer's sent_us was read at now_us. Returns: ms lost, mostly 0."""
        offset_us = sent_us - now_us
        if self._base_us is None:
            self._base_us = self._window_max_us = offset_us
            self._window_us = now_us
            return 0
        lost_us = offset_us - self._base_us
        if lost_us > self._threshold_us:
            self._base_us = self._window_max_us = offset_us
            self._window_us = now_us
            return lost_us // 1000
        self._window_max_us = max(self._window_max_us, offset_us)
        if now_us - self._window_us > _OFFSET_WINDOW_US:
            # Down as well as up: clocks drift apart, and a lasting delay is the new normal.
            self._base_us, self._window_us = self._window_max_us, now_us
            self._window_max_us = offset_us
        return 0

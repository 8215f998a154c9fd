"""How long to wait so that reintegration keeps within its bandwidth (reiallowedbw)."""


class Pace:
    """Counts bytes against time. Not shared between threads without a lock.

    bytes_s: bytes a second; None: no bound. One second may be sent ahead, so that many small
    files are not slowed one by one.
    """

    def __init__(self, bytes_s: int | None, now_ms: int) -> None:
        assert bytes_s is None or bytes_s > 0
        self._bytes_s = bytes_s
        self._paid_until_ms = now_ms - 1_000

    def wait_ms(self, sent_bytes: int, now_ms: int) -> int:
        """Note what was sent; return how long to wait before sending more, 0 for not at all."""
        if self._bytes_s is None:
            return 0
        start_ms = max(self._paid_until_ms, now_ms - 1_000)
        self._paid_until_ms = start_ms + sent_bytes * 1_000 // self._bytes_s
        return max(0, self._paid_until_ms - now_ms)

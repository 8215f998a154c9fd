"""A watchdog device: once armed it resets this host unless it hears from us in time.

Last means of a host that stands still or cannot be silenced: it is off before the peer may serve.
The device counts whole seconds. A FIFO can stand in for it, as in tests: it has no timeout of its
own. Closing it does not stop it; only `disarm` does, and not even that with NOWAYOUT.
"""

import fcntl
import os
import stat
import struct
from pathlib import Path

from mirror.errors import WatchdogNotArmed
from mirror.vocabulary.said import say

_SETTIMEOUT = 0xC0045706  # linux/watchdog.h: _IOWR('W', 6, int)
_PET, _MAGIC_CLOSE = b"\0", b"V"


class Watchdog:
    """One device. Not shared between threads; nothing here blocks."""

    def __init__(self, path: Path, timeout_s: int) -> None:
        assert timeout_s >= 1
        self._path = path
        self._timeout_s = timeout_s
        self._descriptor = -1

    @property
    def armed(self) -> bool:
        """Whether it counts, because of us."""
        return self._descriptor >= 0

    def arm(self) -> None:
        """Open it, set its timeout, and begin; idempotent. Raises: WatchdogNotArmed (MIR-222)."""
        if self.armed:
            return
        try:
            # For a FIFO that nobody reads yet; a device does not mind.
            descriptor = os.open(self._path, os.O_RDWR | os.O_CLOEXEC | os.O_NONBLOCK)
        except OSError as error:
            raise self._refused(error.strerror) from error
        try:
            self._set_timeout(descriptor)
            os.write(descriptor, _PET)
        except BaseException as error:
            self._give_up(descriptor)
            if isinstance(error, OSError):
                raise self._refused(error.strerror) from error
            raise
        self._descriptor = descriptor

    def pet(self) -> bool:
        """Say that all is well. Returns: False when it did not take it: then it will fire."""
        try:
            return os.write(self._descriptor, _PET) == len(_PET)
        except OSError:
            return False

    def disarm(self) -> None:
        """Stop it, and close; idempotent."""
        if self.armed:
            descriptor, self._descriptor = self._descriptor, -1
            self._give_up(descriptor)

    def _set_timeout(self, descriptor: int) -> None:
        if not stat.S_ISCHR(os.fstat(descriptor).st_mode):
            return
        answer = fcntl.ioctl(descriptor, _SETTIMEOUT, struct.pack("=i", self._timeout_s))
        (set_s,) = struct.unpack("=i", answer)
        if set_s > self._timeout_s:
            raise self._refused(say("watchdog.late", set_s=set_s, wanted_s=self._timeout_s))

    def _give_up(self, descriptor: int) -> None:
        try:
            os.write(descriptor, _MAGIC_CLOSE)
        except OSError:
            pass  # it fires, which is all that is left
        finally:
            os.close(descriptor)

    def _refused(self, observed: str | None) -> WatchdogNotArmed:
        return WatchdogNotArmed(device=self._path, observed=observed or "unknown error")

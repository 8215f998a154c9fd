"""What the guardian hears of its control plane, over a socket pair inherited from it.

A thread of its own answers, so the guardian learns two things: whether this process runs at all
(then the heartbeats go out too), and how long ago its event loop last turned.

    guardian -> control plane   b"go"   begin: until then it is a spare, everything imported
                                b"?"    are you there? b"!": and the watchdog is armed
    control plane -> guardian   9 bytes: flags, ms since the loop turned, timeout ms; from a spare
                                once, when everything is imported
"""

import asyncio
import contextlib
import os
import socket
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass

from mirror.adapters import clock
from mirror.adapters.heartbeats.realtime import raise_this_thread

GO = b"go"
ASK, ASK_ARMED = b"?", b"!"
LOADED, GUARDED = 1, 2
ANSWER = struct.Struct(">BII")
EXIT_GUARDIAN_GONE = 75
LOOP_MS_MAX = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class Health:
    """One answer. loaded: all modules are loaded, so their heartbeats go out.

    timeout_ms: the shortest of all modules, 0 when there is none. guarded: a module that wants a
    watchdog is not stopped.
    """

    loaded: bool
    loop_ms: int
    timeout_ms: int
    guarded: bool = False

    def encode(self) -> bytes:
        """Give the nine bytes."""
        flags = LOADED * self.loaded | GUARDED * self.guarded
        return ANSWER.pack(flags, min(self.loop_ms, LOOP_MS_MAX), self.timeout_ms)

    @classmethod
    def decode(cls, datagram: bytes) -> "Health":
        """Read the nine bytes. Raises: ValueError."""
        try:
            flags, loop_ms, timeout_ms = ANSWER.unpack(datagram)
        except struct.error as error:
            raise ValueError(str(error)) from error
        return cls(bool(flags & LOADED), loop_ms, timeout_ms, bool(flags & GUARDED))


class HealthChannel:
    """The control plane's end. guarded(): see Health; asked in the control loop."""

    def __init__(self, fd: int) -> None:
        self._socket = socket.socket(fileno=fd)
        self._turned_ms = clock.boottime_ms()
        self.loaded = False
        self.timeout_ms = 0
        self.guarded: Callable[[], bool] = lambda: False
        self.armed = asyncio.Event()  # the guardian's watchdog counts
        self._guarded = False

    def say_imported(self) -> None:
        """Say that this spare would begin at once."""
        with contextlib.suppress(OSError):  # the guardian is gone: `wait_go` tells it
            self._socket.send(Health(loaded=False, loop_ms=0, timeout_ms=0).encode())

    def wait_go(self) -> bool:
        """Wait as a spare. Returns: False when the guardian is gone."""
        while datagram := self._receive():
            if datagram == GO:
                return True
        return False

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin to answer."""
        threading.Thread(target=self._answer, args=(loop,), name="health", daemon=True).start()

    def _answer(self, loop: asyncio.AbstractEventLoop) -> None:
        raise_this_thread()  # as the guardian and the heartbeats: one slower would look dead
        self._turned_ms = clock.boottime_ms()
        while asked := self._receive():
            loop_ms = clock.boottime_ms() - self._turned_ms
            health = Health(self.loaded, loop_ms, self.timeout_ms, self._guarded)
            try:
                self._socket.send(health.encode())
                loop.call_soon_threadsafe(self._turned, asked == ASK_ARMED)
            except RuntimeError:
                return  # the loop has ended: this process is about to
            except OSError:
                break
        # Two control planes must never act on one node: the next guardian starts its own.
        os._exit(EXIT_GUARDIAN_GONE)

    def _turned(self, armed: bool) -> None:  # noqa: FBT001 - called by the loop
        self._turned_ms = clock.boottime_ms()
        self._guarded = self.guarded()
        if armed:
            self.armed.set()
        else:
            self.armed.clear()

    def _receive(self) -> bytes:
        try:
            return self._socket.recv(64)
        except OSError:
            return b""

"""What the guardian hears of its control plane, over a socket pair inherited from it.

A thread of its own answers, so the guardian learns two things: whether this process runs at all
(then the heartbeats go out too), and how long ago its event loop last turned.

    guardian -> control plane   b"go"   begin: until then it is a spare, everything imported
                                b"?"    are you there?
    control plane -> guardian   9 bytes: loaded (0 or 1), ms since the loop turned, timeout ms
"""

import asyncio
import os
import socket
import struct
import threading
from dataclasses import dataclass

from mirror.adapters import clock
from mirror.adapters.heartbeats.realtime import raise_this_thread

GO = b"go"
ASK = b"?"
ANSWER = struct.Struct(">BII")
EXIT_GUARDIAN_GONE = 75
LOOP_MS_MAX = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class Health:
    """One answer. loaded: all modules are loaded, so their heartbeats go out.

    timeout_ms: the shortest of all modules, 0 when there is none.
    """

    loaded: bool
    loop_ms: int
    timeout_ms: int

    def encode(self) -> bytes:
        """Give the nine bytes."""
        return ANSWER.pack(self.loaded, min(self.loop_ms, LOOP_MS_MAX), self.timeout_ms)

    @classmethod
    def decode(cls, datagram: bytes) -> "Health":
        """Read the nine bytes. Raises: ValueError."""
        try:
            loaded, loop_ms, timeout_ms = ANSWER.unpack(datagram)
        except struct.error as error:
            raise ValueError(str(error)) from error
        return cls(bool(loaded), loop_ms, timeout_ms)


class HealthChannel:
    """The control plane's end."""

    def __init__(self, fd: int) -> None:
        self._socket = socket.socket(fileno=fd)
        self._turned_ms = clock.boottime_ms()
        self.loaded = False
        self.timeout_ms = 0

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
        while self._receive():
            loop_ms = clock.boottime_ms() - self._turned_ms
            health = Health(self.loaded, loop_ms, self.timeout_ms)
            try:
                self._socket.send(health.encode())
                loop.call_soon_threadsafe(self._turned)
            except (OSError, RuntimeError):
                break
        # Two control planes must never act on one node: the next guardian starts its own.
        os._exit(EXIT_GUARDIAN_GONE)

    def _turned(self) -> None:
        self._turned_ms = clock.boottime_ms()

    def _receive(self) -> bytes:
        try:
            return self._socket.recv(64)
        except OSError:
            return b""

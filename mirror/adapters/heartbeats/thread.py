"""The heartbeats of a module: one thread that sends, listens, and says who is heard, who not.

A thread of its own at real-time priority, because a loaded host or a busy control loop must not
look dead to the peer. It decides nothing: it reports facts to the control loop through
`call_soon_threadsafe`, in this order within one turn: stall, heard, silent. Silence is judged
only after everything that waits in the sockets was read, so a node that was stopped counts what
came meanwhile. After a stall nothing is sent before the control loop has said something: what it
said before may no longer be true, and the peer may have taken over.
"""

import asyncio
import os
import select
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from mirror.adapters import clock
from mirror.adapters.heartbeats.engine import HeartbeatEngine
from mirror.adapters.heartbeats.realtime import lock_memory, raise_this_thread
from mirror.adapters.heartbeats.settings import HeartbeatSettings, LanSocket
from mirror.adapters.heartbeats.statistics import LanStatistics

_DRAIN_PACKETS_MAX = 4096  # a flood of garbage must not keep the thread from sending
_JOIN_S = 5.0
HOLD_MS_MAX = 500  # time for the control loop to handle a stall; it may have nothing new to say
_HOLD_POLL_MS = 5

OnHeard = Callable[[str, dict[str, Any], bytes], None]
OnNote = Callable[[str, Mapping[str, object]], None]


@dataclass(frozen=True, slots=True)
class HeartbeatListener:
    """Who is told, in the control loop. None of them may block.

    on_heard(lan, body, incarnation): a packet of the peer was believed.
    on_silent(lan): nothing for that network's timeout; once, until it is heard again.
    on_stall(ms): this host, or this process, stood still for longer than the timeout. Nothing
        is sent before the next `set_body`, for HOLD_MS_MAX at most.
    on_note(text, fields): something for the module log, each kind once.
    """

    on_heard: OnHeard
    on_silent: Callable[[str], None]
    on_stall: Callable[[int], None]
    on_note: OnNote


class Heartbeats:
    """The heartbeats of one module. All methods are called from the control loop's thread."""

    def __init__(
        self,
        settings: HeartbeatSettings,
        loop: asyncio.AbstractEventLoop,
        listener: HeartbeatListener,
    ) -> None:
        self._settings = settings
        self._loop = loop
        self._listener = listener
        self._engine = HeartbeatEngine(settings, clock.boottime_us())
        self._lock = threading.Lock()  # guards _engine
        self._sockets: dict[int, LanSocket] = {}
        self._by_lan: dict[str, LanSocket] = {}
        self._wake = -1
        self._stopping = False
        self._loop_asked = False
        self._held_until_us = 0
        self._thread: threading.Thread | None = None

    @property
    def incarnation(self) -> bytes:
        """Drawn at random when this object was made; the peer sees it with each packet."""
        return self._engine.incarnation

    def start(self) -> None:
        """Open the ports, in the caller's network namespace, and begin to send.

        Raises: HeartbeatPortTaken (MIR-321); nothing is then left open.
        """
        assert self._thread is None
        try:
            for lan in self._settings.lans:
                opened = LanSocket(lan, self._settings.port)
                self._sockets[opened.fileno()] = self._by_lan[lan.name] = opened
        except BaseException:
            self._close()
            raise
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        name = f"heart-{self._settings.module}"
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def set_body(self, body: dict[str, Any], *, urgent: bool = False) -> None:
        """Say this from the next packet on; with urgent, at once and again against loss.

        body: msgpack values, not changed by the caller afterwards.
        Raises: ValueError when it is longer than a packet may be.
        """
        with self._lock:
            self._engine.set_body(body, clock.boottime_us(), urgent=urgent)
        held, self._held_until_us = self._holds_back(), 0
        if (urgent or held) and self._wake >= 0:
            os.eventfd_write(self._wake, 1)

    def statistics(self) -> dict[str, LanStatistics]:
        """Counters of each network, by its name."""
        with self._lock:
            return self._engine.statistics(clock.boottime_us())

    def stop(self) -> None:
        """End the thread and close the ports. What was reported before may still be delivered."""
        if self._thread is None:
            return
        self._stopping = True
        os.eventfd_write(self._wake, 1)
        self._thread.join(_JOIN_S)
        assert not self._thread.is_alive(), "the heartbeat thread does not block"
        self._thread = None
        os.close(self._wake)
        self._wake = -1
        self._close()

    def _close(self) -> None:
        for opened in self._sockets.values():
            opened.close()
        self._sockets.clear()
        self._by_lan.clear()

    # --- below: the thread ---

    def _run(self) -> None:
        try:
            self._listen_and_send()
        except Exception as error:
            # Without this thread the peer takes over: better loudly than by surprise.
            self._tell(self._listener.on_note, "heartbeat ended", {"why": repr(error)})
            raise

    def _listen_and_send(self) -> None:
        refusals = [text for text in (raise_this_thread(), lock_memory()) if text]
        if refusals:
            self._tell(self._listener.on_note, "heartbeat not protected", {"why": refusals})
        poller = select.poll()
        poller.register(self._wake, select.POLLIN)
        for descriptor in self._sockets:
            poller.register(descriptor, select.POLLIN)
        while not self._stopping:
            with self._lock:
                wait_us = self._engine.wait_us(clock.boottime_us())
            wait_ms = max(-(-wait_us // 1000), _HOLD_POLL_MS if self._holds_back() else 0)
            ready = {descriptor for descriptor, _ in poller.poll(wait_ms)}
            if self._wake in ready:
                os.eventfd_read(self._wake)
            self._turn()

    def _turn(self) -> None:
        with self._lock:
            stalled_ms = self._engine.turn(clock.boottime_us())
        if stalled_ms:
            self._tell_stall(stalled_ms)
        drained = [self._drain(opened) for opened in self._sockets.values()]
        if all(drained):
            with self._lock:
                silent = self._engine.silent(clock.boottime_us())
            for lan in silent:
                self._tell(self._listener.on_silent, lan)
        self._ask_loop()
        if self._holds_back():
            return
        with self._lock:
            due = self._engine.due(clock.boottime_us())
        for lan, datagram in due:
            self._send(self._by_lan[lan], datagram)

    def _drain(self, opened: LanSocket) -> bool:
        """Read what waits on one network. Returns: False when more than a turn may take waits."""
        for _ in range(_DRAIN_PACKETS_MAX):
            received = opened.receive()
            if received is None:
                return True
            self._take(opened, *received)
        return False

    def _take(self, opened: LanSocket, datagram: bytes, source: str) -> None:
        lan = opened.lan.name
        with self._lock:
            incoming = self._engine.take(lan, datagram, clock.boottime_us())
        if incoming.stalled_ms:
            self._tell_stall(incoming.stalled_ms)
        if incoming.answer is not None:
            self._send(opened, incoming.answer)
        if incoming.heard is not None:
            heard = incoming.heard
            self._tell(self._listener.on_heard, heard.lan, heard.body, heard.incarnation)
        if incoming.first_refusal is not None:
            fields = {"lan": lan, "source": source, "why": incoming.first_refusal.value}
            self._tell(self._listener.on_note, "heartbeat refused, further ones counted", fields)

    def _send(self, opened: LanSocket, datagram: bytes) -> None:
        if self._holds_back():
            return
        accepted = opened.send(datagram)
        with self._lock:
            self._engine.note_sent(opened.lan.name, accepted=accepted)

    def _tell_stall(self, stalled_ms: int) -> None:
        """Hold everything back until the control loop has a word for it; not for long, though."""
        hold_ms = min(HOLD_MS_MAX, min(lan.timeout_ms for lan in self._settings.lans) // 2)
        self._held_until_us = clock.boottime_us() + hold_ms * 1000
        self._tell(self._listener.on_stall, stalled_ms)

    def _holds_back(self) -> bool:
        return clock.boottime_us() < self._held_until_us

    def _ask_loop(self) -> None:
        """Find out whether the control loop still turns; the peer is told how long ago it did."""
        if not self._loop_asked:
            self._loop_asked = True
            self._tell(self._loop_answers)

    def _loop_answers(self) -> None:
        with self._lock:
            self._engine.loop_turned(clock.boottime_us())
        self._loop_asked = False

    def _tell(self, callback: Callable[..., None], *arguments: object) -> None:
        try:
            self._loop.call_soon_threadsafe(callback, *arguments)
        except RuntimeError:  # the loop is closed: the process ends, and so does the heartbeat
            self._stopping = True

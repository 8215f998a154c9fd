"""The heartbeats of a node: one thread that sends, listens, and says who is heard, who not.

A thread of its own at real-time priority, because a loaded host or a busy control loop must not
look dead to the peer; one for all modules, because what 32 threads do is mostly waking up. It
decides nothing: it reports facts to the control loop through `call_soon_threadsafe`, in this
order within one turn: stall, heard, silent. Silence is judged only after everything that waits in
the sockets was read, so a node that was stopped counts what came meanwhile. After a stall nothing
is sent of a module before the control loop has said something: what it said before may no longer
be true, and the peer may have taken over.

A word that is merely heard again is no event: who wants to know asks `Heartbeats.heard`.
"""

import asyncio
import os
import select
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from mirror.adapters import clock
from mirror.adapters.heartbeats.conversation import Heard
from mirror.adapters.heartbeats.engine import HeartbeatEngine, Incoming, Stalled
from mirror.adapters.heartbeats.realtime import (
    lock_memory,
    raise_this_thread,
    share_interpreter,
)
from mirror.adapters.heartbeats.settings import HeartbeatSettings, LanSocket, Path
from mirror.adapters.heartbeats.statistics import LanStatistics

_DRAIN_PACKETS_MAX = 256  # a flood of garbage must keep the thread from nothing, nor the lock
_JOIN_S = 5.0
UNPROTECTED = "heartbeat not protected"

_Report = Callable[[], object]
OnNote = Callable[[str, Mapping[str, object]], None]


@dataclass(frozen=True, slots=True)
class HeartbeatListener:
    """Who is told, in the control loop. None of them may block.

    on_heard(lan): a packet of the peer was believed, and its word is new, or it is the first one
        there, or the first one at all for a part of the timeout, or since a stall.
    on_silent(lan): nothing for that network's timeout; once, until it is heard again.
    on_stall(ms): this host, or this process, stood still for longer than the timeout. Nothing
        is sent before the next `set_body`, for a bounded time.
    on_note(text, fields): something for the module log, each kind once.
    """

    on_heard: Callable[[str], None]
    on_silent: Callable[[str], None]
    on_stall: Callable[[int], None]
    on_note: OnNote


@dataclass(slots=True)
class _Group:
    """Modules that speak in the same packets."""

    engine: HeartbeatEngine
    sockets: dict[Path, LanSocket] = field(default_factory=dict)


class HeartbeatThread:
    """Runs while there are modules. Its public methods are called from the control loop."""

    def __init__(self) -> None:
        self._lock = threading.Lock()  # guards all that follows, and is held for a moment
        self._groups: dict[object, _Group] = {}
        self._listeners: dict[str, HeartbeatListener] = {}
        self._running: _Running | None = None
        self._loop_asked = False

    def join(self, settings: HeartbeatSettings, listener: HeartbeatListener) -> None:
        """Open the ports it needs, in the caller's network namespace, and begin to send.

        Raises: HeartbeatPortTaken (MIR-321); nothing more is then left open.
        """
        now_us = clock.boottime_us()
        with self._lock:
            assert settings.module not in self._listeners
            group = self._groups.get(settings.group) or _Group(HeartbeatEngine(settings, now_us))
            opened = _open(settings, without=group.sockets)
            self._groups[settings.group] = group
            group.sockets |= opened
            group.engine.join(settings, now_us)
            self._listeners[settings.module] = listener
            if self._running is None:
                self._running = _Running(asyncio.get_running_loop())
                thread = threading.Thread(
                    target=self._run, args=(self._running,), name="heartbeats", daemon=True
                )
                self._running.thread = thread
                thread.start()
            elif self._running.refusals:
                fields = {"why": self._running.refusals}
                self._running.tell([partial(listener.on_note, UNPROTECTED, fields)])
            for one in opened.values():
                self._running.poller.register(one.fileno(), select.EPOLLIN)
            self._running.wake_up()

    def leave(self, settings: HeartbeatSettings) -> None:
        """Say and hear nothing more of a module. What was reported may still be delivered."""
        with self._lock:
            del self._listeners[settings.module]
            group = self._groups[settings.group]
            group.engine.leave(settings.module)
            needed = {
                hearing.lan.path
                for one in group.engine.modules.values()
                for hearing in one.lans.values()
            }
            for path in group.sockets.keys() - needed:
                group.sockets.pop(path).close()  # epoll forgets it by itself
            if not needed:
                del self._groups[settings.group]
            if self._groups or self._running is None:
                return
            running, self._running = self._running, None
            running.stopping = True
            running.wake_up()
        running.close()

    def set_body(self, settings: HeartbeatSettings, body: dict[str, Any], *, urgent: bool) -> None:
        """See Heartbeats.set_body."""
        now_us = clock.boottime_us()
        with self._lock:
            engine = self._groups[settings.group].engine
            held = engine.modules[settings.module].is_held(now_us)
            engine.set_body(settings.module, body, now_us, urgent=urgent)
            if (urgent or held) and self._running is not None:
                self._running.wake_up()

    def heard(self, settings: HeartbeatSettings) -> Heard | None:
        """See Heartbeats.heard."""
        with self._lock:
            return self._groups[settings.group].engine.modules[settings.module].heard()

    def statistics(self, settings: HeartbeatSettings) -> dict[str, LanStatistics]:
        """See Heartbeats.statistics."""
        with self._lock:
            engine = self._groups[settings.group].engine
            return engine.statistics(settings.module, clock.boottime_us())

    # --- below: the thread ---

    def _run(self, running: "_Running") -> None:
        try:
            share_interpreter()
            running.refusals = [text for text in (raise_this_thread(), lock_memory()) if text]
            if running.refusals:
                self._note(running, UNPROTECTED, {"why": running.refusals})
            while not running.stopping:
                running.wait(self._wait_us())
                self._turn(running)
        except Exception as error:
            # Without this thread the peer takes over: better loudly than by surprise.
            self._note(running, "heartbeat ended", {"why": repr(error)})
            raise

    def _wait_us(self) -> int:
        now_us = clock.boottime_us()
        with self._lock:
            return min((one.engine.wait_us(now_us) for one in self._groups.values()), default=0)

    def _turn(self, running: "_Running") -> None:
        reports: list[_Report] = []
        with self._lock:
            now_us = clock.boottime_us()
            for group in self._groups.values():
                self._report_stalls(reports, group.engine.turn(now_us))
        running.tell(reports)
        reports = []
        with self._lock:
            for group in self._groups.values():
                drained = [self._drain(reports, group, path) for path in group.sockets]
                now_us = clock.boottime_us()
                if all(drained):
                    for module, lan in group.engine.silent(now_us):
                        reports.append(partial(self._listeners[module].on_silent, lan))
                due = group.engine.due(now_us)
                for path, datagram in due:
                    self._send(group, path, datagram)
                if due and not self._loop_asked:
                    # Does the control loop turn? The peer is told how long ago it did.
                    self._loop_asked = True
                    reports.append(self._loop_answers)
        running.tell(reports)

    def _drain(self, reports: list[_Report], group: _Group, path: Path) -> bool:
        """Read what waits on one network. Returns: False when more than a turn may take waits."""
        opened = group.sockets[path]
        for _ in range(_DRAIN_PACKETS_MAX):
            received = opened.receive()
            if received is None:
                return True
            datagram, source, arrived_us = received
            incoming = group.engine.take(path, datagram, arrived_us, clock.boottime_us())
            self._report_stalls(reports, incoming.stalled)
            for answer in incoming.answers:
                self._send(group, path, answer)
            self._report(reports, group, opened, incoming, source)
        return False

    def _report(
        self,
        reports: list[_Report],
        group: _Group,
        opened: LanSocket,
        incoming: Incoming,
        source: str,
    ) -> None:
        reports += [
            partial(self._listeners[module].on_heard, lan) for module, lan in incoming.told
        ]
        if incoming.first_refusal is not None:
            lan = opened.lan.name
            fields = {"lan": lan, "source": source, "why": incoming.first_refusal.value}
            text = "heartbeat refused, further ones counted"
            for module, one in group.engine.modules.items():
                if lan in one.lans:
                    reports.append(partial(self._listeners[module].on_note, text, fields))

    def _report_stalls(self, reports: list[_Report], stalls: list[Stalled]) -> None:
        reports += [
            partial(self._listeners[one.module].on_stall, one.stalled_ms) for one in stalls
        ]

    def _send(self, group: _Group, path: Path, datagram: bytes) -> None:
        accepted = group.sockets[path].send(datagram)
        group.engine.note_sent(path, accepted=accepted)

    def _loop_answers(self) -> None:
        with self._lock:
            self._loop_asked = False
            for group in self._groups.values():
                group.engine.loop_turned(clock.boottime_us())

    def _note(self, running: "_Running", text: str, fields: Mapping[str, object]) -> None:
        with self._lock:
            listeners = list(self._listeners.values())
        running.tell([partial(one.on_note, text, fields) for one in listeners])


class Heartbeats:
    """The heartbeats of one module. All methods are called from the control loop's thread."""

    def __init__(
        self, thread: HeartbeatThread, settings: HeartbeatSettings, listener: HeartbeatListener
    ) -> None:
        self._thread = thread
        self._settings = settings
        self._listener = listener
        self._body: dict[str, Any] | None = None
        self._started = False

    def start(self) -> None:
        """Open the ports, in the caller's network namespace, and begin to send.

        Raises: HeartbeatPortTaken (MIR-321); nothing is then left open.
        """
        self._thread.join(self._settings, self._listener)
        self._started = True
        if self._body is not None:
            self.set_body(self._body)

    def set_body(self, body: dict[str, Any], *, urgent: bool = False) -> None:
        """Say this from the next packet on; with urgent, at once and again against loss.

        body: msgpack values, not changed by the caller afterwards.
        Raises: ValueError when it is longer than a packet may be.
        """
        if self._started:
            self._thread.set_body(self._settings, body, urgent=urgent)
        else:
            self._body = body

    def heard(self) -> Heard | None:
        """Give the peer's newest word and when it was last heard; None: not since a stall."""
        return self._thread.heard(self._settings) if self._started else None

    def statistics(self) -> dict[str, LanStatistics]:
        """Counters of each network, by its name."""
        return self._thread.statistics(self._settings) if self._started else {}

    def stop(self) -> None:
        """Fall silent. What was reported before may still be delivered."""
        if self._started:
            self._started = False
            self._thread.leave(self._settings)


class _Running:
    """One life of the thread: from the first module that joins to the last one that leaves."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self.poller = select.epoll()
        self.poller.register(self._wake, select.EPOLLIN)
        self.stopping = False
        self.refusals: list[str] = []  # why it is not protected, once it runs
        self.thread: threading.Thread | None = None

    def wait(self, wait_us: int) -> None:
        """Wait for packets, for what is due, or to be woken."""
        ready = {descriptor for descriptor, _ in self.poller.poll(-(-wait_us // 1000) / 1000)}
        if self._wake in ready:
            os.eventfd_read(self._wake)

    def wake_up(self) -> None:
        """Have it turn now."""
        os.eventfd_write(self._wake, 1)

    def tell(self, reports: list[_Report]) -> None:
        """Have the control loop hear of these, in order."""
        if not reports:
            return
        try:
            self._loop.call_soon_threadsafe(self._deliver, reports)
        except RuntimeError:  # the loop is closed: the process ends, and so does the heartbeat
            self.stopping = True

    def _deliver(self, reports: list[_Report]) -> None:
        for report in reports:
            self._loop.call_soon(report)  # each by itself: what one raises is no other's affair

    def close(self) -> None:
        """Wait for the end of the thread, which was asked to end."""
        assert self.thread is not None
        self.thread.join(_JOIN_S)
        assert not self.thread.is_alive(), "the heartbeat thread does not block"
        self.poller.close()
        os.close(self._wake)


def _open(settings: HeartbeatSettings, without: Mapping[Path, LanSocket]) -> dict[Path, LanSocket]:
    opened: dict[Path, LanSocket] = {}
    try:
        for lan in settings.lans:
            if lan.path not in without:
                opened[lan.path] = LanSocket(lan, settings.port)
    except BaseException:
        for one in opened.values():
            one.close()
        raise
    return opened

"""`mirror node`: keeps a control plane running, and acts when none comes back.

What it must never do: decide who serves. Beside the control plane it holds spares, everything
imported, so that one that died is replaced long before the peer stops hearing it. When no control
plane lives for most of a heartbeat timeout, this node cannot keep its promises any more: before
the peer may take over, gates are closed, applications killed, addresses removed (fence.py).
"""

import importlib.util
import os
import select
import signal
import socket
import subprocess
import sys
from dataclasses import dataclass

import structlog

from mirror.adapters import clock
from mirror.adapters.heartbeats.realtime import lock_memory, raise_this_thread
from mirror.adapters.process_log import configure_trace
from mirror.config.layout import Layout
from mirror.daemon import watchdog_keeper
from mirror.daemon.fence import all_silent, fence_all
from mirror.daemon.node.fence_file import read_fence_files
from mirror.daemon.node.health import ASK, ASK_ARMED, GO, Health
from mirror.daemon.watchdog_keeper import WatchdogKeeper

log = structlog.get_logger()

ASK_MS = 50
TIMEOUT_MS_DEFAULT = 1_000  # the shortest profile, until a control plane has said its own
# Of the timeout: a silent process is ended after the first part, its successor must be there
# before the second. What is left is the time to act in.
HANGS_PART, LOST_PART = 0.6, 0.85
# A loop that does not turn harms nobody while the heartbeats go out; it helps nobody either.
LOOP_MS_MAX = 10_000
# To load all modules. Seen on two processors that 24 tasks wanted: more than 20 s for 32 modules,
# and whoever is ended before only adds to the work.
START_MS_MAX, START_MS_A_MODULE = 20_000, 2_000
SPARES = 2  # one that takes over, and one for its own death before the next has loaded
SPARE_AFTER_MS = 300  # after a death, all processors are wanted elsewhere
SPARE_APART_MS = 1_500  # what loading takes; two at once would both be late
STOP_MS_MAX = 620_000
# A killed process is gone in milliseconds, unless it is held in the kernel: by a disk that hangs.
DIES_S = 0.1
# Waited before a start, by the number of short lives before it: one that dies of what it finds
# must not take a processor for ever.
RESTART_MS = (0, 0, 0, 0, 400, 800, 1_600, 3_200)
LONG_LIFE_MS = 10_000
WEB_RESTART_MS = (2_000, 4_000, 8_000, 16_000, 32_000, 60_000)  # the longer it keeps dying
WEB_LONG_LIFE_MS = 60_000  # its start alone takes ten seconds and more on a loaded host
FIRST_INHERITED_FD = 3


@dataclass(slots=True)
class _Child:
    """A control plane, or a spare. answered_ms: when it last did (boot clock).

    waits: a spare that has imported everything.
    """

    process: "subprocess.Popen[bytes]"
    channel: socket.socket
    began_ms: int
    answered_ms: int
    asked_ms: int = 0
    loaded: bool = False
    waits: bool = False


class Guardian:
    """Single-threaded and small on purpose."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._current: _Child | None = None
        self._spares: list[_Child] = []  # the one that has had the longest to load first
        self._dying: list[subprocess.Popen[bytes]] = []  # killed, and held in the kernel
        self._spare_at_ms = 0
        self._start_at_ms = 0
        self._deaths = 0
        # An earlier guardian's modules may still run: their own patience counts.
        known = [facts.timeout_ms for facts in read_fence_files(layout.safevar / "modules")]
        self._timeout_ms = min(known, default=TIMEOUT_MS_DEFAULT)
        self._start_ms_max = START_MS_MAX
        # Since then no control plane has been known to run; None while one is.
        self._lost_ms: int | None = clock.boottime_ms()
        self._fenced = False
        self._ending = False
        self._guarded = False  # a module that wants the watchdog is not stopped
        self._watchdog = WatchdogKeeper(layout)
        self._web = _Web()
        self._wake_read, self._wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def run(self) -> int:
        """Run until SIGTERM; then have the modules stopped in order."""
        signal.set_wakeup_fd(self._wake_write)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_end)
        signal.signal(signal.SIGCHLD, lambda *_: None)  # to be woken at once
        refused = [text for text in (raise_this_thread(), lock_memory()) if text]
        if refused:
            log.warning("guardian not protected", why=refused)
        while not self._ending:
            self._turn(clock.boottime_ms())
            self._wait()
        return self._end()

    def _on_end(self, number: int, _frame: object) -> None:
        log.info("asked to end", signal=number)
        self._ending = True

    # --- one turn ---

    def _turn(self, now_ms: int) -> None:
        self._look_after_current(now_ms)
        # One that is held in the kernel does nothing any more, but its ports are not free.
        self._dying = [process for process in self._dying if process.poll() is None]
        if self._current is None and not self._dying and now_ms >= self._start_at_ms:
            self._activate(now_ms)
        self._look_after_spares(now_ms)
        self._judge(now_ms)
        self._look_after_watchdog(now_ms)
        self._web.look_after(now_ms)

    def _look_after_watchdog(self, now_ms: int) -> None:
        heard_ms = self._lost_ms
        if heard_ms is None:
            heard_ms = self._current.answered_ms if self._current is not None else now_ms
        alive = not self._fenced and now_ms - heard_ms <= self._timeout_ms * self._lost_part()
        self._watchdog.turn(now_ms, wanted=self._guarded, alive=alive)

    def _hangs_part(self) -> float:
        return watchdog_keeper.HANGS_PART if self._guarded else HANGS_PART

    def _lost_part(self) -> float:
        return watchdog_keeper.LOST_PART if self._guarded else LOST_PART

    def _wait(self) -> None:
        descriptors: list[int | socket.socket] = [self._wake_read]
        if self._current is not None:
            descriptors.append(self._current.channel)
        ready, _, _ = select.select(descriptors, [], [], ASK_MS / 1000)
        if self._wake_read in ready:
            os.read(self._wake_read, 4096)

    def _look_after_current(self, now_ms: int) -> None:
        child = self._current
        if child is None:
            return
        self._hear(child, now_ms)
        code = child.process.poll()
        if code is not None:
            self._bury(child, now_ms, f"it ended with {code}")
            return
        silent_ms = now_ms - child.answered_ms
        if silent_ms > self._timeout_ms * self._hangs_part() and child.loaded:
            self._bury(child, now_ms, f"it was silent for {silent_ms} ms")
        elif now_ms - child.began_ms > self._start_ms_max and not child.loaded:
            self._bury(child, now_ms, "it did not load its modules")
        elif now_ms - child.asked_ms >= ASK_MS:
            child.asked_ms = now_ms
            _send(child.channel, ASK_ARMED if self._watchdog.armed else ASK)

    def _hear(self, child: _Child, now_ms: int) -> None:
        while (health := _receive(child.channel)) is not None:
            child.answered_ms = now_ms
            if health.loaded:
                child.loaded = True
                self._lost_ms, self._fenced = None, False
                self._timeout_ms = health.timeout_ms or TIMEOUT_MS_DEFAULT
                self._guarded = health.guarded
            if health.loop_ms > LOOP_MS_MAX:
                self._bury(child, now_ms, f"its loop stood still for {health.loop_ms} ms")
                return

    def _bury(self, child: _Child, now_ms: int, why: str) -> None:
        log.error("control plane lost", pid=child.process.pid, why=why)
        self._kill(child.process)
        child.channel.close()
        self._current = None
        if self._lost_ms is None or self._fenced:  # a module may serve that it loaded first
            self._lost_ms, self._fenced = child.answered_ms, False
        lived_ms = now_ms - child.began_ms
        self._deaths = 0 if lived_ms > LONG_LIFE_MS else self._deaths + 1
        self._start_at_ms = now_ms + RESTART_MS[min(self._deaths, len(RESTART_MS) - 1)]
        self._spare_at_ms = self._start_at_ms + SPARE_AFTER_MS

    def _kill(self, process: "subprocess.Popen[bytes]") -> None:
        """Kill it, and wait for it no longer than a guardian may."""
        process.kill()
        try:
            process.wait(DIES_S)
        except subprocess.TimeoutExpired:
            self._dying.append(process)

    def _activate(self, now_ms: int) -> None:
        """Have a spare begin, or a new one when there is none."""
        self._bury_spares()
        for spare in self._spares:
            spare.waits = spare.waits or _receive(spare.channel) is not None
        self._spares.sort(key=lambda spare: not spare.waits)  # those that still load come last
        child = self._spares.pop(0) if self._spares else self._spawn(now_ms)
        child.began_ms = child.answered_ms = now_ms
        self._start_ms_max = start_ms_max(self._layout)
        _send(child.channel, GO)
        self._current = child

    def _look_after_spares(self, now_ms: int) -> None:
        if self._bury_spares():
            self._spare_at_ms = now_ms + SPARE_APART_MS
        ready = self._current is not None and self._current.loaded
        if len(self._spares) < SPARES and ready and now_ms >= self._spare_at_ms:
            self._spares.append(self._spawn(now_ms))
            self._spare_at_ms = now_ms + SPARE_APART_MS

    def _bury_spares(self) -> bool:
        """Forget those that died. Returns: whether there was one."""
        dead = [spare for spare in self._spares if spare.process.poll() is not None]
        for spare in dead:
            spare.channel.close()
            self._spares.remove(spare)
        return bool(dead)

    def _judge(self, now_ms: int) -> None:
        """Act when no control plane has been there for most of the timeout."""
        if self._lost_ms is None or self._fenced:
            return
        if now_ms - self._lost_ms > self._timeout_ms * self._lost_part():
            silent = all_silent(self._layout)
            if not silent and self._current is not None:
                # One that is just starting would go on with what is being ended here.
                self._bury(self._current, now_ms, "it came too late")
            self._fenced = True
            if not silent:  # as after a boot: nobody serves here, and who is starting may go on
                fence_all(self._layout)

    def _spawn(self, now_ms: int) -> _Child:
        here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        here.setblocking(False)
        with there:
            process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "mirror.daemon.control_plane"),
                    *("--channel", str(there.fileno())),
                ],
                stdin=subprocess.DEVNULL,
                pass_fds=(there.fileno(),),
            )
        return _Child(process, here, now_ms, now_ms)

    # --- the end ---

    def _end(self) -> int:
        """Stop the modules in order: as a host that is shut down; leave none that nobody runs."""
        self._web.end()
        for spare in self._spares:
            self._kill(spare.process)
        code = self._end_current(self._current) if self._current is not None else 0
        left = fence_all(self._layout)
        self._watchdog.end(in_order=code == 0 and not left)
        return code

    def _end_current(self, child: _Child) -> int:
        """Have the control plane end. Returns: its exit code, 0 when all is stopped in order."""
        child.process.terminate()
        deadline_ms = clock.boottime_ms() + STOP_MS_MAX
        while (code := child.process.poll()) is None and clock.boottime_ms() < deadline_ms:
            while _receive(child.channel) is not None:
                child.answered_ms = clock.boottime_ms()
            _send(child.channel, ASK_ARMED if self._watchdog.armed else ASK)
            self._look_after_watchdog(clock.boottime_ms())
            self._wait()
        if code is None:
            log.error("the control plane does not end")
            self._kill(child.process)
        return 1 if code is None else abs(code)


class _Web:
    """The console's process: supervised, and never missed by anything here."""

    def __init__(self) -> None:
        mine = os.environ.pop("LISTEN_PID", "") in {"", str(os.getpid())}
        count = os.environ.pop("LISTEN_FDS", "")
        os.environ.pop("LISTEN_FDNAMES", None)
        self._count = int(count) if mine and count.isdigit() else 0
        self._exists = importlib.util.find_spec("mirror.web") is not None and (
            importlib.util.find_spec("mirror.web.__main__") is not None
        )
        self._process: subprocess.Popen[bytes] | None = None
        self._start_at_ms = self._began_ms = 0
        self._deaths = -1  # the first one costs the shortest wait

    def look_after(self, now_ms: int) -> None:
        """Start it, and again when it ended; it inherits the sockets of whoever started us."""
        if self._process is not None and self._process.poll() is not None:
            lived_ms = now_ms - self._began_ms
            self._deaths = 0 if lived_ms > WEB_LONG_LIFE_MS else self._deaths + 1
            again_ms = WEB_RESTART_MS[min(self._deaths, len(WEB_RESTART_MS) - 1)]
            log.warning("console ended", code=self._process.returncode, again_ms=again_ms)
            self._process, self._start_at_ms = None, now_ms + again_ms
        if not self._exists or self._process is not None or now_ms < self._start_at_ms:
            return
        command = [sys.executable, "-m", "mirror.web"]
        environment = dict(os.environ)
        if self._count:
            # LISTEN_PID is the pid of who may use the sockets: only the child knows its own.
            command = ["/bin/sh", "-c", 'LISTEN_PID=$$ exec "$@"', "sh", *command]
            environment |= {"LISTEN_FDS": str(self._count), "LISTEN_FDNAMES": "console"}
        self._began_ms = now_ms
        self._process = subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            pass_fds=tuple(range(FIRST_INHERITED_FD, FIRST_INHERITED_FD + self._count)),
        )

    def end(self) -> None:
        """End it."""
        if self._process is not None:
            self._process.terminate()


def start_ms_max(layout: Layout) -> int:
    """How long a control plane may take to load the modules that this node had so far."""
    return START_MS_MAX + START_MS_A_MODULE * len(read_fence_files(layout.safevar / "modules"))


def _send(channel: socket.socket, datagram: bytes) -> None:
    try:
        channel.send(datagram)
    except OSError:
        return  # full, or its end is gone: both are seen by its silence


def _receive(channel: socket.socket) -> Health | None:
    try:
        datagram = channel.recv(64)
        return Health.decode(datagram) if datagram else None
    except (OSError, ValueError):
        return None


def main() -> int:
    """Run this node in the foreground."""
    configure_trace()
    return Guardian(Layout.from_environment()).run()


if __name__ == "__main__":
    sys.exit(main())

"""capture="watch": what was noted is sent to the secondary, pass after pass, while in step.

A pass is a reintegration in small, of what the index names: names, data by block hash, attributes,
a checkpoint of both disks; then it leaves the index. The application writes meanwhile: what it
changes is noted again, and the next pass sends it.
"""

from __future__ import annotations

import errno
import threading
from collections.abc import Callable

import structlog

from mirror.adapters import clock
from mirror.adapters.native import Plane
from mirror.core.reintegration.progress import Meter
from mirror.daemon.plane.copy import CopyPool
from mirror.daemon.plane.data import DataPhase
from mirror.daemon.plane.known_blocks import KnownBlocks
from mirror.daemon.plane.lanes import Lanes
from mirror.daemon.plane.names import Names
from mirror.daemon.plane.objects import GONE
from mirror.daemon.plane.watching import Watching
from mirror.daemon.plane.worklist import Worklist
from mirror.daemon.plane.works import OF_OBJECTS, Works
from mirror.errors import ReintegrationStopped
from mirror.vocabulary.said import say

log = structlog.get_logger()

PAUSE_S = 0.2  # between two passes: what is written often is sent once
QUIET_S = 5.0  # then a checkpoint shows that the link lives
ROUNDS_MAX = 5
FAILURES_MAX = 5  # then the pair parts, and joins again


def make_names_equal(names: Names) -> None:
    """Rounds, until nothing waits but what was noted meanwhile.

    Raises: OSError, ReintegrationStopped.
    """
    for _ in range(ROUNDS_MAX):
        names.round(frozen=False)
        if not names.pending_count(1):
            return
    if not names.is_settled():
        raise ReintegrationStopped(step="names", observed=say("plane.faster_sent"))


def begin_pass(watching: Watching) -> bool:
    """Have what changed so far noted. False: not all of it yet, so the lag goes on.

    Raises: OSError.
    """
    try:
        watching.settle()
    except TimeoutError:
        is_settled = False
    else:
        is_settled = True
    watching.lag.begin()
    return is_settled


class Shipping:
    """The passes of one session. One thread at a time."""

    def __init__(
        self,
        plane: Plane,
        watching: Watching,
        lanes: Lanes,
        root_count: int,
        allowed_bytes_s: int | None,
        take_checkpoint: Callable[[], int],
    ) -> None:
        self._take_checkpoint = take_checkpoint
        self._plane = plane
        self._watching = watching
        self._lanes = lanes
        self._root_count = root_count
        self._allowed_bytes_s = allowed_bytes_s
        self._known = KnownBlocks(plane, watching.closed)
        self._stop = threading.Event()

    def stop(self) -> None:
        """Have `run` return soon. Any thread."""
        self._stop.set()
        self._watching.lag.wake()

    def run(self) -> None:
        """Send until stopped, or until the session is lost: the capture tells of it then."""
        failures = 0
        while not self._stop.wait(PAUSE_S):
            try:
                if self._watching.lag.wait(QUIET_S):
                    self.ship()
                elif not self._stop.is_set():
                    self._take_checkpoint()
                failures = 0
            except (OSError, ReintegrationStopped) as error:
                if self._stop.is_set():
                    return
                failures += 1
                log.info("pass failed", failures=failures, error=str(error))
                is_passing = isinstance(error, ReintegrationStopped) or error.errno in GONE
                if failures == FAILURES_MAX or not is_passing:
                    self._plane.session_lost(errno.ECONNABORTED, f"a pass failed: {error}")
                    return

    def ship_all(self, timeout_ms: int) -> bool:
        """The application is gone: send everything. Says whether all was sent in time."""
        deadline_ms = clock.monotonic_ms() + timeout_ms
        self._stop.clear()
        timer = threading.Timer(timeout_ms / 1_000, self._stop.set)
        timer.start()
        try:
            self._watching.settle(thorough=True, timeout_s=timeout_ms / 1_000)
            while clock.monotonic_ms() < deadline_ms:
                self.ship()
                if not self._plane.index_count():
                    return True
        except (OSError, ReintegrationStopped) as error:
            log.warning("not everything was sent", error=str(error))
        finally:
            timer.cancel()
        return False

    def ship(self) -> None:
        """One pass. Raises: OSError (a connection, a disk), ReintegrationStopped."""
        is_settled = begin_pass(self._watching)
        if self._plane.index_count():
            self._pass()
        if is_settled:
            self._watching.lag.shipped()

    def _pass(self) -> None:
        rpc = self._lanes.rpc
        rpc.ask("BeginVerify", aside="")  # it opens the trees of the target
        worklist = Worklist()
        names = Names(
            self._plane,
            rpc,
            self._root_count,
            worklist,
            notes_within=True,
            made=self._known.forget,
        )
        for root in names.roots:
            self._plane.root_sync(root.number)  # names leave the index once both disks have them
        make_names_equal(names)
        works = Works(self._plane, names.roots, names.whole, worklist, OF_OBJECTS)
        pool = CopyPool(self._plane, self._lanes.copy, self._allowed_bytes_s, None)
        try:
            meter = Meter(clock.monotonic_ms())
            data = DataPhase(
                self._plane, rpc, pool, names.roots, meter, self._tick, self._take_checkpoint
            )
            data.run(self._known.narrow(works))
        finally:
            pool.end()
        for root in names.roots:
            rpc.ask("EmptyStash", root=root.number)  # until now, for a takeover: interrupted.py
        self._known.sent()
        self._plane.index_remove(names.marks)
        rpc.ask("EndVerify")

    def _tick(self) -> None:
        if self._stop.is_set():
            raise ReintegrationStopped(step="pass", observed=say("plane.asked"))

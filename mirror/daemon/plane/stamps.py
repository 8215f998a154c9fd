"""Records the time of the file systems during service, so that a scan after a crash is short.

Lazily, by a thread of its own, never on the path of a write: the time is taken first, and written
once everything before it is where it must be.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

import structlog

from mirror.adapters.native import Plane
from mirror.daemon.plane.numbers import HiddenNumbers
from mirror.daemon.plane.primary import Primary
from mirror.daemon.plane.scan import Scan

log = structlog.get_logger()

PERIOD_S = 10.0
CHECKPOINTS_S_MAX = 30
CHECKPOINTS = 2  # the one under way may have begun before the time; the next one did not


class Stamps:
    """See the module. mode(): of the data plane, as in `hello`."""

    def __init__(
        self,
        plane: Plane,
        numbers: HiddenNumbers,
        scan: Scan,
        primary: Primary,
        mode: Callable[[], str],
    ) -> None:
        self._plane = plane
        self._numbers = numbers
        self._scan = scan
        self._primary = primary
        self._mode = mode
        self._recorded = ("", -1)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="stamps", daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Stop; returns when nothing will be written any more."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(PERIOD_S):
            try:
                if self._scan.wait(0):
                    self._record()
            except OSError as error:
                log.warning("time not recorded", error=str(error))

    def _record(self) -> None:
        mode = self._mode()
        if mode not in ("alone", "prim", "second"):
            return
        watching = self._primary.watching
        counted = self._plane.counters().changes + self._plane.apply_operations()
        counted += watching.noted if watching else 0
        if self._recorded == (mode, counted):
            return  # nothing was changed since
        times_ns = self._numbers.times_ns()
        # Alone, every change is in the index before it is made.
        if mode != "second" and watching is not None:
            times_ns = [watching.settle()] * len(times_ns)
        elif mode == "second":
            for number in range(len(self._numbers)):
                self._plane.root_sync(number)
        elif mode == "prim" and not self._await_checkpoints():
            return
        if self._mode() == mode and not self._stop.is_set():
            self._numbers.record_times(times_ns)
            self._recorded = (mode, counted)

    def _await_checkpoints(self) -> bool:
        wanted = self._primary.checkpoint + CHECKPOINTS
        for _ in range(CHECKPOINTS_S_MAX):
            if self._primary.checkpoint >= wanted:
                return True
            if self._stop.wait(1.0):
                return False
        return False

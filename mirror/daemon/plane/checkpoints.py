"""Checkpoints of one session, each in a thread of its own.

This node's disk may take as long as it likes to sync. Whoever asked for one waits for it, but not
once the session has ended: who goes on alone waits for no disk, and no thread that could still do
something else is left behind (late.py).
"""

from __future__ import annotations

import errno
import threading
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from mirror.adapters import clock
from mirror.adapters.native import Plane

log = structlog.get_logger()

CHECKPOINT_S = 1.0  # design 8: frequent, so that little is ever unsynced


@dataclass(slots=True)
class _Checkpoint:
    """epoch, error: how it ended; neither as long as it goes on."""

    epoch: int | None = None
    error: OSError | None = None

    def has_ended(self) -> bool:
        return self.epoch is not None or self.error is not None


class Checkpoints:
    """See the module. Any thread.

    session: its number, as `Plane.session_begin` gave it; before that there are no checkpoints.
    """

    def __init__(self, plane: Plane) -> None:
        self._plane = plane
        self._changed = threading.Condition()
        self._is_over = False
        self._threads: list[threading.Thread] = []
        self.session = 0

    def take(self) -> int:
        """One checkpoint of both disks. Returns: its epoch.

        Raises: OSError; ECONNRESET when the session ends meanwhile, whatever a disk does.
        """
        checkpoint = _Checkpoint()
        thread = threading.Thread(
            target=self._run, args=(checkpoint,), name="checkpoint", daemon=True
        )
        with self._changed:
            if not self._is_over:
                self._threads = [each for each in self._threads if each.is_alive()] + [thread]
                thread.start()
                self._changed.wait_for(lambda: checkpoint.has_ended() or self._is_over)
            if checkpoint.error is not None:
                raise checkpoint.error
            if checkpoint.epoch is None:
                raise ConnectionResetError(errno.ECONNRESET, "the session has ended")
            return checkpoint.epoch

    def _run(self, checkpoint: _Checkpoint) -> None:
        epoch, error = None, None
        try:
            epoch = self._plane.checkpoint(self.session)
        except OSError as failure:
            error = failure
        with self._changed:
            checkpoint.epoch, checkpoint.error = epoch, error
            self._changed.notify_all()

    def keep(self, stop: threading.Event, told: Callable[[int], None]) -> None:
        """About once a second while there are changes; now and then when there are none."""
        changes_before, idle_s = -1, 0.0
        while not stop.wait(CHECKPOINT_S):
            changes = self._plane.counters().changes
            idle_s += CHECKPOINT_S
            if changes == changes_before and idle_s < 5 * CHECKPOINT_S:
                continue
            try:
                told(self.take())
            except OSError as error:
                log.warning("checkpoint failed", error=str(error))
                return
            # Sending times counts as changes too: one more checkpoint, then it is quiet.
            changes_before, idle_s = changes, 0.0

    def end(self) -> None:
        """The session is over: whoever waits for a checkpoint returns, and none begins."""
        with self._changed:
            self._is_over = True
            self._changed.notify_all()

    def left(self, wait_s: float) -> list[threading.Thread]:
        """Those that have not ended after this time: they use the session's connections still."""
        until_ms = clock.monotonic_ms() + int(wait_s * 1000)
        for thread in self._threads:
            thread.join(max(0, until_ms - clock.monotonic_ms()) / 1000)
        return [thread for thread in self._threads if thread.is_alive()]

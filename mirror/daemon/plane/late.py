"""Sessions that ended while a checkpoint of theirs goes on.

This node's disk may take as long as it likes to sync. Who goes on alone does not wait for it; the
connection that the checkpoint uses is freed afterwards.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence

import structlog

from mirror.daemon.plane.lanes import Lanes

log = structlog.get_logger()


class LateCheckpoints:
    """See the module. Of one thread at a time."""

    def __init__(self) -> None:
        self._threads: list[threading.Thread] = []

    def close(self, lanes: Lanes, checkpoints: Sequence[threading.Thread]) -> None:
        """Free these, whose session has ended: now, or once these threads have."""
        if not checkpoints:
            lanes.close()
            return
        log.warning("a checkpoint goes on: this node's disk syncs still")
        lanes.shutdown()
        thread = threading.Thread(
            target=_free, args=(lanes, checkpoints), name="late checkpoint", daemon=True
        )
        self._threads = [each for each in self._threads if each.is_alive()] + [thread]
        thread.start()

    def wait(self, seconds: float) -> None:
        """Wait until nobody uses the capture any more. Raises: TimeoutError."""
        for thread in self._threads:
            thread.join(seconds)
            if thread.is_alive():
                raise TimeoutError("a checkpoint does not end: is the disk hung?")


def _free(lanes: Lanes, checkpoints: Sequence[threading.Thread]) -> None:
    for thread in checkpoints:
        thread.join()
    lanes.close()

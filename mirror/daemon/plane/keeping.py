"""What the target would lose is kept there before anything is mirrored (invariant 7).

Names are equal, and this node still serves alone: nobody changes anything at the target. From the
session on a live write, a truncation or a removal would come before the file's turn in the data
phase, and what it holds alone would be gone.
"""

from __future__ import annotations

import itertools
import stat
from collections.abc import Callable, Iterable, Sequence

from mirror.adapters.native import Plane
from mirror.core.reintegration.progress import Meter
from mirror.daemon.plane.copy import CopyPool, file_of
from mirror.daemon.plane.finder import Finder
from mirror.daemon.plane.names import FINDS_AT_ONCE
from mirror.daemon.plane.objects import Root
from mirror.daemon.plane.rpc import Rpc
from mirror.daemon.plane.works import Work

WAIT_S = 0.2


class Keeping:
    """See the module. One thread, the pool has its own; it asks the target to keep a file.

    tick: called often; may raise to stop.
    """

    def __init__(
        self,
        plane: Plane,
        rpc: Rpc,
        pool: CopyPool,
        roots: Sequence[Root],
        meter: Meter,
        tick: Callable[[], None],
    ) -> None:
        self._finder = Finder(plane, rpc)
        self._pool = pool
        self._roots = roots
        self._meter = meter
        self._tick = tick

    def run(self, works: Iterable[Work]) -> None:
        """Have what differs of these kept. Raises: OSError, ReintegrationStopped."""
        each = iter(works)
        while batch := list(itertools.islice(each, FINDS_AT_ONCE)):
            self._feed(batch)
            while self._pool.is_full():
                self._collect(WAIT_S)
        while not self._collect(WAIT_S):
            pass

    def _feed(self, batch: Sequence[Work]) -> None:
        for root in self._roots:
            part = [work for work in batch if work.root == root.number and self._may_differ(work)]
            unknown = {work.id for work in self._finder.missing(root, part)}
            for work in part:
                if work.id not in unknown:
                    file = file_of(work)
                    file.only_kept = True
                    self._pool.add(file)

    def _may_differ(self, work: Work) -> bool:
        """Of a regular file that is there, and was at the target before."""
        status = None if work.new else self._finder.status(work)
        return status is not None and stat.S_ISREG(status.st_mode)

    def _collect(self, wait_s: float) -> bool:
        """True: nothing is left."""
        finished, idle = self._pool.take_finished(wait_s)
        self._meter.files_done += len(finished)
        self._tick()
        return idle

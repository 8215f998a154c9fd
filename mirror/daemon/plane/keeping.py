"""What the target would lose is kept there before anything is mirrored (invariant 7).

Names are equal, and this node still serves alone: nobody changes anything at the target. From the
session on a live write, a truncation or a removal would come before the file's turn in the data
phase, and what it holds alone would be gone.
"""

from __future__ import annotations

import stat
from collections.abc import Callable, Iterable, Sequence

from mirror.daemon.plane.copy import CopyPool
from mirror.daemon.plane.files import file_of
from mirror.daemon.plane.finder import Finder
from mirror.daemon.plane.objects import Root
from mirror.daemon.plane.works import Work


class Keeping:
    """See the module. One thread, the pool has its own; it asks the target to keep a file.

    seen(count): so many works more are done, or none; called often, may raise to stop.
    """

    def __init__(
        self,
        finder: Finder,
        pool: CopyPool,
        roots: Sequence[Root],
        seen: Callable[[int], None],
    ) -> None:
        self._finder = finder
        self._pool = pool
        self._roots = roots
        self._seen = seen

    def run(self, works: Iterable[Work]) -> None:
        """Have what differs of these kept. Raises: OSError, ReintegrationStopped."""
        self._pool.work_off(works, self._feed, self._collect)

    def _feed(self, batch: Sequence[Work]) -> None:
        added = 0
        for root in self._roots:
            part = [work for work in batch if work.root == root.number and self._may_differ(work)]
            unknown = {work.id for work in self._finder.missing(root, part)}
            for work in part:
                if work.id not in unknown:
                    file = file_of(work)
                    file.only_kept = True
                    self._pool.add(file)
                    added += 1
        self._seen(len(batch) - added)

    def _may_differ(self, work: Work) -> bool:
        """Of a regular file that is there, and was at the target before."""
        status = None if work.new else self._finder.status(work)
        return status is not None and stat.S_ISREG(status.st_mode)

    def _collect(self, wait_s: float) -> bool:
        """True: nothing is left."""
        finished, idle = self._pool.take_finished(wait_s)
        self._seen(len(finished))
        return idle

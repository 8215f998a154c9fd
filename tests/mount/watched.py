"""A node whose directory is watched, and one that follows it: no mount, both disks real."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from inotify_simple import INotify

from mirror.adapters import clock
from mirror.adapters.compare import compare_trees
from mirror.adapters.native import Plane
from mirror.daemon.plane.lanes import Lanes
from mirror.daemon.plane.shipping import Shipping, begin_pass
from mirror.daemon.plane.watching import Watching
from tests.mount.pair import AWAIT_MS, SESSION
from tests.mount.reintegrating import Nodes

BEHIND_MS_MAX = 300_000


class FewWatches(INotify):  # type: ignore[misc]
    """As of a kernel that gives this many: its limit is of the whole machine."""

    def __init__(self, watches_max: int) -> None:
        super().__init__(nonblocking=True)
        self._left = watches_max

    def add_watch(self, path: str, mask: int) -> int:
        if self._left == 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._left -= 1
        return int(super().add_watch(path, mask))


class HeldWatching(Watching):
    """May be held, as by a machine that is busy; the kernel may give few watches."""

    def __init__(
        self, plane: Plane, watches_max: int, on_failure: Callable[[Exception], None]
    ) -> None:
        super().__init__(plane, 1, on_failure, FewWatches(watches_max))
        self.free = threading.Event()
        self.free.set()

    def _serve(self) -> None:
        self.free.wait()
        super()._serve()


class WatchedNodes(Nodes):
    """left is what the application sees. Joined or not, what changes there is noted."""

    watched = True

    def __init__(self, directory: Path, watches_max: int) -> None:
        self._watches_max = watches_max
        super().__init__(directory)

    def _serve(self, plane: Plane) -> None:
        plane.capture_create(2, writeback=False, sync_both=False)
        plane.capture_watch(0)
        plane.go_alone()
        self.failures: list[Exception] = []
        self.watching = HeldWatching(plane, self._watches_max, self.failures.append)
        self.watching.start(clock.file_ns())
        self.shipping: Shipping | None = None
        self._shipper: threading.Thread | None = None

    def join(self) -> None:
        """Bring the follower up to date, then send what changes."""
        assert begin_pass(self.watching)
        self.reintegrate(watched=True)
        self.watching.lag.shipped()
        assert self.session is not None
        lanes = Lanes(SESSION, self.session.control, self.session.live, self.session.copies)
        self.shipping = Shipping(
            self.source, self.watching, lanes, 1, None, self.source.checkpoint
        )

    def ship_beside(self) -> None:
        """Send in a thread, as a data plane does."""
        assert self.shipping is not None
        self._shipper = threading.Thread(target=self.shipping.run, daemon=True)
        self._shipper.start()

    def part(self) -> None:
        if self.shipping is not None:
            self.shipping.stop()
        if self._shipper is not None:
            self._shipper.join(AWAIT_MS / 1000)
            assert not self._shipper.is_alive()
        self.shipping = self._shipper = None
        super().part()

    def ship(self) -> None:
        """Send until nothing is left."""
        assert self.shipping is not None
        assert self.shipping.ship_all(BEHIND_MS_MAX)

    def unequal(self) -> list[str]:
        """What differs when everything has been sent."""
        self.ship()
        assert self.failures == []
        return [str(each) for each in compare_trees(self.left, self.right)]

    def close(self) -> None:
        self.part()
        self.watching.end()
        self._end()


@contextmanager
def watched_nodes(directory: Path, watches_max: int = 10_000) -> Iterator[WatchedNodes]:
    """Make both; take them away whatever happens."""
    nodes = WatchedNodes(directory, watches_max)
    try:
        yield nodes
    finally:
        nodes.close()

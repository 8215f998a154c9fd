"""Who wants figures: they move without end, and cost the more the more modules there are.

States are watched whoever looks, because people are told of them who do not. Of what only a page
or a graph shows, nothing is read, compared or sent that nobody would see.
"""

import contextlib
from collections.abc import Callable, Iterator

from mirror.adapters import clock

# Past that a scrape does not count any more: Prometheus forgets a figure after five minutes.
SCRAPE_MS = 600_000


class Demand:
    """Used by one event loop. on_rise(): figures are wanted that were not."""

    def __init__(self, on_rise: Callable[[], None]) -> None:
        self._on_rise = on_rise
        self._watching = 0
        self._until_ms = 0

    @property
    def wanted(self) -> bool:
        """Whether somebody wants figures now."""
        return self._watching > 0 or clock.boottime_ms() < self._until_ms

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        """A page, or the other node's console for one of its own, follows them meanwhile."""
        risen, self._watching = not self.wanted, self._watching + 1
        if risen:
            self._on_rise()
        try:
            yield
        finally:
            self._watching -= 1

    def scraped(self) -> None:
        """A machine asked, and will again."""
        self._until_ms = clock.boottime_ms() + SCRAPE_MS

"""The checkers of <check> of one module, as the core switches them; what they say, as events."""

from collections.abc import Callable, Collection, Sequence

from mirror.adapters.checkers.board import Checkers, CheckWorld
from mirror.config.check_models import Check
from mirror.vocabulary.events import Event, ResourceChanged

SOURCES = {"ip": "ipcheck", "intf": "intfcheck", "tcp": "tcpcheck", "ping": "pingcheck"}


class CheckersPort:
    """Implements ports.Checkers. Used by one event loop. post: takes an event for the core."""

    def __init__(
        self, checks: Collection[Check], world: CheckWorld, post: Callable[[Event], None]
    ) -> None:
        self._post = post
        self._checkers = Checkers(checks, world, self._changed)

    def begin(self) -> None:
        """Say that nothing is known yet."""
        self._checkers.begin()

    def watch(self, classes: Sequence[str]) -> None:
        self._checkers.watch(classes)

    def seen(self, resource: str, value: str) -> None:
        """Take what a program of the module said of its own resource."""
        self._checkers.seen(resource, value)

    async def close(self) -> None:
        """Look at nothing any more."""
        await self._checkers.close()

    def _changed(self, resource: str, value: str) -> None:
        checker = resource.partition(".")[0]
        by = "" if value == "init" else SOURCES.get(checker, f"{checker}check")
        self._post(ResourceChanged(resource, value, by))

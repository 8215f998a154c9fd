"""Events, numbered and kept for a while, so that a page that was away gets what it missed.

One ring for all pages: an event is made once, however many look on. A page that comes with no
number, an old one, or one of an earlier process, begins again with a snapshot.
"""

import asyncio
import secrets
from collections import deque
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass
from typing import Any

EVENTS_MAX = 4096


@dataclass(frozen=True, slots=True)
class Event:
    """One event. number: 0 for what is not kept (snapshots). data: JSON values, with `node`."""

    number: int
    name: str
    data: Mapping[str, Any]


class Ring:
    """The last EVENTS_MAX events. Used by one event loop."""

    def __init__(self, events_max: int = EVENTS_MAX) -> None:
        # A number means nothing to another process; the epoch tells them apart.
        self.epoch = secrets.token_hex(4)
        self._events: deque[Event] = deque(maxlen=events_max)
        self._last = 0
        self._news = asyncio.Event()

    @property
    def last_number(self) -> int:
        """Number of the newest event; 0 before the first."""
        return self._last

    def publish(self, name: str, /, **data: Any) -> None:
        """Add an event; the oldest one goes when the ring is full. Never blocks."""
        self._last += 1
        self._events.append(Event(self._last, name, data))
        # Whoever waits on the old one wakes; whoever comes later waits on the new one.
        self._news.set()
        self._news = asyncio.Event()

    def id_of(self, number: int) -> str:
        """Write a number as the id that a page gives back."""
        return f"{self.epoch}-{number}"

    def number_of(self, event_id: str | None) -> int | None:
        """Read an id; None when it is none of ours, or what follows it is not kept any more."""
        epoch, _, text = (event_id or "").partition("-")
        if epoch != self.epoch or not text.isascii() or not text.isdecimal():
            return None
        number = int(text[:18])
        return number if self._keeps_after(number) else None

    async def follow(
        self, after: int | None, snapshot: Callable[[], list[Event]]
    ) -> AsyncGenerator[tuple[Event, int], None]:
        """Yield (event, number to continue after), for ever.

        after: the last number known; None begins with the snapshot. A reader so slow that
        events went by unseen gets the snapshot again.
        """
        position = after
        while True:
            if position is None or not self._keeps_after(position):
                position = self._last
                for event in snapshot():
                    yield event, position
            # Taken before the events, so that none slips between the two.
            news = self._news
            for event in self._after(position):
                position = event.number
                yield event, position
            await news.wait()

    def _keeps_after(self, number: int) -> bool:
        first = self._events[0].number if self._events else self._last + 1
        return first - 1 <= number <= self._last

    def _after(self, number: int) -> list[Event]:
        count = self._last - number
        return list(self._events)[-count:] if count else []

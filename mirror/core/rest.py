"""Until when nothing can change by time alone: a tick before need not be thought about.

Whatever is decided here from time is decided by comparing it with one of the moments below. So a
look that found nothing to do finds nothing again while none of them has come, nothing happened,
and the peer, if it was heard, still is: by the word it has said before.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from mirror.core.context import Context
from mirror.core.perceive import heard_before
from mirror.core.settings import OFFER_PATIENCE_MS
from mirror.vocabulary.events import Event, PeerHeard, Ticked
from mirror.vocabulary.facts import Hearing

ALIVE = frozenset({Hearing.HEARD, Hearing.STOPPING})
FOREVER_MS = 1 << 62


@dataclass(frozen=True, slots=True)
class Rest:
    """A look found nothing. until_ms: the first moment at which time alone may change that.

    heard: the peer was heard; the rest ends when it is not any more.
    """

    until_ms: int
    heard: bool

    def takes(self, context: Context, event: Event, now_ms: int) -> bool:
        """Take a tick, or a word that was heard before, if nothing else follows from it."""
        timeout_ms, heard_ms = context.settings.timeout_ms, context.heard_ms
        assert context.last_ms is not None
        if now_ms >= self.until_ms or not 0 <= now_ms - context.last_ms <= timeout_ms:
            return False
        if isinstance(event, PeerHeard):
            if not self.heard or not heard_before(context, event.word):
                return False
            heard_ms = now_ms - event.ago_ms
        elif not isinstance(event, Ticked):
            return False
        if self.heard and now_ms - max(heard_ms or 0, context.alive_ms or 0) > timeout_ms:
            return False
        context.heard_ms = heard_ms
        context.note_time(now_ms)
        return True


def rest_of(context: Context, now_ms: int) -> Rest:
    """Say for how long a look of now, which found nothing, holds."""
    if context.is_unsure():  # until a word says otherwise, maybe one that was heard before
        return Rest(now_ms, heard=False)
    coming = [at_ms for at_ms in moments(context) if at_ms > now_ms]
    return Rest(min(coming, default=FOREVER_MS), context.hearing(now_ms) in ALIVE)


def moments(context: Context) -> Iterator[int]:
    """Every moment from which on a comparison with the time has another result.

    But for the end of the peer's last word, which each new one puts off, and for what is only
    asked when a command comes (maxloop).
    """
    settings = context.settings
    yield context.listening_since_ms + settings.timeout_ms + 1
    yield context.judging.next_ms
    yield context.witness_again_ms
    yield context.fence_again_ms
    yield context.fence_due_ms or 0
    yield context.frozen_ms + settings.freeze_limit_ms + 1
    yield context.offer_after_ms
    yield context.offered_ms + OFFER_PATIENCE_MS + 1
    yield context.retry_ms or 0
    yield (context.synced_ms or 0) + settings.syncdelta_ms

"""Who edits cluster.xml: one person at a time on both nodes. In memory; ends by itself.

A page takes the lock, renews it while it is open, and gives it back. Nobody is locked out by a
page that was forgotten, nor by a node that died.
"""

import hmac
import secrets
from dataclasses import dataclass

from mirror.adapters import clock
from mirror.errors import EditedBySomebody
from mirror.vocabulary.said import say

HELD_MS = 120_000
MS_PER_S = 1000


@dataclass(frozen=True, slots=True)
class Held:
    """Who has it. key: what renews it and lets save; secret. Boot clock."""

    name: str
    origin: str
    key: str
    since_ms: int
    until_ms: int


class EditLock:
    """The lock of this node. Used by one event loop."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._held: Held | None = None

    @property
    def held(self) -> Held | None:
        """Who has it now; None when nobody does."""
        held = self._held
        return held if held is not None and held.until_ms > clock.boottime_ms() else None

    def take(self, name: str, origin: str, key: str = "") -> Held:
        """Take it, or renew it with its key. Raises: EditedBySomebody (MIR-822)."""
        self.check(key)
        now_ms, held = clock.boottime_ms(), self.held
        self._held = Held(
            name=name,
            origin=origin,
            key=key or secrets.token_urlsafe(16),
            since_ms=held.since_ms if held else now_ms,
            until_ms=now_ms + HELD_MS,
        )
        return self._held

    def check(self, key: str) -> None:
        """Let through who has it, and everybody while nobody has. Raises: EditedBySomebody."""
        held = self.held
        if held is None or hmac.compare_digest(held.key.encode(), key.encode()):
            return
        since_s = (clock.boottime_ms() - held.since_ms) // MS_PER_S
        raise EditedBySomebody(
            what=self._what, who=say("web.at", name=held.name, origin=held.origin), since_s=since_s
        )

    def give_back(self, key: str) -> None:
        """Let others have it. Raises: EditedBySomebody when it is not theirs to give."""
        self.check(key)
        self._held = None

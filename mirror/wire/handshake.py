"""The rules of the handshake (PROTOCOL 4): which version and features two ends use. Pure.

The data plane has the same rules in C (native/link/handshake.c); golden vectors compare them.
"""

from dataclasses import dataclass

from mirror.vocabulary.said import say
from mirror.wire.schema import FEATURES, PROTOCOL_VERSION, PROTOCOL_VERSION_OLDEST, Refusal


@dataclass(frozen=True, slots=True)
class Versions:
    """The protocol versions one end speaks, both included."""

    oldest: int
    newest: int

    def __str__(self) -> str:
        return f"{self.oldest} to {self.newest}"


@dataclass(frozen=True, slots=True)
class Agreed:
    """What Welcome says."""

    version: int
    features: int


@dataclass(frozen=True, slots=True)
class Refused:
    """What Refuse says."""

    code: Refusal
    sentence: str


OURS = Versions(PROTOCOL_VERSION_OLDEST, PROTOCOL_VERSION)


def negotiate(
    theirs: Versions, their_features: int, *, ours: Versions = OURS, features: int = int(FEATURES)
) -> Agreed | Refused:
    """Take the newest version both speak, and the features both have.

    Source: PROTOCOL 4.2.
    """
    version = min(ours.newest, theirs.newest)
    if theirs.oldest > theirs.newest or version < max(ours.oldest, theirs.oldest):
        return Refused(Refusal.VERSION, say("link.version", ours=ours, theirs=theirs))
    return Agreed(version, features & their_features)

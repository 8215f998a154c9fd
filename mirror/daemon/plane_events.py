"""Events of the data plane, as its socket says them, into events of the core. Pure."""

from typing import Any

from mirror.vocabulary.events import (
    CheckpointReached,
    DataFault,
    Event,
    LinkAlive,
    LinkLost,
    LinkUp,
    Progressed,
    SourceInSync,
    TargetInSync,
)

ENVELOPE = frozenset({"v", "event"})


def translate(message: dict[str, Any]) -> Event | None:  # noqa: PLR0911 - one line an event
    """Give the core's event; None for one that it does not know (a newer data plane)."""
    session = str(message.get("session") or "")
    match message.get("event"):
        case "link_up":
            return LinkUp(session)
        case "link_alive":
            return LinkAlive(session)
        case "link_lost":
            return LinkLost(session, str(message.get("reason") or "the link is lost"))
        case "in_sync":
            return SourceInSync(session)
        case "target_in_sync":
            return TargetInSync(session, str(message.get("generation") or ""))
        case "fault":
            sentence = str(message.get("sentence") or message.get("error") or "disk error")
            return DataFault(str(message.get("where") or "local"), sentence)
        case "checkpoint":
            return CheckpointReached(int(message.get("epoch") or 0))
        case "progress":
            return Progressed(
                {key: value for key, value in message.items() if key not in ENVELOPE}
            )
        case _:
            return None

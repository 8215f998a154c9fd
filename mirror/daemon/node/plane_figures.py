"""What the data plane of a module last said of itself, for people. Knows only numbers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mirror.daemon.node.disk_alarm import full, nearly_full
from mirror.wire.local import Message

# They move though nothing is written: the question's own number, what our looks themselves ask of
# the mount, checkpoints, and free bytes of a disk on which logs lie too.
_RESTLESS = frozenset({"id", "requests", "epoch", "checkpoint", "disks"})


@dataclass(slots=True)
class PlaneFigures:
    """status: its last word, {} before the first. at_ms: when it came (boot clock).

    moves: rises with each word that says anything new to people.
    """

    status: Message = field(default_factory=dict)
    at_ms: int = 0
    moves: int = 0
    _told: Mapping[str, Any] = field(default_factory=dict)

    def take(self, status: Message, at_ms: int) -> None:
        """Take a word of it."""
        told, self.status, self.at_ms = _told(status), status, at_ms
        if told != self._told:
            self._told = told
            self.moves += 1


def _told(status: Message) -> dict[str, Any]:
    disks = status.get("disks") or ()
    values = {**status, **(status.get("counters") or {}), "counters": None}
    rest = {name: value for name, value in values.items() if name not in _RESTLESS}
    return rest | {"full": full(disks), "nearly_full": nearly_full(disks)}

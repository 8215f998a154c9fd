"""What the world on paper is made of: disks, data planes, hosts, and what was told. Values."""

import copy
from dataclasses import dataclass, field

from mirror.core.engine import Engine
from mirror.vocabulary.actions import Action, PlanAction
from mirror.vocabulary.events import Event
from mirror.vocabulary.record import Record
from mirror.vocabulary.states import State
from mirror.vocabulary.words import Word

SERVES = frozenset({"alone", "leading", "prim"})
Writes = frozenset[int]
NONE: Writes = frozenset()


class Broken(AssertionError):
    """A rule of design 7 does not hold."""


@dataclass(frozen=True, slots=True)
class Plane:
    """A data plane process. recent: in memory, gone with it."""

    mode: str = "idle"
    gate: str = "closed"
    session: str = ""
    recent: Writes = NONE
    full: bool = False
    aside: bool = False
    told: bool = False  # the target was told that it holds everything
    confirmed: bool = False


@dataclass(frozen=True, slots=True)
class Disk:
    """What outlives everything: the record, the writes held, the dirty index."""

    record: Record = field(default_factory=Record)
    writes: Writes = NONE
    index: Writes = NONE
    generation: str = ""
    identity: str = ""


@dataclass(frozen=True, slots=True)
class Told:
    """One event that an engine was given, and what it asked for."""

    at_ms: int
    node: str
    event: Event
    before: State
    after: State
    actions: tuple[Action, ...]


@dataclass(slots=True)
class Node:
    """One host. engine None: without power. since_ms: when it was frozen, None when it runs."""

    disk: Disk
    engine: Engine | None = None
    word: Word | None = None
    heard: Word | None = None
    todo: tuple[PlanAction, ...] = ()
    plan: int = 0
    plane: Plane | None = None
    app: bool = False
    excused: bool = False  # its application may run beside the other's: cut off, or frozen
    frozen: bool = False
    heard_at: int = 0

    def copy(self) -> "Node":
        twin = copy.copy(self)
        if self.engine is not None:
            twin.engine = self.engine.twin()
        return twin

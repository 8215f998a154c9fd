"""What happens to a module: raw events from the world, and the kinds that the table knows.

Raw events (dataclasses) carry what was seen. The engine turns them, with what it knows, into
kinds (`EventKind`), past tense, and only those meet the table.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from mirror.vocabulary.facts import WitnessSays
from mirror.vocabulary.record import Record
from mirror.vocabulary.states import Goal, State
from mirror.vocabulary.words import Word


class EventKind(StrEnum):
    """Columns of the automaton: every state says what it does with each of them."""

    # an administrator, a script or a checker
    START_ASKED = "START_ASKED"
    PRIM_ASKED = "PRIM_ASKED"
    SECOND_ASKED = "SECOND_ASKED"
    STOP_ASKED = "STOP_ASKED"
    FORCESTOP_ASKED = "FORCESTOP_ASKED"
    STOPSTART_ASKED = "STOPSTART_ASKED"
    RESTART_ASKED = "RESTART_ASKED"
    SWAP_ASKED = "SWAP_ASKED"
    # the control plane was started again over what was running
    RESUMED_ALONE = "RESUMED_ALONE"
    RESUMED_PRIM = "RESUMED_PRIM"
    RESUMED_SECOND = "RESUMED_SECOND"
    RESUMED_ORPHANED = "RESUMED_ORPHANED"
    RESUMED_BROKEN = "RESUMED_BROKEN"
    RESUMED_UP = "RESUMED_UP"
    # what this node undertook
    PLAN_DONE = "PLAN_DONE"
    PLAN_FAILED = "PLAN_FAILED"
    CLOSED_TO_STOP = "CLOSED_TO_STOP"
    CLOSED_TO_START = "CLOSED_TO_START"
    CLOSED_TO_JOIN = "CLOSED_TO_JOIN"
    # verdicts of the election
    MAY_SERVE = "MAY_SERVE"
    MUST_WAIT = "MUST_WAIT"
    WITNESS_WANTED = "WITNESS_WANTED"
    WITNESS_DENIED = "WITNESS_DENIED"
    FENCE_WANTED = "FENCE_WANTED"
    TAKEOVER_FORBIDDEN = "TAKEOVER_FORBIDDEN"
    PEER_SERVES = "PEER_SERVES"
    # what the peer said, as a source sees it
    PEER_JOINS = "PEER_JOINS"
    PEER_REFUSED = "PEER_REFUSED"
    PEER_READY = "PEER_READY"
    PEER_PARTED = "PEER_PARTED"
    SPLIT_WON = "SPLIT_WON"
    SPLIT_LOST = "SPLIT_LOST"
    SPLIT_UNDECIDED = "SPLIT_UNDECIDED"
    # what the peer said, as a target sees it
    OFFER_HEARD = "OFFER_HEARD"
    PRIM_CONFIRMED = "PRIM_CONFIRMED"
    PEER_GOES_ON = "PEER_GOES_ON"
    PEER_LEFT = "PEER_LEFT"
    SYNC_OVER = "SYNC_OVER"
    PEER_LOST = "PEER_LOST"
    # the data plane
    LINK_LOST = "LINK_LOST"
    IN_SYNC = "IN_SYNC"
    TARGET_IN_SYNC = "TARGET_IN_SYNC"
    DATA_PLANE_LOST = "DATA_PLANE_LOST"
    DATA_FAULT = "DATA_FAULT"
    # time
    STALLED = "STALLED"
    FREEZE_EXPIRED = "FREEZE_EXPIRED"
    RETRY_DUE = "RETRY_DUE"


@dataclass(frozen=True, slots=True)
class CommandAsked:
    """A command of SafeKit. command_id: the answer carries it; 0 when nobody waits for one.

    identity: who calls automatically (`-i identity`), "" for an administrator.
    """

    verb: str
    arguments: tuple[str, ...] = ()
    identity: str = ""
    command_id: int = 0


@dataclass(frozen=True, slots=True)
class PlanDone:
    """Every action of the plan was performed."""

    plan_id: int


@dataclass(frozen=True, slots=True)
class PlanFailed:
    """One action failed, those after it were not begun. sentence: for people, with its code."""

    plan_id: int
    action: str
    sentence: str


@dataclass(frozen=True, slots=True)
class RecordPersisted:
    """Now this record is on disk."""

    record: Record


@dataclass(frozen=True, slots=True)
class RecordNotPersisted:
    """The record could not be put on disk; the old one still stands there."""

    record: Record
    sentence: str


@dataclass(frozen=True, slots=True)
class RootSeen:
    """Hidden numbers of one replicated directory; "" or 0 where there are none."""

    directory: str
    identity: str
    generation: str
    checkpoint: int
    empty: bool


@dataclass(frozen=True, slots=True)
class RootsIdentified:
    """The data plane looked at the replicated directories."""

    roots: tuple[RootSeen, ...]


@dataclass(frozen=True, slots=True)
class Drained:
    """The gate is closed and nothing is in flight. equal: both nodes counted the same."""

    equal: bool


@dataclass(frozen=True, slots=True)
class WitnessAnswered:
    """The witness was asked. says: UNASKED when it could not be reached."""

    says: WitnessSays
    sentence: str


@dataclass(frozen=True, slots=True)
class WitnessTold:
    """The witness was told who holds everything; done False: it is told again later."""

    done: bool


@dataclass(frozen=True, slots=True)
class PeerHeard:
    """A heartbeat of the peer, authenticated and not older than any before; so long ago."""

    word: Word
    ago_ms: int = 0


@dataclass(frozen=True, slots=True)
class LinkUp:
    """The session's connections stand."""

    session: str


@dataclass(frozen=True, slots=True)
class LinkLost:
    """The session is broken; where this node serves, changes are frozen already."""

    session: str
    reason: str


@dataclass(frozen=True, slots=True)
class LinkAlive:
    """Something of the peer came over the session since the last such event."""

    session: str


@dataclass(frozen=True, slots=True)
class SourceInSync:
    """The target has acknowledged the end: both disks hold everything, its record is durable."""

    session: str


@dataclass(frozen=True, slots=True)
class TargetInSync:
    """The target here holds everything; its record must be durable before that is confirmed."""

    session: str
    generation: str


@dataclass(frozen=True, slots=True)
class DataFault:
    """The lower directory misbehaved. where: "local" or "peer"."""

    where: str
    sentence: str


@dataclass(frozen=True, slots=True)
class DataPlaneLost:
    """The process of the data plane is gone, or was ended because it did not answer."""

    sentence: str


@dataclass(frozen=True, slots=True)
class CheckpointReached:
    """Both disks hold everything up to this epoch."""

    epoch: int


@dataclass(frozen=True, slots=True)
class Progressed:
    """Progress of a reintegration, as the data plane counts it; for people."""

    progress: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Stalled:
    """The host or this process stood still for so many ms without knowing it."""

    stalled_ms: int


@dataclass(frozen=True, slots=True)
class Ticked:
    """Time passed."""


@dataclass(frozen=True, slots=True)
class ResourceChanged:
    """A checker, a script or a network set a resource. value: init, up, down or unknown.

    name: class.id, as `tcp.web`. by: who says so, for the module log; "" says nothing there.
    """

    name: str
    value: str
    by: str = ""


@dataclass(frozen=True, slots=True)
class SwitchSet:
    """`errd|checker|failover on|off`, asked now or kept from an earlier run."""

    name: str
    on: bool


@dataclass(frozen=True, slots=True)
class SyncDue:
    """The schedule of `syncat` names this minute."""


@dataclass(frozen=True, slots=True)
class SyncedAgo:
    """How long before now this node was last in step, as a file of an earlier run says."""

    ago_ms: int


@dataclass(frozen=True, slots=True)
class FenceAnswered:
    """The fencing agent ended. done: the other host is verified to be off."""

    done: bool
    sentence: str


@dataclass(frozen=True, slots=True)
class Resumed:
    """The control plane was started again over a module that may be running.

    saved_state: as last written, STOP when this is another boot of the host.
    down_ms: for how long no control plane of this module ran.
    mode, session, gate: the living data plane's own words; mode "" when there is none.
    """

    saved_state: State
    goal: Goal
    saved_session: str
    mode: str
    session: str
    gate: str
    down_ms: int


Event = (
    CommandAsked
    | PlanDone
    | PlanFailed
    | RecordPersisted
    | RecordNotPersisted
    | RootsIdentified
    | Drained
    | WitnessAnswered
    | WitnessTold
    | PeerHeard
    | LinkUp
    | LinkLost
    | LinkAlive
    | SourceInSync
    | TargetInSync
    | DataFault
    | DataPlaneLost
    | CheckpointReached
    | Progressed
    | ResourceChanged
    | SwitchSet
    | SyncDue
    | SyncedAgo
    | FenceAnswered
    | Stalled
    | Ticked
    | Resumed
)

"""What the core asks for: imperative values, performed by daemon/executor.py and nobody else.

Two sorts. Notes are performed at once and cannot fail (what is said, logged, answered, shown).
A `Plan` is performed in order, one plan at a time: a newer plan ends an older one after the
action in hand, except that scripts in hand are killed.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mirror.vocabulary.record import Record
from mirror.vocabulary.states import Readiness, ScreenWord, State
from mirror.vocabulary.words import Word

# --- notes ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Say:
    """Say this to the peer from now on; at once when urgent."""

    word: Word
    urgent: bool


@dataclass(frozen=True, slots=True)
class Log:
    """A line of the module log. level: C, E, U, S, I, W or D; source: who says it, as SafeKit."""

    level: str
    source: str
    text: str
    fields: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Answer:
    """Answer a command. refusal: "" when it was accepted, else a sentence."""

    command_id: int
    refusal: str = ""


@dataclass(frozen=True, slots=True)
class SaveState:
    """Remember the state across a restart of the control plane (not of the host)."""

    state: State
    goal: str
    session: str


@dataclass(frozen=True, slots=True)
class SetResource:
    """A resource of SafeKit, as `state -v` and rules see it: state.local, rfs.uptodate..."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class ShowState:
    """The state as people see it changed."""

    word: ScreenWord
    readiness: Readiness
    reason: str
    row: str


@dataclass(frozen=True, slots=True)
class WatchProcesses:
    """Watch the processes of these classes of <errd> from now on; none when empty."""

    classes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RunCheckers:
    """Run the checkers of these classes from now on (pre, prim, second, both), and no others."""

    classes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RunBackground:
    """Run scripts after those that run or wait already; nothing waits for them."""

    scripts: tuple["ScriptCall", ...]


@dataclass(frozen=True, slots=True)
class FreezeNow:
    """Have the data plane hold changes, beside whatever plan is in hand."""


@dataclass(frozen=True, slots=True)
class CloseGateNow:
    """Have the data plane refuse changes for good, beside whatever plan is in hand."""


# --- actions of a plan ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ScriptCall:
    """One run of a script of the module, if it is there. forced: "force" is its first argument."""

    name: str
    arguments: tuple[str, ...]
    forced: bool = False


@dataclass(frozen=True, slots=True)
class RunScripts:
    """Run these in order, wait for each. A failing script fails nothing: it says so itself."""

    scripts: tuple[ScriptCall, ...]


@dataclass(frozen=True, slots=True)
class KillApplication:
    """End every process that these start scripts left running; see that none remains."""

    scripts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TakeAddress:
    """Take the virtual addresses.

    agreed: the other node had them until now, gave them back, and said so.
    """

    agreed: bool = False


@dataclass(frozen=True, slots=True)
class ReleaseAddress:
    """Give the virtual addresses back; done when they are not on this host."""


@dataclass(frozen=True, slots=True)
class PersistRecord:
    """Replace the durable record; gives RecordPersisted, or RecordNotPersisted.

    may_fail: then the plan goes on.
    """

    record: Record
    may_fail: bool = False


@dataclass(frozen=True, slots=True)
class AskWitness:
    """Ask to be the one that serves; gives WitnessAnswered.

    generation, may_serve: what this node holds; history: what that descends from;
    then_*: what shall stand there when granted.
    """

    generation: str
    may_serve: frozenset[str]
    history: tuple[str, ...]
    then_generation: str
    then_may_serve: frozenset[str]


@dataclass(frozen=True, slots=True)
class TellWitness:
    """Have the witness hold this, as the one that serves; a refusal fails nothing.

    forced: replace whatever it holds.
    """

    generation: str
    may_serve: frozenset[str]
    history: tuple[str, ...]
    then_generation: str
    then_may_serve: frozenset[str]
    forced: bool


@dataclass(frozen=True, slots=True)
class Fence:
    """Have the other host switched off, and verify it; gives FenceAnswered."""

    peer: str


@dataclass(frozen=True, slots=True)
class EnsureDataPlane:
    """Start the data plane's process unless it runs, and be connected to it."""


@dataclass(frozen=True, slots=True)
class CloseDataPlane:
    """Have the data plane end; kill it when it does not."""


@dataclass(frozen=True, slots=True)
class ClearDeadMount:
    """The data plane is gone: take its dead mount away, once the application is."""


@dataclass(frozen=True, slots=True)
class CallData:
    """One request to the data plane. verb and fields: the protocol between the two planes."""

    verb: str
    fields: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RebootHost:
    """automatic_reboot is on, and a stopstart was asked for by the machine itself."""


PlanAction = (
    RunScripts
    | KillApplication
    | TakeAddress
    | ReleaseAddress
    | PersistRecord
    | AskWitness
    | TellWitness
    | Fence
    | EnsureDataPlane
    | CloseDataPlane
    | ClearDeadMount
    | CallData
    | RebootHost
)


@dataclass(frozen=True, slots=True)
class Plan:
    """Actions to perform in order; ends in PlanDone or PlanFailed with its number."""

    plan_id: int
    row: str
    actions: tuple[PlanAction, ...]


Note = (
    Say
    | Log
    | Answer
    | SaveState
    | SetResource
    | ShowState
    | WatchProcesses
    | RunCheckers
    | RunBackground
    | FreezeNow
    | CloseGateNow
)
Action = Note | Plan

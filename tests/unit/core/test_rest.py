"""A tick that is passed over without a look would have had no effect: over random histories.

Two engines live the same history; one of them has to look at every tick. The simulator asserts
the same of every tick that it passes over (tests/simulation/host.py).
"""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mirror.core import engine as engine_module
from mirror.core.engine import Engine
from mirror.core.invariants import InvariantBroken
from mirror.core.looking import look
from mirror.core.rules import RuleSettings, WatchedResource, default_rules
from mirror.core.settings import Settings
from mirror.vocabulary.actions import Action, PersistRecord, Plan
from mirror.vocabulary.events import (
    CommandAsked,
    DataFault,
    DataPlaneLost,
    Drained,
    Event,
    FenceAnswered,
    LinkAlive,
    LinkLost,
    LinkUp,
    PeerHeard,
    PlanDone,
    PlanFailed,
    RecordPersisted,
    ResourceChanged,
    Resumed,
    SourceInSync,
    Stalled,
    SwitchSet,
    SyncDue,
    SyncedAgo,
    TargetInSync,
    Ticked,
    WitnessAnswered,
    WitnessTold,
)
from mirror.vocabulary.facts import WitnessKind, WitnessSays
from mirror.vocabulary.record import Record
from mirror.vocabulary.states import Goal, State
from mirror.vocabulary.words import Offer, Word

TIMEOUT_MS, TICK_MS = 1_000, 100
G1, G2, SESSION, OTHER = "1" * 32, "2" * 32, "5" * 32, "6" * 32
BOTH = Record(current=G1, term=2, may_serve=frozenset({"a", "b"}), was_primary=True)
RECORDS = (
    Record(),
    BOTH,
    replace(BOTH, was_primary=False),
    replace(BOTH, may_serve=frozenset({"a"}), lived_on=True),
    replace(BOTH, may_serve=frozenset({"b"}), lived_on=True),
    replace(BOTH, current=G2, base=G1, may_serve=frozenset({"b"}), lived_on=True),
    replace(BOTH, may_serve=frozenset({"b"}), out_of=SESSION),
    replace(BOTH, target_of="b"),
    replace(BOTH, inconsistent=True),
    replace(BOTH, split="seen"),
)
CHECKERS = (
    WatchedResource("intf.net1", "pre", "wait"),
    WatchedResource("tcp.web", "prim", "restart"),
    WatchedResource("custom.load", "both", "stopstart"),
)
RULES = RuleSettings(default_rules(CHECKERS), 400, 900, frozenset({"intf.net1"}))
EVERYTHING_SET = st.builds(
    Settings,
    node=st.just("a"),
    peer=st.just("b"),
    timeout_ms=st.just(TIMEOUT_MS),
    failover=st.booleans(),
    witness=st.sampled_from(WitnessKind),
    rules=st.sampled_from((RuleSettings(), RULES)),
    checkers=st.just(CHECKERS),
    fence=st.booleans(),
    fence_delay_ms=st.sampled_from((0, 300)),
    ask=st.booleans(),
    syncdelta_ms=st.sampled_from((0, 700)),
    syncat=st.booleans(),
)
SESSIONS = st.sampled_from(("", SESSION, SESSION, OTHER))
WORDS = st.builds(
    Word,
    state=st.sampled_from(State),
    record=st.sampled_from(RECORDS),
    session=SESSIONS,
    offer=st.sampled_from((None, Offer(OTHER, full=True, aside="", generation=G1, row="x"))),
    ready_for=SESSIONS,
    asks_out=SESSIONS,
    asks_swap=st.sampled_from(("", G1)),
    incarnation=st.sampled_from(("i", "j")),
)
RESUMPTIONS = (
    (State.PRIM, "prim"),
    (State.SECOND, "second"),
    (State.ALONE, "alone"),
    (State.ALONE, ""),
    (State.WAIT, "second"),
)
VALUES = st.sampled_from(("init", "up", "down"))
EVENTS: st.SearchStrategy[Event] = st.one_of(
    st.builds(PeerHeard, WORDS, st.sampled_from((0, 0, 90, TIMEOUT_MS))),
    st.builds(
        CommandAsked,
        st.sampled_from(("start", "prim", "second", "stop", "stopstart", "restart", "swap")),
    ),
    st.sampled_from(RESUMPTIONS).map(
        lambda found: Resumed(found[0], Goal.START, SESSION, found[1], SESSION, "open", 100)
    ),
    st.builds(ResourceChanged, st.sampled_from(("intf.net1", "tcp.web", "custom.load")), VALUES),
    st.builds(SwitchSet, st.sampled_from(("checker", "failover", "errd")), st.booleans()),
    st.builds(WitnessAnswered, st.sampled_from(WitnessSays), st.just("")),
    st.builds(WitnessTold, st.booleans()),
    st.builds(FenceAnswered, st.booleans(), st.just("")),
    st.builds(SyncedAgo, st.sampled_from((0, 300, 5_000))),
    st.builds(TargetInSync, SESSIONS, st.just(G1)),
    st.builds(LinkLost, SESSIONS, st.just("cut")),
    *(st.builds(kind, SESSIONS) for kind in (LinkUp, LinkAlive, SourceInSync)),
    st.builds(DataFault, st.just("local"), st.just("")),
    st.builds(Drained, st.booleans()),
    st.sampled_from((SyncDue(), Stalled(1), DataPlaneLost(""))),
)
# What goes on for so many ticks: silence, the peer's last word, or the end of the plan in hand.
STRETCHES = st.tuples(
    st.sampled_from((1, 2, 5, 12, 35, 160)),
    st.sampled_from((1, TICK_MS, TICK_MS, TICK_MS, TICK_MS, TIMEOUT_MS, TIMEOUT_MS + 1)),
    st.sampled_from(("tick", "tick", "hear", "hear", "done", "failed")),
)
HISTORIES = st.lists(
    st.tuples(EVENTS, st.lists(STRETCHES, min_size=1, max_size=4)), min_size=1, max_size=10
)


class Looking(Engine):
    """Looks at every tick."""

    def rests(self, event: Event, now_ms: int) -> bool:
        return False


class Life:
    """One engine in a history."""

    def __init__(self, kind: type[Engine], chosen: Settings, record: Record) -> None:
        self.now_ms = 5_000
        self.engine = kind(chosen, record, b"seed", "i", self.now_ms)
        self.plan: Plan | None = None
        self.broken = False

    def happen(self, event: Event, after_ms: int) -> tuple[Action, ...]:
        self.now_ms += after_ms
        if self.broken:
            return ()
        try:
            actions = self.engine.handle(event, self.now_ms)
        except (InvariantBroken, AssertionError):  # a peer that says anything at all
            self.broken = True
            return ()
        for action in actions:
            self.plan = action if isinstance(action, Plan) else self.plan
        return actions

    def pause(self, what: str, after_ms: int) -> list[tuple[Action, ...]]:
        plan, word = self.plan, self.engine.context.peer_word
        if what == "hear" and word is not None:
            return [self.happen(PeerHeard(word), after_ms)]
        if what not in {"done", "failed"} or plan is None:
            return [self.happen(Ticked(), after_ms)]
        self.plan = None
        if what == "failed":
            return [self.happen(PlanFailed(plan.plan_id, "x", "failed"), after_ms)]
        wished = [one.record for one in plan.actions if isinstance(one, PersistRecord)]
        told = [self.happen(RecordPersisted(record), 0) for record in wished]
        return [*told, self.happen(PlanDone(plan.plan_id), after_ms)]


@settings(max_examples=200, deadline=None)
@given(EVERYTHING_SET, st.sampled_from(RECORDS), HISTORIES)
def test_an_engine_that_rests_does_what_one_does_that_looks_at_every_tick(
    chosen: Settings, record: Record, history: list[tuple[Event, list[tuple[int, int, str]]]]
) -> None:
    one, other = Life(Engine, chosen, record), Life(Looking, chosen, record)
    for event, stretches in history:
        assert one.happen(event, 0) == other.happen(event, 0)
        for count, after_ms, what in stretches:
            for _ in range(count):
                assert one.pause(what, after_ms) == other.pause(what, after_ms)
                assert one.engine.context == other.engine.context
                assert one.broken == other.broken


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The moments of all looks."""
    found: list[int] = []

    def counted(*given: Any) -> Any:
        found.append(given[1])
        return look(*given)

    monkeypatch.setattr(engine_module, "look", counted)
    return found


def in_step(state: State, mode: str, **chosen: Any) -> Life:
    """A node of a pair in step, after its first ticks."""
    life = Life(Engine, Settings("a", "b", TIMEOUT_MS, **chosen), BOTH)
    life.happen(Resumed(state, Goal.START, SESSION, mode, SESSION, "open", 100), 0)
    mate = State.SECOND if state is State.PRIM else State.PRIM
    life.happen(PeerHeard(Word(mate, record=BOTH, session=SESSION, incarnation="j")), 0)
    assert life.engine.state is state
    return life


def word_of_peer(life: Life) -> Event:
    word = life.engine.context.peer_word
    assert word is not None
    return PeerHeard(word)


@pytest.mark.parametrize(("state", "mode"), [(State.PRIM, "prim"), (State.SECOND, "second")])
def test_a_quiet_pair_looks_when_its_rules_are_due_and_not_at_each_tick(
    state: State, mode: str, looks: list[int]
) -> None:
    life = in_step(state, mode)
    looks.clear()
    for _ in range(600):
        assert life.happen(word_of_peer(life), TICK_MS) == ()
    period_ms = RuleSettings().period_ms
    assert len(looks) <= 2 * 600 * TICK_MS // period_ms  # 600 without rests
    assert life.engine.context.heard_ms == life.engine.context.synced_ms == life.now_ms


def test_silence_is_seen_at_the_first_tick_after_the_timeout() -> None:
    life = in_step(State.SECOND, "second")
    for _ in range(20):
        life.happen(word_of_peer(life), TICK_MS)
    for _ in range(TIMEOUT_MS // TICK_MS):
        life.happen(Ticked(), TICK_MS)
    assert life.engine.state is State.SECOND
    life.happen(Ticked(), 1)
    assert str(life.engine.state) == State.SETTLING


def test_a_stop_of_the_host_is_seen_though_the_peer_speaks_at_once() -> None:
    life = in_step(State.SECOND, "second")
    for _ in range(20):
        life.happen(word_of_peer(life), TICK_MS)
    life.happen(Ticked(), TIMEOUT_MS + 1)
    assert life.engine.context.heard_ms is None

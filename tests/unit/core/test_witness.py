"""The third opinion: when the witness is asked and told, and what it gives way to."""

from dataclasses import replace

import pytest

from mirror.core.settings import RETRY_MS
from mirror.core.witness_rule import may_replace
from mirror.vocabulary.actions import TellWitness
from mirror.vocabulary.events import (
    CommandAsked,
    LinkLost,
    PlanDone,
    Ticked,
    WitnessAnswered,
    WitnessTold,
)
from mirror.vocabulary.facts import WitnessKind, WitnessSays
from mirror.vocabulary.record import Record
from mirror.vocabulary.states import State
from tests.unit.core.test_engine import BOTH, G1, G2, SESSION, SOLE, Node, peer, resumed, second


@pytest.mark.parametrize("says", [WitnessSays.UNASKED, WitnessSays.GRANTS])
def test_a_primary_that_was_silent_for_a_moment_is_not_left(says: WitnessSays) -> None:
    node = second(witness=WitnessKind.ETCD)
    node.happen(Ticked(), after_ms=1_100)
    assert node.state() is State.ORPHANED
    asked = node.plan()
    node.happen(peer(State.PRIM))
    assert node.state() is State.ORPHANED  # the witness has not answered yet
    node.happen(WitnessAnswered(says, ""))
    node.happen(PlanDone(asked.plan_id))
    node.happen(peer(State.PRIM), after_ms=100)
    assert node.state() is State.SECOND
    # What the witness granted meanwhile is given back: both may serve, as both records say.
    told = [action for action in node.plan().actions if isinstance(action, TellWitness)]
    assert [one.then_may_serve for one in told] == [{"a", "b"}] * (says is WitnessSays.GRANTS)
    node.happen(LinkLost(SESSION, "reset"))
    node.happen(peer(State.PRIM), after_ms=100)
    assert node.state() is State.ORPHANED  # the session is over: its question is waited for


def test_a_peer_that_renounced_stands_above_what_the_witness_granted_it() -> None:
    node = Node(BOTH, witness=WitnessKind.ETCD)
    node.happen(CommandAsked("start"))
    node.finish()
    renounced = replace(BOTH, may_serve=frozenset({"a"}), out_of=SESSION, was_primary=False)
    node.happen(peer(State.WAIT, renounced, ""))
    asked = node.plan()
    assert [type(action).__name__ for action in asked.actions] == ["AskWitness"]
    # It was asked by the peer first, which then heard of this primary and went out.
    node.happen(WitnessAnswered(WitnessSays.REFUSES, "b may serve"))
    node.happen(PlanDone(asked.plan_id))
    assert node.state() is State.TAKING_OVER
    told = [action for action in node.plan().actions if isinstance(action, TellWitness)]
    assert [(set(one.then_may_serve), one.forced) for one in told] == [({"a"}, True)]


def test_a_node_that_serves_alone_tells_the_witness_until_it_knows() -> None:
    node = Node(BOTH, witness=WitnessKind.ETCD)
    node.happen(CommandAsked("start"))
    node.finish()
    node.happen(peer(State.WAIT, replace(BOTH, may_serve=frozenset({"a"}), out_of=SESSION), ""))
    asked = node.plan()
    node.happen(WitnessAnswered(WitnessSays.REFUSES, "b may serve"))
    node.happen(PlanDone(asked.plan_id))
    node.happen(WitnessTold(done=False))  # it could not be reached at this moment
    node.finish()
    assert node.state() is State.ALONE
    before = node.plan()
    node.happen(Ticked(), after_ms=RETRY_MS)
    told = node.plan()
    assert told is not before
    (again,) = told.actions
    assert isinstance(again, TellWitness)
    assert (set(again.then_may_serve), again.forced) == ({"a"}, False)
    assert BOTH.current in again.history  # by which it replaces the peer that it names
    node.happen(WitnessTold(done=True))
    node.happen(PlanDone(told.plan_id))
    node.happen(Ticked(), after_ms=2 * RETRY_MS)
    assert node.plan() is told


@pytest.mark.parametrize(
    ("state", "record", "mode"), [(State.ALONE, SOLE, "alone"), (State.PRIM, BOTH, "prim")]
)
def test_a_control_plane_that_finds_its_module_serving_tells_the_witness(
    state: State, record: Record, mode: str
) -> None:
    node = Node(record, witness=WitnessKind.ETCD)
    node.happen(resumed(state, mode))
    node.happen(peer(State.SECOND) if mode == "prim" else Ticked())
    assert node.state() is state
    assert [type(action) for action in node.plan().actions] == [TellWitness]


def test_without_the_peers_word_a_refusal_stands() -> None:
    node = Node(BOTH, witness=WitnessKind.ETCD)
    node.happen(CommandAsked("start"))
    node.finish()
    node.happen(peer(State.WAIT, BOTH, ""))
    node.happen(WitnessAnswered(WitnessSays.REFUSES, "b may serve"))
    node.happen(PlanDone(node.plan().plan_id))
    assert node.state() is State.WAIT


def test_the_witness_is_replaced_by_who_it_counts_only() -> None:
    both, mine = frozenset({"a", "b"}), frozenset({"a"})
    assert may_replace(None, (G1, both), (), "a")
    assert may_replace((G1, both), (G1, both), (), "a")
    assert may_replace((G2, mine), (G1, both), (), "a")  # granted, then this node crashed
    assert not may_replace((G2, frozenset({"b"})), (G1, both), (), "a")
    assert not may_replace((G2, both), (G1, both), (), "a")
    # What this node moved on from, at the durable word of a peer that the witness still names.
    assert may_replace((G2, frozenset({"b"})), (G1, mine), (G2,), "a")
    assert not may_replace((G1, frozenset({"b"})), (G1, mine), (G2,), "a")

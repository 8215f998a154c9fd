"""The fencing agent is called before a node goes on beside a silent host, and never else."""

from dataclasses import replace
from typing import Any

from mirror.vocabulary.actions import Fence, Plan
from mirror.vocabulary.events import (
    CommandAsked,
    FenceAnswered,
    LinkLost,
    PlanDone,
    SyncedAgo,
    Ticked,
    WitnessAnswered,
)
from mirror.vocabulary.facts import WitnessKind, WitnessSays
from mirror.vocabulary.states import State
from tests.unit.core.test_engine import BOTH, SESSION, SOLE, Node, peer, resumed


def second(delay_ms: int = 0, witness: WitnessKind = WitnessKind.NONE) -> Node:
    record = replace(BOTH, was_primary=False)
    node = Node(record, fence=True, fence_delay_ms=delay_ms, witness=witness)
    node.happen(resumed(State.SECOND, "second"))
    node.happen(peer(State.PRIM))
    return node


def fenced(node: Node) -> int:
    plans = [action for action in node.all if isinstance(action, Plan)]
    return sum(Fence("b") in plan.actions for plan in plans)


def answer(node: Node, *, done: bool) -> None:
    plan = node.plan()
    node.happen(FenceAnswered(done, "as it is"))
    node.happen(PlanDone(plan.plan_id))


def test_a_silent_primary_is_switched_off_before_the_takeover() -> None:
    node = second()
    node.happen(Ticked(), after_ms=1_300)
    assert (node.state(), fenced(node)) == (State.ORPHANED, 1)
    node.happen(Ticked(), after_ms=3_000)
    assert (node.state(), fenced(node)) == (State.ORPHANED, 1)
    answer(node, done=True)
    assert node.state() is State.SETTLING


def test_no_takeover_until_it_says_yes_and_it_is_asked_again() -> None:
    node = second()
    node.happen(Ticked(), after_ms=1_300)
    answer(node, done=False)
    node.happen(Ticked(), after_ms=2_000)
    assert (node.state(), fenced(node)) == (State.ORPHANED, 1)
    node.happen(Ticked(), after_ms=1_500)
    assert (node.state(), fenced(node)) == (State.ORPHANED, 2)
    answer(node, done=True)
    assert node.state() is State.SETTLING


def test_the_delay_leaves_the_other_side_its_turn() -> None:
    node = second(delay_ms=5_000)
    node.happen(Ticked(), after_ms=5_000)
    assert fenced(node) == 0
    node.happen(peer(State.PRIM))
    node.happen(Ticked(), after_ms=900)
    assert fenced(node) == 0
    node.happen(Ticked(), after_ms=6_500)
    assert fenced(node) == 1


def test_who_said_that_it_is_out_is_not_switched_off() -> None:
    node = second()
    handed = replace(BOTH, may_serve=frozenset({"a"}), out_of=SESSION)
    node.happen(peer(State.CLOSING, handed))
    assert node.state() is State.SETTLING
    assert fenced(node) == 0


def freezing(**settings: Any) -> Node:
    node = Node(BOTH, fence=True, fence_timeout_ms=20_000, **settings)
    node.happen(resumed(State.PRIM, "prim"))
    node.happen(peer(State.SECOND))
    node.happen(LinkLost(SESSION, "reset"))
    return node


def test_a_primary_switches_a_silent_secondary_off_before_it_goes_on_alone() -> None:
    node = freezing()
    node.happen(Ticked(), after_ms=1_300)
    assert (node.state(), fenced(node)) == (State.FREEZING, 1)
    node.happen(Ticked(), after_ms=10_000)
    assert node.state() is State.FREEZING
    answer(node, done=True)
    assert node.state() is State.GOING_ALONE


def test_a_primary_does_not_wait_for_the_delay() -> None:
    node = freezing(fence_delay_ms=5_000)
    node.happen(Ticked(), after_ms=1_300)
    assert fenced(node) == 1


def test_a_freeze_lasts_as_long_as_the_agent_may_take_and_no_longer() -> None:
    node = freezing()
    node.happen(Ticked(), after_ms=20_000)
    assert node.state() is State.FREEZING
    node.happen(Ticked(), after_ms=5_000)
    assert node.state() is State.LEAVING


def test_a_primary_that_etcd_chose_goes_on_without_the_agent() -> None:
    node = freezing(witness=WitnessKind.ETCD)
    node.happen(Ticked(), after_ms=1_300)
    node.happen(WitnessAnswered(WitnessSays.GRANTS, ""))
    assert (node.state(), fenced(node)) == (State.GOING_ALONE, 0)


def test_a_secondary_that_etcd_chose_shoots_without_delay() -> None:
    node = second(delay_ms=5_000, witness=WitnessKind.ETCD)
    node.happen(Ticked(), after_ms=1_300)
    asked = node.plan()
    node.happen(WitnessAnswered(WitnessSays.GRANTS, ""))
    node.happen(PlanDone(asked.plan_id))
    assert (node.state(), fenced(node)) == (State.ORPHANED, 1)


def test_whose_agent_runs_does_not_go_out_for_a_primary_that_may_be_off_in_a_moment() -> None:
    node = second()
    node.happen(Ticked(), after_ms=1_300)
    assert fenced(node) == 1
    node.happen(peer(State.FREEZING, asks_out=SESSION))
    assert node.state() is State.ORPHANED
    answer(node, done=True)
    assert node.state() is State.SETTLING  # at once: what it said before is nobody's word now


def test_when_the_agent_failed_a_primary_that_asks_is_answered() -> None:
    node = second()
    node.happen(Ticked(), after_ms=1_300)
    node.happen(peer(State.FREEZING, asks_out=SESSION))
    answer(node, done=False)
    assert node.state() is State.JOINING


def test_a_start_by_syncdelta_switches_the_silent_host_off_first() -> None:
    node = Node(BOTH, fence=True, syncdelta_ms=600_000)
    node.happen(SyncedAgo(60_000))
    node.happen(CommandAsked("start"))
    node.finish()
    node.happen(Ticked(), after_ms=1_300)
    assert (node.state(), fenced(node)) == (State.WAIT, 1)
    answer(node, done=False)
    node.happen(Ticked(), after_ms=2_000)
    assert node.state() is State.WAIT
    node.happen(Ticked(), after_ms=1_500)
    answer(node, done=True)
    assert (node.state(), fenced(node)) == (State.TAKING_OVER, 2)


def test_a_node_that_lived_on_starts_without_fencing() -> None:
    node = Node(SOLE, fence=True)
    node.happen(CommandAsked("start"))
    node.finish()
    node.happen(Ticked(), after_ms=1_300)
    assert node.state() is State.TAKING_OVER
    assert fenced(node) == 0


def test_the_witness_is_asked_first() -> None:
    node = second(witness=WitnessKind.ETCD)
    node.happen(Ticked(), after_ms=1_300)
    assert fenced(node) == 0
    assert "AskWitness" in {type(action).__name__ for action in node.plan().actions}

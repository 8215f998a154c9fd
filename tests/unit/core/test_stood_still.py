"""A secondary that stood still: its primary may have gone on alone, and died, meanwhile."""

import pytest

from mirror.vocabulary.events import CommandAsked, LinkLost, PlanDone, Ticked, WitnessAnswered
from mirror.vocabulary.facts import WitnessKind, WitnessSays
from mirror.vocabulary.states import State
from tests.unit.core.test_engine import SESSION, Node, peer, second

TIMEOUT_MS = 1_000


def awoken(**settings: WitnessKind) -> Node:
    node = second(**settings)
    node.now_ms += 5 * TIMEOUT_MS
    node.happen(Ticked())
    assert node.state() is State.SECOND
    return node


def fall_silent(node: Node) -> None:
    node.happen(LinkLost(SESSION, "reset"))
    for _ in range(12):
        node.happen(Ticked(), after_ms=TIMEOUT_MS // 10)


def test_it_does_not_take_over_from_a_primary_that_it_has_not_heard_since() -> None:
    node = awoken()
    fall_silent(node)
    assert node.state() is State.LEAVING
    node.finish()
    node.finish()
    node.finish()
    for _ in range(5):
        node.happen(Ticked(), after_ms=TIMEOUT_MS)
    assert node.state() is State.WAIT
    assert not node.said().record.clean_stop  # it does not know that it holds everything
    node.happen(CommandAsked("prim"))
    assert node.state() is State.TAKING_OVER  # an administrator may know


def test_one_word_is_not_enough_for_it_may_have_been_the_last_before_the_primary_went_on() -> None:
    node = awoken()
    node.happen(peer(State.PRIM), after_ms=TIMEOUT_MS // 2)
    fall_silent(node)
    assert node.state() is State.LEAVING


def test_a_primary_that_is_prim_a_timeout_later_has_heard_it() -> None:
    node = awoken()
    for _ in range(12):
        node.happen(peer(State.PRIM), after_ms=TIMEOUT_MS // 10)
    fall_silent(node)
    assert node.state() in {State.SETTLING, State.TAKING_OVER}


def test_a_primary_that_said_it_is_out_is_followed() -> None:
    node = awoken()
    node.happen(peer(State.LEAVING, promises_out=SESSION), after_ms=TIMEOUT_MS // 10)
    fall_silent(node)
    assert node.state() in {State.SETTLING, State.TAKING_OVER}


@pytest.mark.parametrize("says", [WitnessSays.GRANTS, WitnessSays.REFUSES])
def test_etcd_knows_whether_the_primary_went_on(says: WitnessSays) -> None:
    node = awoken(witness=WitnessKind.ETCD)
    fall_silent(node)
    assert node.state() is State.ORPHANED
    asked = node.plan()
    node.happen(WitnessAnswered(says, ""))
    node.happen(PlanDone(asked.plan_id))
    granted = says is WitnessSays.GRANTS
    assert node.state() is (State.SETTLING if granted else State.WAIT)

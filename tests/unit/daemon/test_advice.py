"""What `state` suggests to a person whose node waits."""

from dataclasses import replace

from mirror.daemon.node.advice import NOTHING_TO_DO, action_of
from mirror.vocabulary.events import CommandAsked, Ticked
from mirror.vocabulary.said import say
from mirror.vocabulary.states import State
from tests.unit.core.test_engine import BOTH, G1, G2, SOLE, Node, peer, resumed, second
from tests.unit.core.test_stood_still import TIMEOUT_MS, awoken, fall_silent


def waiting(node: Node) -> str:
    """What is suggested once it rests in WAIT."""
    while node.state() in {State.LEAVING, State.CLOSING, State.STARTING}:
        node.finish()
    for _ in range(5):
        node.happen(Ticked(), after_ms=TIMEOUT_MS)
    assert node.state() is State.WAIT
    return action_of(node.engine.context)


def test_who_stood_still_is_told_when_prim_is_right_and_what_it_costs() -> None:
    node = awoken()
    fall_silent(node)
    said = waiting(node)
    assert said.startswith("Start b: it may hold changes that a has not")
    assert "If b is lost for good: `prim` here; what only b holds is then missing." in said
    node.happen(CommandAsked("prim"))
    assert node.state() is State.TAKING_OVER, "what is suggested is not refused"


def test_with_failover_off_a_person_decides() -> None:
    node = second(failover=False)
    fall_silent(node)
    assert waiting(node) == "Failover is off, so you decide: start b, or `prim` here."
    node.happen(CommandAsked("prim"))
    assert node.state() is State.TAKING_OVER


def test_of_an_incomplete_copy_prim_is_not_suggested_for_it_is_refused() -> None:
    node = Node(replace(BOTH, may_serve=frozenset({"b"}), target_of="5" * 32))
    node.happen(CommandAsked("start"))
    said = waiting(node)
    assert "`primforce` here; what is not here is then lost" in said
    assert "`prim` " not in said
    node.happen(CommandAsked("prim"))
    assert node.refusal()


def test_what_goes_on_by_itself_needs_no_command() -> None:
    context = awoken().engine.context
    assert action_of(context) == NOTHING_TO_DO
    context.state, context.reason = State.WAIT, say("wait.syncat")
    assert action_of(context).startswith(NOTHING_TO_DO.rstrip("."))
    context.reason = say("wait.rule", rule="r", resources="tcp.web is down")
    assert "prim" not in action_of(context)


def test_who_serves_and_refuses_a_peer_that_went_on_says_how_to_choose() -> None:
    """As after `prim` on a node whose peer had stopped, and served again once it was gone."""
    node = Node(SOLE)
    node.happen(resumed(State.ALONE, "alone"))
    assert action_of(node.engine.context) == "Bring b back."
    newer = replace(BOTH, current=G2, history=(G1,), may_serve=frozenset({"b"}), lived_on=True)
    node.happen(peer(State.JOINING, newer, ""))
    assert node.said().offer is None
    said = action_of(node.engine.context)
    assert said.startswith("b has gone on from these data, so you choose.")

    node.happen(peer(State.STOP, newer, ""), after_ms=TIMEOUT_MS)
    node.happen(peer(State.JOINING, newer, "", wants_full=True), after_ms=TIMEOUT_MS)
    offer = node.engine.context.offer
    assert offer is not None
    assert offer.aside, "`second fullsync` there: joined, and what it had is kept"

    node = Node(SOLE)
    node.happen(resumed(State.ALONE, "alone"))
    node.happen(CommandAsked("stop"))
    while node.state() is not State.STOP:
        node.finish()
    node.happen(peer(State.ALONE, newer, ""), after_ms=TIMEOUT_MS)
    node.happen(CommandAsked("start"))
    node.finish()
    assert node.state() is State.JOINING, "`stop` and `start` here: it follows"


def test_a_peer_with_other_data_is_refused_with_what_joins_them() -> None:
    node = Node(SOLE)
    node.happen(resumed(State.ALONE, "alone"))
    node.happen(peer(State.JOINING, replace(BOTH, current="9" * 32), ""))
    assert "only `second fullsync` on one of them joins them" in action_of(node.engine.context)

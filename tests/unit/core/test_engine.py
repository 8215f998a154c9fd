"""The one door: what the engine asks for, event by event; the rules that no table shows alone."""

from dataclasses import replace
from typing import Any

import pytest

from mirror.core.engine import Engine
from mirror.core.invariants import InvariantBroken, check
from mirror.core.settings import Settings
from mirror.core.speech import safety, word_of
from mirror.vocabulary.actions import (
    Action,
    Answer,
    CallData,
    Log,
    PersistRecord,
    Plan,
    RunBackground,
    Say,
)
from mirror.vocabulary.events import (
    CommandAsked,
    DataFault,
    DataPlaneLost,
    Event,
    LinkAlive,
    LinkLost,
    PeerHeard,
    PlanDone,
    PlanFailed,
    RecordPersisted,
    Resumed,
    Ticked,
)
from mirror.vocabulary.facts import WitnessKind
from mirror.vocabulary.record import Record
from mirror.vocabulary.said import Said
from mirror.vocabulary.states import Goal, State
from mirror.vocabulary.words import Word, word_from_map, word_to_map

G1, G2, SESSION = "1" * 32, "2" * 32, "5" * 32
BOTH = Record(current=G1, term=2, may_serve=frozenset({"a", "b"}), was_primary=True)
SOLE = replace(BOTH, may_serve=frozenset({"a"}), lived_on=True)


class Node:
    """An engine, its clock, and what it last asked for."""

    def __init__(self, record: Record, **settings: Any) -> None:
        self.now_ms = 1_000
        chosen = Settings(node="a", peer="b", timeout_ms=1_000, **settings)
        self.engine = Engine(chosen, record, b"seed", "i", self.now_ms)
        self.all: list[Action] = []

    def happen(self, event: Event, after_ms: int = 0) -> tuple[Action, ...]:
        while after_ms > 0:
            step_ms = min(after_ms, 100)
            self.now_ms, after_ms = self.now_ms + step_ms, after_ms - step_ms
            self.all += self.engine.handle(Ticked(), self.now_ms)
        actions = self.engine.handle(event, self.now_ms)
        self.all += actions
        return actions

    def finish(self) -> tuple[Action, ...]:
        """Perform the plan in hand as if everything went well."""
        plan = self.plan()
        for action in plan.actions:
            if isinstance(action, PersistRecord):
                self.happen(RecordPersisted(action.record))
        return self.happen(PlanDone(plan.plan_id))

    def state(self) -> State:
        return self.engine.state

    def plan(self) -> Plan:
        return [action for action in self.all if isinstance(action, Plan)][-1]

    def calls(self) -> list[str]:
        return [one.verb for one in self.plan().actions if isinstance(one, CallData)]

    def said(self) -> Word:
        return [action.word for action in self.all if isinstance(action, Say)][-1]

    def refusal(self) -> str:
        return [action.refusal for action in self.all if isinstance(action, Answer)][-1]


def resumed(state: State, mode: str, *, gate: str = "open", down_ms: int = 100) -> Resumed:
    return Resumed(state, Goal.START, SESSION, mode, SESSION, gate, down_ms)


def peer(state: State, record: Record = BOTH, session: str = SESSION, **fields: Any) -> PeerHeard:
    return PeerHeard(Word(state=state, record=record, session=session, **fields))


def prim() -> Node:
    node = Node(BOTH)
    node.happen(resumed(State.PRIM, "prim"))
    node.happen(peer(State.SECOND))
    assert node.state() is State.PRIM
    return node


def second(**settings: Any) -> Node:
    node = Node(replace(BOTH, was_primary=False), **settings)
    node.happen(resumed(State.SECOND, "second"))
    node.happen(peer(State.PRIM))
    assert node.state() is State.SECOND
    return node


def test_a_node_that_lived_on_starts_after_a_timeout_of_silence() -> None:
    node = Node(SOLE)
    node.happen(CommandAsked("start"))
    node.finish()
    assert node.state() is State.WAIT
    node.happen(Ticked(), after_ms=1_200)
    assert node.state() is State.TAKING_OVER


def test_a_node_that_shares_waits_for_the_other() -> None:
    node = Node(BOTH)
    node.happen(CommandAsked("start"))
    node.finish()
    node.happen(Ticked(), after_ms=60_000)
    assert node.state() is State.WAIT
    assert "newer data" in node.engine.context.reason


def test_a_fallen_primary_waits_for_the_last_record_of_a_secondary_that_closes() -> None:
    stopped = replace(BOTH, was_primary=False, clean_stop=True)
    for last, follows in (
        (stopped, State.WAIT),
        (replace(BOTH, was_primary=False), "TAKING_OVER"),
    ):
        node = Node(BOTH)
        node.happen(CommandAsked("start"))
        node.finish()
        for state in (State.SECOND, State.LEAVING, State.CLOSING):
            node.happen(peer(state, replace(BOTH, was_primary=False)), after_ms=50)
        assert node.state() is State.WAIT
        node.happen(peer(State.STARTING, last, ""), after_ms=50)
        assert node.state() == follows


def test_a_secondary_that_fails_while_it_goes_out_is_out_all_the_same() -> None:
    node = second()
    node.happen(peer(State.FREEZING, asks_out=SESSION))
    assert node.state() is State.JOINING
    node.happen(DataPlaneLost("killed"))  # before the first plan has done anything
    assert node.state() is State.LEAVING
    (persist,) = [one for one in node.plan().actions if isinstance(one, PersistRecord)]
    assert persist.record.may_serve == {"b"}
    assert persist.record.out_of == SESSION


def test_a_swap_that_was_asked_of_an_earlier_control_plane_is_not_asked_again() -> None:
    node = Node(BOTH)
    node.happen(resumed(State.PRIM, "prim"))
    node.happen(peer(State.SECOND, asks_swap="7" * 32))
    assert node.state() is State.PRIM
    node.happen(peer(State.SECOND, asks_swap="8" * 32))
    assert node.state() is State.LEAVING


def test_a_parted_primary_asks_and_goes_on_at_the_promise_only() -> None:
    node = prim()
    node.happen(LinkLost(SESSION, "reset"))
    assert node.state() is State.FREEZING
    assert node.said().asks_out == SESSION
    node.happen(peer(State.ORPHANED), after_ms=500)
    assert node.state() is State.FREEZING
    out = replace(BOTH, may_serve=frozenset({"a"}), out_of=SESSION)
    node.happen(peer(State.JOINING, out))
    assert node.state() is State.GOING_ALONE
    kinds = [type(action).__name__ for action in node.plan().actions]
    assert kinds == ["CallData", "PersistRecord", "CallData"]
    assert node.calls() == ["record_hidden", "go_alone"]
    node.finish()
    assert node.state() is State.ALONE
    assert node.engine.context.record.base == G1


def test_a_peer_that_only_its_link_tells_of_is_mute_until_it_speaks_or_is_lost() -> None:
    node = prim()
    context = node.engine.context
    for _ in range(3):
        node.happen(LinkAlive(SESSION), after_ms=400)
    assert node.state() is State.PRIM
    assert context.mute_ms(node.now_ms) == 1_200
    assert "the control plane of b is not heard" in safety(context, mute=True)
    node.happen(peer(State.SECOND))
    assert context.mute_ms(node.now_ms) == 0
    node.happen(Ticked(), after_ms=1_100)
    assert context.mute_ms(node.now_ms) == 0


def test_who_cannot_catch_up_for_want_of_room_does_not_say_that_it_does() -> None:
    node = second()
    node.happen(peer(State.FREEZING, asks_out=SESSION))
    assert node.state() is State.JOINING
    context = node.engine.context
    assert "b is catching up" not in safety(context)
    assert safety(context).startswith("a is catching up")
    assert safety(context, full=True).startswith("The disk of a is full: it cannot catch up.")


def test_a_freeze_ends_even_when_the_peer_lives_and_is_mute() -> None:
    node = prim()
    node.happen(LinkLost(SESSION, "reset"))
    for _ in range(60):
        node.happen(peer(State.ORPHANED), after_ms=100)
    assert node.state() is State.LEAVING


def test_a_primary_steps_down_when_the_peer_serves() -> None:
    node = prim()
    node.happen(LinkLost(SESSION, "reset"))
    node.happen(peer(State.TAKING_OVER, replace(SOLE, may_serve=frozenset({"b"})), session=""))
    assert node.state() is State.LEAVING


def test_an_orphan_answers_the_question_with_its_disk() -> None:
    node = second()
    node.happen(LinkLost(SESSION, "reset"))
    assert node.state() is State.ORPHANED
    node.happen(peer(State.FREEZING, asks_out=SESSION))
    assert node.state() is State.JOINING
    assert node.said().record.out_of == ""  # not before it is durable
    node.finish()
    assert node.said().record.out_of == SESSION
    assert node.said().record.may_serve == {"b"}


def test_why_the_link_was_lost_is_said_even_when_the_primary_told_first() -> None:
    node = second()
    node.happen(peer(State.FREEZING, asks_out=SESSION))
    assert node.state() is State.JOINING
    node.happen(LinkLost(SESSION, "No space left on device"))
    node.happen(LinkLost(SESSION, "No space left on device"))
    lines = [one.text for one in node.all if isinstance(one, Log)]
    assert lines.count("Link lost: No space left on device") == 1


def test_an_orphan_takes_over_after_silence_and_only_then() -> None:
    node = second()
    node.happen(LinkLost(SESSION, "reset"))
    node.happen(Ticked(), after_ms=900)
    assert node.state() is State.ORPHANED
    node.happen(Ticked(), after_ms=200)
    assert node.state() is State.SETTLING
    node.finish()
    assert node.state() is State.TAKING_OVER
    assert node.calls() == ["record_hidden", "serve"]


def test_a_targeted_restart_tells_the_scripts_which_services() -> None:
    node = prim()
    node.happen(CommandAsked("restart", ("-Services", "a, b"), "errd"))
    calls = [one for one in node.all if isinstance(one, RunBackground)][-1].scripts
    assert [(call.name, call.forced) for call in calls][:2] == [
        ("stop_prim", False),
        ("stop_prim", True),
    ]
    assert {call.arguments for call in calls} == {("PRIM", "PRIM", "restart", "-Services", "a, b")}
    node.happen(CommandAsked("restart"))
    calls = [one for one in node.all if isinstance(one, RunBackground)][-1].scripts
    assert {call.arguments for call in calls} == {("PRIM", "PRIM", "restart")}


def test_a_node_that_stood_still_listens_again_before_it_believes_in_silence() -> None:
    node = second()
    node.now_ms += 5_000
    node.happen(Ticked())
    assert node.state() is State.SECOND
    node.happen(Ticked(), after_ms=500)
    assert node.state() is State.SECOND


def test_a_restarted_control_plane_does_not_take_its_own_slowness_for_silence() -> None:
    node = Node(BOTH)
    node.now_ms += 5_000  # the engine was made, then the host was busy
    node.happen(resumed(State.PRIM, "prim", gate="frozen"))
    assert node.state() is State.FREEZING


def test_a_closed_gate_is_never_opened_again() -> None:
    node = Node(BOTH)
    node.happen(resumed(State.PRIM, "prim", gate="closed"))
    assert node.state() is State.LEAVING


def test_a_second_that_was_away_too_long_does_not_believe_in_itself() -> None:
    node = Node(replace(BOTH, was_primary=False))
    node.happen(resumed(State.SECOND, "covered", down_ms=900))
    assert node.state() is State.LEAVING


def test_the_stop_is_said_by_the_record_after_the_application_is_gone() -> None:
    node = prim()
    node.happen(CommandAsked("stop"))
    assert node.state() is State.LEAVING
    assert node.said().record.out_of == ""
    node.finish()
    assert node.state() is State.CLOSING
    node.finish()
    assert node.said().record.out_of == SESSION
    assert node.state() is State.STOP


def test_a_disk_that_fails_while_a_primary_hands_over_is_not_said_to_be_good() -> None:
    node = prim()
    node.happen(CommandAsked("stop"))
    node.happen(DataFault("local", "the last sync failed"))
    node.finish()  # LEAVING
    node.finish()  # CLOSING
    record = node.said().record
    assert record.may_serve == {"b"}
    assert record.inconsistent
    assert not record.clean_stop


def test_a_stop_that_fails_hands_nothing_over() -> None:
    node = prim()
    node.happen(CommandAsked("stop"))
    node.happen(PlanFailed(node.plan().plan_id, "KillApplication", "processes remain"))
    node.happen(Ticked(), after_ms=60_000)
    assert node.state() is State.LEAVING
    assert node.said().record.out_of == ""


@pytest.mark.parametrize(("verb", "state"), [("swap", State.STOP), ("restart", State.STOP)])
def test_a_command_that_makes_no_sense_is_refused_with_a_sentence(verb: str, state: State) -> None:
    node = Node(SOLE)
    node.happen(CommandAsked(verb, command_id=3))
    assert node.state() is state
    assert node.refusal()


def test_prim_is_refused_beside_a_primary_and_on_a_mixture() -> None:
    node = Node(replace(BOTH, target_of="b"))
    node.happen(CommandAsked("prim"))
    assert "stopped during" in node.refusal()
    node.happen(peer(State.ALONE, session=""))
    node.happen(CommandAsked("primforce"))
    assert "b is primary" in node.refusal()


def test_maxloop_stops_for_good_and_an_administrator_resets_it() -> None:
    node = Node(SOLE)
    node.happen(resumed(State.ALONE, "alone"))
    for _ in range(3):
        node.happen(CommandAsked("restart", identity="errd"))
    assert node.state() is State.ALONE
    node.happen(CommandAsked("restart", identity="errd"))
    assert node.state() is State.LEAVING
    texts = [action.text for action in node.all if isinstance(action, Log)]
    assert "Action stop called by maxloop" in texts
    assert why_stopped(node) == "stopped.maxloop"


def test_a_node_that_failed_too_often_says_what_failed_last() -> None:
    node = Node(SOLE, maxloop=1)
    node.happen(resumed(State.ALONE, "alone"))
    node.happen(CommandAsked("restart", identity="errd"))
    node.happen(DataPlaneLost("out of memory"))
    assert why_stopped(node) == "stopped.maxloop_by"
    assert node.engine.context.reason.endswith("at last by: out of memory")


def test_an_administrator_s_stop_has_no_other_reason() -> None:
    node = Node(SOLE)
    node.happen(resumed(State.ALONE, "alone"))
    node.happen(CommandAsked("stop"))
    assert why_stopped(node) == ""


def why_stopped(node: Node) -> str:
    """Let it stop; the code of the reason that is shown from then on."""
    while node.state() is not State.STOP:
        node.finish()
    reason = node.engine.context.reason
    return reason.code if isinstance(reason, Said) else reason


def test_results_of_an_older_plan_are_nothing() -> None:
    node = prim()
    node.happen(CommandAsked("stop"))
    node.happen(PlanDone(node.plan().plan_id - 1))
    assert node.state() is State.LEAVING


def test_an_invariant_that_is_broken_stops_the_node() -> None:
    node = prim()
    node.engine.context.record = replace(BOTH, may_serve=frozenset({"b"}))
    with pytest.raises(InvariantBroken, match="invariant 4"):
        check(node.engine.context, word_of(node.engine.context))


def test_a_word_survives_its_map_and_a_foreign_one_is_refused() -> None:
    word = prim().said()
    assert word_from_map(word_to_map(word)) == word
    for values in ({}, {"state": "PRIM"}, {"state": "KING", "record": {}}, {"state": 3}):
        with pytest.raises(ValueError, match=r"."):
            word_from_map(values)


def test_a_role_that_a_node_has_already_is_not_wanted_again() -> None:
    node = second()
    node.happen(CommandAsked("second"))
    node.happen(Ticked(), after_ms=1_300)
    assert node.state() is State.SETTLING  # it waited for a primary for ever

    primary = prim()
    primary.happen(CommandAsked("prim"))
    assert not primary.engine.context.intent  # it overruled the witness, much later


def test_an_offer_is_void_for_a_target_that_served_before_it_heard_of_it() -> None:
    node = Node(replace(SOLE, current=G2, base=G1, history=(G1,)))
    node.happen(resumed(State.ALONE, "alone"))
    out = replace(BOTH, may_serve=frozenset({"a"}), was_primary=False)
    node.happen(peer(State.JOINING, out, ""))
    first = node.said().offer
    assert first is not None
    assert not first.aside  # it has nothing that is not here
    forced = replace(out, current="3" * 32, history=(G1,), term=3, may_serve=frozenset({"b"}))
    forced = replace(forced, lived_on=True, forced=True)
    node.happen(peer(State.ALONE, forced, ""))
    node.happen(peer(State.JOINING, replace(forced, clean_stop=True), "", ready_for=first.session))
    second_one = node.said().offer
    assert second_one is not None
    assert second_one.session != first.session
    assert second_one.full
    assert second_one.aside


def test_an_offer_stands_for_a_target_that_took_it() -> None:
    node = Node(SOLE)
    node.happen(resumed(State.ALONE, "alone"))
    node.happen(peer(State.JOINING, Record(), ""))
    offer = node.said().offer
    assert offer is not None
    taken = Record(may_serve=frozenset({"a"}), target_of="a", inconsistent=True)
    node.happen(peer(State.JOINING, taken, offer.session, ready_for=offer.session))
    assert node.calls() == ["lead"]


def test_a_target_that_was_started_again_does_not_wait_for_the_next_try() -> None:
    node = Node(SOLE)
    node.happen(resumed(State.ALONE, "alone"))
    for _ in range(4):  # each time the target is not ready in time, and the wait doubles
        node.happen(peer(State.JOINING, Record(), ""))
        while node.engine.context.offer is not None:
            node.happen(peer(State.JOINING, Record(), ""), after_ms=500)
        tried_ms = node.now_ms
        while node.engine.context.offer is None:
            node.happen(peer(State.JOINING, Record(), ""), after_ms=500)
    assert node.now_ms - tried_ms >= 8_000
    while node.engine.context.offer is not None:
        node.happen(peer(State.JOINING, Record(), ""), after_ms=500)
    for began, at_once in ((State.STARTING, False), (State.STOP, True)):  # by itself; by a person
        node.happen(peer(began, Record(), ""))
        node.happen(peer(State.JOINING, Record(), ""))
        assert (node.engine.context.offer is not None) is at_once


def test_a_target_that_is_stopped_while_it_is_led_does_not_wait_either() -> None:
    node = Node(SOLE)
    node.happen(resumed(State.ALONE, "alone"))
    node.happen(peer(State.JOINING, Record(), ""))
    offer = node.said().offer
    assert offer is not None
    node.happen(peer(State.JOINING, Record(), offer.session, ready_for=offer.session))
    node.finish()
    for _ in range(4):  # the first word ends the session, after which the next try would wait
        node.happen(peer(State.STOP, Record(), ""), after_ms=100)
        node.finish()
    node.happen(peer(State.JOINING, Record(), ""))
    assert node.engine.context.offer is not None


@pytest.mark.parametrize("since", [{"base": G1}, {"base": G2, "history": (G2, G1)}])
def test_an_orphan_gives_way_to_a_primary_that_comes_back_from_having_served_alone(
    since: dict[str, Any],
) -> None:
    """Once, or several times since."""
    node = second(witness=WitnessKind.ETCD)
    node.happen(LinkLost(SESSION, "no answer in time"))
    assert node.state() is State.ORPHANED
    went_on = Record(current="3" * 32, term=3, may_serve=frozenset({"b"}), lived_on=True, **since)
    node.happen(peer(State.WAIT, went_on, "", incarnation="after its fall"))
    (persist,) = [one for one in node.plan().actions if isinstance(one, PersistRecord)]
    assert persist.record.may_serve == {"b"}

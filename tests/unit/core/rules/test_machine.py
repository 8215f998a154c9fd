"""Rules in a node: what they ask for is applied when it holds, and WAIT waits for the checkers."""

from dataclasses import replace
from typing import Any

import pytest

from mirror.core.rules import Judging, RuleFacts, RuleSettings, WatchedResource, all_rules
from mirror.core.rules.machine import judge
from mirror.vocabulary.actions import Log, RunCheckers, SetResource
from mirror.vocabulary.events import CommandAsked, PeerHeard, ResourceChanged, SwitchSet, Ticked
from mirror.vocabulary.record import Record
from mirror.vocabulary.states import Goal, Readiness, State
from mirror.vocabulary.words import Word
from tests.unit.core.test_engine import BOTH, SESSION, SOLE, Node, peer, resumed

CHECKERS = (
    WatchedResource("intf.net1", "pre", "wait"),
    WatchedResource("tcp.web", "prim", "restart"),
    WatchedResource("custom.load", "prim", "swap"),
    WatchedResource("custom.dead", "second", "stopstart"),
)


def node_with(record: Record, text: str = "", **settings: Any) -> Node:
    rules = RuleSettings(
        rules=all_rules(text, CHECKERS, extends=True),
        period_ms=500,
        handle_time_ms=1_500,
        pre=frozenset({"intf.net1"}),
    )
    return Node(record, rules=rules, checkers=CHECKERS, **settings)


def alone(text: str = "", **settings: Any) -> Node:
    node = node_with(SOLE, text, **settings)
    node.happen(resumed(State.ALONE, "alone"))
    assert node.state() is State.ALONE
    return node


def lines(node: Node) -> list[str]:
    return [action.text for action in node.all if isinstance(action, Log) and action.level == "E"]


def classes(node: Node) -> tuple[str, ...]:
    return [action.classes for action in node.all if isinstance(action, RunCheckers)][-1]


def test_wait_is_transient_until_its_checkers_have_spoken_and_wakes_up_by_itself() -> None:
    node = node_with(SOLE)
    node.happen(CommandAsked("start"))
    node.finish()
    node.happen(Ticked(), after_ms=3_000)
    assert node.state() is State.WAIT
    shown = [one for one in node.all if isinstance(one, SetResource) and one.name == "state.local"]
    assert shown[-1].value == f"WAIT {Readiness.TRANSIENT}"
    assert "first answer of intf.net1" in node.engine.context.reason
    node.happen(ResourceChanged("intf.net1", "down", "intfcheck"))
    assert node.state() is State.WAIT
    assert "interface_failure" in node.engine.context.reason
    node.happen(ResourceChanged("intf.net1", "up", "intfcheck"))
    assert node.state() is State.TAKING_OVER
    assert "Action wakeup from failover rule Implicit_wakeup" in lines(node)
    assert "Resource intf.net1 set to down by intfcheck" in lines(node)


def test_an_action_is_applied_when_it_held_for_handle_time() -> None:
    node = alone()
    node.happen(ResourceChanged("tcp.web", "down"), after_ms=600)
    node.happen(Ticked(), after_ms=1_000)
    node.happen(ResourceChanged("tcp.web", "up"))
    node.happen(Ticked(), after_ms=3_000)
    assert "Action restart from failover rule t_web" not in lines(node)
    node.happen(ResourceChanged("tcp.web", "down"))
    node.happen(Ticked(), after_ms=2_600)
    assert lines(node).count("Action restart from failover rule t_web") == 1


def test_the_fourth_automatic_action_stops_the_module() -> None:
    node = alone(maxloop=3)
    node.happen(ResourceChanged("tcp.web", "down"))
    node.happen(Ticked(), after_ms=12_000)
    assert lines(node).count("Action restart from failover rule t_web") == 3
    assert lines(node).count("Action stop called by maxloop") == 1
    assert node.state() is State.LEAVING
    assert node.engine.context.goal is Goal.STOP
    shown = [one for one in node.all if isinstance(one, SetResource)]
    counts = [one.value for one in shown if one.name == "heart.stopstartloop"]
    assert counts == ["0", "1", "2", "3", "4"]


def test_a_wait_rule_stops_and_then_holds() -> None:
    node = alone()
    node.happen(ResourceChanged("intf.net1", "down"))
    node.happen(Ticked(), after_ms=3_000)
    assert node.state() is State.LEAVING
    assert node.engine.context.goal is Goal.START
    assert "Action wait from failover rule interface_failure" in lines(node)
    node.finish()
    node.finish()
    node.finish()
    assert node.state() is State.WAIT
    node.happen(Ticked(), after_ms=3_000)
    assert node.state() is State.WAIT


@pytest.mark.parametrize(("action", "goal"), [("stop", Goal.STOP), ("stopstart", Goal.START)])
def test_written_rules_replace_the_default_ones(action: str, goal: Goal) -> None:
    node = alone(f"t_web: if (tcp.web == down) then {action}();")
    node.happen(ResourceChanged("tcp.web", "down"))
    node.happen(Ticked(), after_ms=3_000)
    assert (node.state(), node.engine.context.goal) == (State.LEAVING, goal)


def test_swap_by_a_rule_needs_a_secondary() -> None:
    node = alone()
    node.happen(ResourceChanged("custom.load", "down"))
    node.happen(Ticked(), after_ms=12_000)
    assert node.state() is State.ALONE
    assert not node.engine.context.loops_ms

    both = node_with(BOTH)
    both.happen(resumed(State.PRIM, "prim"))
    both.happen(peer(State.SECOND))
    both.happen(ResourceChanged("custom.load", "down"))
    for _ in range(8):
        both.happen(peer(State.SECOND), after_ms=400)
    assert both.state() is State.LEAVING
    assert "Action swap from failover rule c_load" in lines(both)


def test_rules_look_at_the_other_node() -> None:
    node = node_with(BOTH, "far: if (remote.tcp.? == down && cluster() == up) then restart();")
    node.happen(resumed(State.SECOND, "second"))
    for _ in range(8):
        word = Word(State.PRIM, BOTH, SESSION, resources=(("tcp.web", "down"),))
        node.happen(PeerHeard(word), after_ms=400)
    assert "Action restart from failover rule far" in lines(node)
    assert not node.said().resources or node.said().resources[0][0] == "tcp.web"


def test_the_word_carries_what_the_rules_of_the_other_node_look_at() -> None:
    node = alone("far: if (remote.tcp.web == down) then wait();")
    node.happen(ResourceChanged("tcp.web", "up"))
    node.happen(ResourceChanged("tcp.other", "up"))
    assert node.said().resources == (("tcp.web", "up"),)
    assert alone().said().resources == ()


def test_checkers_run_in_their_states_and_what_they_found_ages_with_them() -> None:
    node = node_with(replace(BOTH, was_primary=False))
    node.happen(resumed(State.SECOND, "second"))
    assert classes(node) == ("pre", "second", "both")
    node.happen(ResourceChanged("custom.dead", "up"))
    assert node.engine.context.resources["custom.dead"] == "up"
    node.happen(CommandAsked("stop"))
    assert classes(node) == ("pre",)
    assert node.engine.context.resources["custom.dead"] == "init"
    node.finish()
    node.finish()
    assert node.state() is State.STOP
    assert classes(node) == ()


def test_checkers_that_are_switched_off_ask_for_nothing() -> None:
    node = alone()
    node.happen(SwitchSet("checker", on=False))
    node.happen(ResourceChanged("tcp.web", "down"))
    node.happen(Ticked(), after_ms=5_000)
    assert "Action restart from failover rule t_web" not in lines(node)
    assert classes(node) == ()
    assert SetResource("usersetting.checker", "off") in node.all


def test_a_second_whose_interface_is_down_does_not_take_over() -> None:
    node = node_with(replace(BOTH, was_primary=False))
    node.happen(resumed(State.SECOND, "second"))
    node.happen(peer(State.PRIM))
    node.happen(ResourceChanged("intf.net1", "down"))
    node.happen(Ticked(), after_ms=1_300)
    assert node.state() is State.LEAVING
    assert "Action stopstart from failover rule interface_failure" in lines(node)


def test_nothing_is_looked_at_before_it_is_time() -> None:
    looks: list[int] = []
    memory = Judging()

    def facts(now_ms: int) -> RuleFacts:
        looks.append(now_ms)
        return RuleFacts(local={}, remote={}, cluster="up")

    for now_ms in range(0, 1_001, 50):
        judge(memory, RuleSettings(period_ms=500), facts, now_ms)
    assert looks == [0, 500, 1_000]

"""A light module: its own table is complete, and an application goes through all of it."""

from collections import Counter
from itertools import product

from mirror.core.automaton import Outcome
from mirror.core.light import LIGHT_STATES, ROWS
from mirror.core.rules import RuleSettings, WatchedResource, default_rules
from mirror.vocabulary.actions import Log, Plan, RunBackground, RunScripts, Say, WatchProcesses
from mirror.vocabulary.events import (
    CommandAsked,
    EventKind,
    PlanFailed,
    ResourceChanged,
    Resumed,
    Ticked,
)
from mirror.vocabulary.record import Record
from mirror.vocabulary.states import SHOWN, Goal, Readiness, ScreenWord, State
from tests.unit.core.test_engine import Node

CHECKERS = (
    WatchedResource("intf.net1", "pre", "wait"),
    WatchedResource("tcp.web", "prim", "restart"),
)


def light(*, checked: bool = False) -> Node:
    watched = CHECKERS if checked else ()
    rules = RuleSettings(default_rules(watched), 500, 1_500, frozenset({"intf.net1"}))
    return Node(Record(), light=True, rules=rules, checkers=watched)


def up() -> Node:
    node = light()
    node.happen(CommandAsked("start"))
    node.finish()
    node.finish()
    assert node.state() is State.UP
    return node


def scripts_of(node: Node) -> list[str]:
    return [
        call.name + (" force" if call.forced else "")
        for action in node.plan().actions
        if isinstance(action, RunScripts)
        for call in action.scripts
    ]


def test_each_pair_is_decided_once_and_says_why() -> None:
    decided = Counter((row.state, event) for row in ROWS for event in row.events)
    assert decided == Counter(product(LIGHT_STATES, EventKind))
    assert max(Counter(row.row_id for row in ROWS).values()) == 1
    assert all(row.why for row in ROWS)
    reached = {row.then for row in ROWS if isinstance(row.then, State)}
    assert reached == set(LIGHT_STATES)


def test_a_stop_is_never_refused_and_force_never_deferred() -> None:
    stops = {EventKind.STOP_ASKED, EventKind.FORCESTOP_ASKED, EventKind.STOPSTART_ASKED}
    assert not [row for row in ROWS if row.then is Outcome.REFUSE and stops & {*row.events}]
    deferred = {kind for row in ROWS if row.then is Outcome.DEFER for kind in row.events}
    assert EventKind.FORCESTOP_ASKED not in deferred


def test_it_starts_runs_and_stops_with_the_scripts_of_a_light_module() -> None:
    node = light()
    node.happen(CommandAsked("start"))
    assert scripts_of(node) == ["transition", "prestart"]
    node.finish()
    assert node.state() is State.GOING_UP
    assert SHOWN[node.state()] == (ScreenWord.UP, Readiness.TRANSIENT)
    assert scripts_of(node) == ["transition", "start_both", "start_prim", "start_sec"]
    node.finish()
    assert SHOWN[node.state()] == (ScreenWord.UP, Readiness.READY)
    assert WatchProcesses(("prim", "both", "sec")) in node.all
    node.happen(CommandAsked("stop"))
    assert scripts_of(node)[:3] == ["stop_sec", "stop_prim", "stop_both"]
    node.finish()
    node.finish()
    assert node.state() is State.STOP
    assert not [action for action in node.all if isinstance(action, Say)]
    plans = [action for action in node.all if isinstance(action, Plan)]
    done = {type(action).__name__ for plan in plans for action in plan.actions}
    assert done == {"RunScripts", "KillApplication"}


def test_its_checkers_restart_it_and_keep_it_waiting() -> None:
    node = light(checked=True)
    node.happen(CommandAsked("start"))
    node.finish()
    node.happen(Ticked(), after_ms=2_000)
    assert node.state() is State.WAIT
    node.happen(ResourceChanged("intf.net1", "up"))
    node.finish()
    assert node.state() is State.UP
    node.happen(ResourceChanged("tcp.web", "down"))
    node.happen(Ticked(), after_ms=2_500)
    restarted = [action for action in node.all if isinstance(action, RunBackground)]
    assert restarted[-1].scripts[0].name == "stop_sec"
    assert node.state() is State.UP


def test_commands_of_a_pair_are_refused() -> None:
    node = up()
    for verb in ("prim", "second", "swap", "primforce"):
        node.happen(CommandAsked(verb, command_id=1))
        assert "light module" in node.refusal()
    assert node.state() is State.UP


def test_a_start_that_fails_is_tried_again_and_counted() -> None:
    node = light()
    node.happen(CommandAsked("start"))
    for _ in range(4):
        node.finish()
        assert node.state() is State.GOING_UP
        node.happen(PlanFailed(node.plan().plan_id, "RunScripts", "no"))
        assert node.state() is State.LEAVING
        node.finish()
        node.finish()
    assert node.state() is State.STOP
    texts = [action.text for action in node.all if isinstance(action, Log)]
    assert texts.count("Action stop called by maxloop") == 1


def test_a_control_plane_that_returns_goes_on() -> None:
    node = light()
    node.happen(Resumed(State.UP, Goal.START, "", "", "", "", 100))
    assert node.state() is State.UP
    broken = light()
    broken.happen(Resumed(State.GOING_UP, Goal.START, "", "", "", "", 100))
    assert broken.state() is State.LEAVING
    broken.finish()
    broken.finish()
    assert broken.state() is State.STARTING

"""What-if: two nodes are put where they stand, and what would happen is told row by row."""

from dataclasses import replace
from typing import Any

import pytest

from mirror.core.rules import RuleSettings, WatchedResource, default_rules
from mirror.core.settings import Settings
from mirror.core.whatif.events import KINDS
from mirror.core.whatif.place import Standing, place
from mirror.core.whatif.story import tell
from mirror.errors import WhatIfRefused
from mirror.vocabulary.facts import WitnessKind
from mirror.vocabulary.record import Record
from mirror.vocabulary.states import State
from mirror.vocabulary.words import Word
from tests.unit.core.test_engine import BOTH, SESSION

N1 = replace(BOTH, may_serve=frozenset({"n1", "n2"}))
N2 = replace(N1, was_primary=False)
PAIR = {
    "n1": Standing(Word(State.PRIM, N1, SESSION)),
    "n2": Standing(Word(State.SECOND, N2, SESSION)),
}


def story(*events: str, standing: dict[str, Standing] | None = None, **changed: Any) -> Any:
    mine = Settings("n1", "n2", 1_000, **changed)
    settings = {"n1": mine, "n2": mine.seen_from_peer()}
    return tell(place(settings, standing or PAIR), events)


def states(nodes: Any) -> tuple[str, ...]:
    return tuple(f"{one['state']} {one['ready']}" for one in nodes.values())


def rows(told: Any) -> set[str]:
    return {
        row["row"] for event in told["events"] for step in event["steps"] for row in step["rows"]
    }


@pytest.mark.parametrize(
    ("standing", "shown"),
    [
        ((State.PRIM, State.SECOND), ("PRIM Ready", "SECOND Ready")),
        ((State.STOP, State.STOP), ("STOP NotReady", "STOP NotReady")),
        ((State.CLOSING, State.STOP), ("STOP NotReady", "STOP NotReady")),
    ],
)
def test_nodes_are_put_where_they_stand(
    standing: tuple[State, State], shown: tuple[str, str]
) -> None:
    words = (Word(standing[0], N1, SESSION), Word(standing[1], N2, SESSION))
    told = story(standing={"n1": Standing(words[0]), "n2": Standing(words[1])})
    assert states(told["before"]) == shown


def test_alone_and_a_node_that_is_not_heard() -> None:
    record = replace(N1, may_serve=frozenset({"n1"}), lived_on=True)
    told = story(standing={"n1": Standing(Word(State.ALONE, record)), "n2": Standing(None)})
    assert states(told["before"]) == ("ALONE Ready", "UNKNOWN Unknown")


def test_a_lost_host_is_taken_over_and_joins_again() -> None:
    told = story("lost n1", "back n1")
    assert states(told["after"]) == ("SECOND Ready", "PRIM Ready")
    assert {"C01", "P06", "E04", "U01", "L01", "K01", "W04", "A04", "R01", "J03"} <= rows(told)
    assert all(event["rests"] and not event["warnings"] for event in told["events"])
    whys = [row["why"] for step in told["events"][0]["steps"] for row in step["rows"]]
    assert all(whys)


def test_a_partition_without_a_witness_is_warned_of_and_with_one_it_is_not() -> None:
    told = story("cut", "heal")
    assert any("start_prim on n2" in one for one in told["events"][0]["warnings"])
    assert "G23" in rows(told)
    assert states(told["after"]) == ("PRIM Ready", "SECOND Ready")
    decided = story("cut", witness=WitnessKind.ETCD)
    assert sorted(states(decided["after"])) == ["ALONE Ready", "WAIT NotReady"]
    assert not decided["events"][0]["warnings"]


def test_the_witness_that_vanished_lets_nobody_go_on() -> None:
    told = story("witness-lost", "lost n1", witness=WitnessKind.ETCD)
    assert states(told["after"])[1] == "SECOND Transient"


def test_commands_are_answered_as_the_node_would() -> None:
    told = story("ask n2 prim", "ask n1 swap")
    said = [line for step in told["events"][0]["steps"] for line in step["says"]]
    assert "refused: the other node is primary: use `swap`" in said
    refusals = [event["refusal"] for event in told["events"]]
    assert refusals == ["the other node is primary: use `swap`", ""]
    assert states(told["after"]) == ("SECOND Ready", "PRIM Ready")


@pytest.mark.parametrize(
    ("event", "interrupts"),
    [
        ("ask n1 restart", True),
        ("ask n2 restart", False),
        ("ask n1 stop", True),
        ("ask n2 stop", False),
        ("ask n1 forcestop", True),
        ("ask n2 prim", False),
    ],
)
def test_whether_the_service_is_interrupted(event: str, interrupts: bool) -> None:
    assert story(event)["events"][0]["interrupts"] is interrupts


def test_a_checker_that_goes_down_is_judged_by_the_rules() -> None:
    watched = (WatchedResource("tcp.web", "prim", "swap"),)
    rules = RuleSettings(default_rules(watched), 500, 1_000)
    standing = {name: replace(one, resources={"tcp.web": "up"}) for name, one in PAIR.items()}
    told = story("down n1 tcp.web", standing=standing, rules=rules, checkers=watched)
    said = [line for step in told["events"][0]["steps"] for line in step["says"]]
    assert "Action swap from failover rule t_web" in said
    assert states(told["after"])[1] in {"PRIM Ready", "ALONE Ready"}


@pytest.mark.parametrize(
    ("event", "word"),
    [
        ("", "no such event"),
        ("explode n1", "known: ask"),
        ("lost n9", "n1, n2"),
        ("down n1", "RESOURCE"),
        ("down n1 web", "classes"),
        ("back n1", "runs already"),
        ("ask n1", "COMMAND"),
    ],
)
def test_what_is_no_event_is_refused(event: str, word: str) -> None:
    with pytest.raises(WhatIfRefused, match=word):
        story(event)


def test_nothing_can_be_asked_of_a_host_without_power() -> None:
    with pytest.raises(WhatIfRefused, match="without power"):
        story("lost n1", "ask n1 start")


@pytest.mark.parametrize("name", sorted(KINDS))
def test_every_event_comes_to_rest(name: str) -> None:
    form = KINDS[name].form.replace("NODE", "n1").replace("RESOURCE", "tcp.web")
    event = form.replace("COMMAND ...", "stopstart")
    before = ["lost n1"] if name == "back" else []
    told = story(*before, event, "heal")
    assert all(one["rests"] for one in told["events"])


def test_a_light_module_has_a_story_too() -> None:
    mine = Settings("n1", "", 5_000, light=True)
    world = place({"n1": mine}, {"n1": Standing(Word(State.UP, Record()))})
    told = tell(world, ("ask n1 restart", "ask n1 stop"))
    assert states(told["before"]) == ("UP Ready",)
    assert states(told["after"]) == ("STOP NotReady",)

"""What a command would do: the decision code's own story, in words, before it is given."""

import re
import typing
from pathlib import Path

import pytest

from mirror.adapters.console.roles import Role
from mirror.core.whatif.place import Standing
from mirror.errors import ModuleUnknown
from mirror.vocabulary import actions
from mirror.vocabulary.record import Record
from mirror.vocabulary.states import State
from mirror.vocabulary.words import Word
from mirror.web.what_if import ACTS
from tests.unit.core.test_what_if import N1, story

from .conftest import Pair
from .world import Browser

PATH = "/api/v1/modules/web/whatif"
DICTIONARIES = Path(__file__).resolve().parents[3] / "webconsole" / "src" / "i18n"
STOPPED = {
    "n1": Standing(Word(State.STOP, N1)),
    "n2": Standing(Word(State.STOP, Record())),
}


@pytest.fixture
def asks(pair: Pair) -> Browser:
    return pair.n1.browser(Role.CONTROL)


def test_a_swap_step_by_step(pair: Pair, asks: Browser) -> None:
    pair.plane1.answers["simulate"] = story("ask n1 swap nosync")
    answer = asks.post(PATH, verb="swap", arguments={"nosync": True})
    assert answer.status_code == 200, answer.text
    found = answer.json()
    first, serves = found["steps"][0], found["steps"][-3:]
    assert (first["node"], first["state"], first["moved"]) == ("n1", "WAIT", True)
    assert "P04" in {row["row"] for row in first["rows"]}
    assert all(row["why"] for step in found["steps"] for row in step["rows"])
    assert first["does"][0]["scripts"][0] == "stop_prim"
    assert "runs stop_prim" in first["text"]
    assert any("start_prim" in act["scripts"] for one in found["steps"] for act in one["does"])
    assert {one["state"] for one in serves} == {"PRIM", "SECOND", "ALONE"}
    stands = {one["node"]: (one["state_before"], one["state"]) for one in found["nodes"]}
    assert stands == {"n1": ("PRIM", "SECOND"), "n2": ("SECOND", "PRIM")}
    assert (found["interrupts"], found["discards"], found["rests"]) == (True, False, True)
    asked = [one for one in _asked(pair) if one["do"] == "simulate"]
    assert asked[-1]["events"] == ["ask n1 swap nosync"]
    assert not [one for one in asked if one["do"] == "command"], "nothing is done"


@pytest.mark.parametrize(
    ("verb", "node", "interrupts"),
    [
        ("stop", "n2", False),
        ("stop", "n1", True),
        ("restart", "n1", True),
        ("restart", "n2", False),
        ("forcestop", "n1", True),
    ],
)
def test_what_interrupts_is_decided_by_who_serves(
    pair: Pair, asks: Browser, verb: str, node: str, interrupts: bool
) -> None:
    pair.plane1.answers["simulate"] = story(f"ask {node} {verb}")
    found = asks.post(PATH, verb=verb, nodes=[node]).json()
    assert found["interrupts"] is interrupts
    assert not found["discards"]


def test_both_nodes_one_after_the_other(pair: Pair, asks: Browser) -> None:
    pair.plane1.answers["simulate"] = story("ask n2 stop", "ask n1 stop")
    found = asks.post(PATH, verb="stop", nodes=["n2", "n1"]).json()
    assert {one["state"] for one in found["nodes"]} == {"STOP"}
    assert found["interrupts"]
    assert _asked(pair)[-1]["events"] == ["ask n2 stop", "ask n1 stop"]


def test_the_force_can_discard(pair: Pair, asks: Browser) -> None:
    pair.plane1.answers["simulate"] = story("ask n1 primforce", standing=STOPPED)
    found = asks.post(PATH, verb="primforce").json()
    assert found["discards"]
    assert not found["interrupts"]


def test_what_the_node_would_refuse_is_refused_with_its_sentence(
    pair: Pair, asks: Browser
) -> None:
    pair.plane1.answers["simulate"] = story("ask n2 prim")
    answer = asks.post(PATH, verb="prim", nodes=["n2"])
    assert (answer.status_code, answer.json()["code"]) == (409, "MIR-601")
    assert answer.headers["content-type"] == "application/problem+json"
    assert "the other node is primary: use `swap`" in answer.json()["detail"]


def test_what_cannot_be_told(pair: Pair, asks: Browser) -> None:
    pair.plane1.answers["simulate"] = ModuleUnknown(module="web", observed="not running")
    assert asks.post(PATH, verb="stop").json()["code"] == "MIR-102"
    for wrong in (
        {"verb": "errd"},
        {"verb": "stop", "arguments": {"nosync": True}},
        {"verb": "stop", "nodes": ["n3"]},
    ):
        assert asks.send("POST", PATH, wrong).status_code == 422


def test_the_role_of_the_commands(pair: Pair) -> None:
    answer = pair.n1.browser(Role.MONITOR).post(PATH, verb="stop")
    assert (answer.status_code, answer.json()["code"]) == (403, "MIR-802")


def test_everything_that_a_plan_may_hold_has_words_also_on_the_page() -> None:
    plain = {one.__name__ for one in typing.get_args(actions.PlanAction)}
    assert plain - set(ACTS) == {"RunScripts", "CallData"}, "these two are told by what they call"
    names = {what for what, _ in ACTS.values()} | {"scripts"}
    for language in ("en", "fr"):
        text = (DICTIONARIES / f"{language}.ts").read_text(encoding="utf-8")
        assert set(re.findall(r'"act\.(\w+)":', text)) == names


def _asked(pair: Pair) -> list[dict[str, object]]:
    queue = pair.plane1.asked
    return [queue.get_nowait() for _ in range(queue.qsize())]

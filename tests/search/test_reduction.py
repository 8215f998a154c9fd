"""What the search leaves out is nothing: keys say enough, marks cover what they say they do."""

import re
from collections.abc import Callable
from dataclasses import fields, replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from mirror.core.context import Context
from mirror.core.whatif.values import Disk, Node, Plane
from mirror.vocabulary.facts import WitnessKind
from mirror.vocabulary.record import Record
from mirror.vocabulary.words import Offer, Word
from tests.search import explore as explore_module
from tests.search.explore import STEP_MS, Bound, explore, paired_world
from tests.search.marks import Mark, mark_of
from tests.search.small import SmallWorld
from tests.search.steps import steps_of

ONE_CRASH = Bound(cuts=0, freezes=0, prims=0, faults=1)
BOTH = frozenset({"n1", "n2"})
HERE = Path(__file__).parent
# Nothing in the small world reads these: key.py says why.
UNREAD = {
    Context: {
        *("settings", "seed", "incarnation", "record", "fresh_count"),
        *("reason", "row", "refusal", "parted", "failure", "left_why", "progress", "shown_remote"),
        *("checkpoint", "drained_equal", "sync_generation", "split_seen", "offer_backoff_ms"),
        *("swap_due", "swap_seen", "peer_began", "wants_back", "restart_extra", "deferred"),
        *("loops_ms", "loops_shown", "trusts_before_s", "resources", "judging", "switches"),
        "held",
        "awoke_in",  # by `is_unsure`
        *("plan_count", "fence", "fence_again_ms", "fence_due_ms", "sync_due", "synced_ms"),
    },
    Word: {"trusts_before_s", "incarnation", "refusal", "resources"},
    Offer: {"row"},
    Record: set(),
    Plane: set(),
    Disk: set(),
    Node: {"word", "heard", "heard_at"},
}


@pytest.mark.parametrize("kind", UNREAD, ids=lambda one: one.__name__)
def test_each_field_is_in_the_key_or_known_to_be_unread(kind: Any) -> None:
    text = "".join((HERE / name).read_text() for name in ("key.py", "small.py", "marks.py"))
    named = {one.name for one in fields(kind) if re.search(rf'[."]{one.name}\b', text)}
    assert {one.name for one in fields(kind)} - named <= UNREAD[kind]


def test_a_key_knows_no_identity_and_no_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    before = paired_world(ONE_CRASH)
    later = partial(SmallWorld, seeds=40, now_ms=7 * STEP_MS)
    monkeypatch.setattr(explore_module, "SmallWorld", later)
    after = paired_world(ONE_CRASH)
    assert after.nodes["n1"].disk.record != before.nodes["n1"].disk.record
    assert after.key(None) == before.key(None)
    assert mark_of(after) == mark_of(before)


def context_of(world: SmallWorld) -> Context:
    engine = world.nodes["n1"].engine
    assert engine is not None
    return engine.context


def _told_later(steps: int) -> Callable[[SmallWorld], None]:
    def change(world: SmallWorld) -> None:
        context = context_of(world)
        context.witness_behind, context.witness_again_ms = True, world.now_ms + steps * STEP_MS

    return change


def _plan(number: int) -> Callable[[SmallWorld], None]:
    def change(world: SmallWorld) -> None:
        world.nodes["n1"].plan, context_of(world).plan_id = 5, number

    return change


def _witness_names(generation: str) -> Callable[[SmallWorld], None]:
    def change(world: SmallWorld) -> None:
        node = world.nodes["n1"]
        node.disk = replace(node.disk, record=replace(node.disk.record, history=("a" * 32,)))
        world.witness = (generation, BOTH)

    return change


@pytest.mark.parametrize(
    "changes",
    [
        [_told_later(0), _told_later(1), _told_later(2)],
        [_plan(0), _plan(5), _plan(6)],
        [_witness_names("a" * 32), _witness_names("b" * 32)],
    ],
    ids=["timer", "plan given up", "ancestor"],
)
def test_a_key_tells_apart_what_goes_on_otherwise(
    changes: list[Callable[[SmallWorld], None]],
) -> None:
    keys = set()
    for change in changes:
        world = paired_world(ONE_CRASH)
        change(world)
        keys.add(world.key(None))
    assert len(keys) == len(changes)


@pytest.mark.parametrize("half", [False, True], ids=["whole", "half"])
def test_a_write_changes_no_key_and_only_adds_to_what_is_judged(*, half: bool) -> None:
    world = first = paired_world(replace(ONE_CRASH, witness=False))
    assert world.settings["n1"].witness is WitnessKind.NONE
    first.write("n1", half=True)
    world = first.copy()
    world.write("n1", half=half)
    assert world.key(first) == first.key(None)
    assert mark_of(world).covers(mark_of(first))


def test_what_is_covered_leads_to_no_other_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """The walk in which no mark covers another takes each of its states for itself."""
    keys: set[int] = set()
    key_of = SmallWorld.key

    def noted(world: SmallWorld, before: SmallWorld | None) -> int:
        keys.add(found := key_of(world, before))
        return found

    monkeypatch.setattr(SmallWorld, "key", noted)
    bound = Bound(crashes=0, cuts=0, freezes=0, paired=False)
    covering = explore(bound)
    reached, keys = keys, set()
    monkeypatch.setattr(Mark, "covers", Mark.__eq__)
    every = explore(bound)
    assert every.states > covering.states
    assert keys == reached


def test_a_fault_more_is_not_forgotten_where_a_key_was_met_with_one_less() -> None:
    world = paired_world(ONE_CRASH)
    more, less = mark_of(world), replace(mark_of(world), budget=(0, 0, 0, 0, 0))
    assert more.covers(less)
    assert not less.covers(more)
    assert "crash n1" in dict(steps_of(world))

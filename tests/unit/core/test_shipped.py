"""A copy carried by hand: what its records make of the table of generations."""

from dataclasses import replace

import pytest

from mirror.core import generations, shipped
from mirror.core.generations import How, Side
from mirror.vocabulary.facts import Which
from mirror.vocabulary.record import HISTORY_MAX, Record, record_from_map, record_to_map

HELD = Record(
    current="c" * 32,
    base="b" * 32,
    history=("b" * 32,),
    term=3,
    may_serve=frozenset({"n1"}),
    lived_on=True,
)
UID = shipped.generation_of("module", "disk 7")


def judged(mine: Record, peer: Record) -> generations.Row:
    one = Side("n1", mine, serves=True, damaged=False, clean=False, wants_full=False)
    other = Side("n2", peer, serves=False, damaged=False, clean=False, wants_full=False)
    return generations.judge(generations.compare(one, other))


def test_the_copy_joins_by_a_full_comparison_from_the_node_it_came_from() -> None:
    marked = shipped.shipped(HELD, UID)
    copy = shipped.restored(Record(), UID, "n1")
    row = judged(marked, copy)
    assert (row.source, row.how, row.split) == (Which.ME, How.FULL, False)
    assert record_from_map(record_to_map(copy)) == copy
    went_on = replace(marked, current="d" * 32, history=(marked.current, *marked.history))
    assert judged(went_on, copy).how is How.FULL  # a mark lives through later generations


def test_a_copy_under_another_name_is_refused() -> None:
    other = shipped.restored(Record(), shipped.generation_of("module", "disk 8"), "n1")
    assert judged(shipped.shipped(HELD, UID), other).how is How.REFUSED
    assert judged(HELD, shipped.restored(Record(), UID, "n1")).how is How.REFUSED
    assert shipped.generation_of("other", "disk 7") != UID


def test_what_is_forgotten_is_as_before() -> None:
    assert shipped.forgotten(shipped.shipped(HELD, UID), UID) == HELD
    assert shipped.forgotten(shipped.restored(HELD, UID, "n1"), UID).blank
    assert shipped.forgotten(HELD, UID) == HELD


def test_marks_do_not_grow_without_bound_and_are_there_once() -> None:
    record = HELD
    for number in range(HISTORY_MAX + 5):
        record = shipped.shipped(record, shipped.generation_of("module", str(number)))
    again = shipped.shipped(record, record.history[3])
    assert len(again.history) == len(set(again.history)) == HISTORY_MAX


def test_full_makes_the_next_joining_compare_everything() -> None:
    peer = Record(current=HELD.base, may_serve=frozenset({"n1"}))
    assert judged(HELD, peer).how is How.PARTIAL
    row = judged(shipped.uncertain(HELD, serves=True), peer)
    assert (row.source, row.how) == (Which.ME, How.FULL)
    row = judged(HELD, shipped.uncertain(peer, serves=False))
    assert (row.source, row.how) == (Which.ME, How.FULL)


@pytest.mark.parametrize(
    ("record", "verb", "stopped", "refused"),
    [
        (HELD, "prim", False, False),
        (HELD, "prim", True, False),
        (Record(), "prim", True, True),
        (replace(HELD, inconsistent=True), "prim", True, True),
        (replace(HELD, target_of="n2"), "prim", True, True),
        (Record(), "second", True, False),
        (Record(), "second", False, True),
        (HELD, "second", True, True),  # the only copy of what was acknowledged
        (replace(HELD, may_serve=frozenset({"n1", "n2"})), "second", True, False),
        (HELD, "full", True, True),
        (HELD, "full", False, False),
        (HELD, "forget", True, False),
    ],
)
def test_what_would_lose_data_is_refused(
    record: Record, verb: str, stopped: bool, refused: bool
) -> None:
    assert bool(shipped.refusal(record, verb, "n1", stopped=stopped)) == refused

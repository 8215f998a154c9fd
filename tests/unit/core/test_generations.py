"""The generations table decides every vector once, the same from both sides."""

from dataclasses import replace
from itertools import product

import pytest

from mirror.core import lineage
from mirror.core.generations import ROWS, How, Side, compare, judge, relate
from mirror.vocabulary.facts import GenerationFacts, Relation, Which
from mirror.vocabulary.record import HISTORY_MAX, Record, record_from_map, record_to_map

SWAPPED = {
    Which.ME: Which.PEER,
    Which.PEER: Which.ME,
    Which.BOTH: Which.BOTH,
    Which.NEITHER: Which.NEITHER,
    Relation.I_AM_BLANK: Relation.PEER_IS_BLANK,
    Relation.I_AM_PEER_BASE: Relation.PEER_IS_MY_BASE,
    Relation.I_AM_IN_PEER_HISTORY: Relation.PEER_IS_IN_MY_HISTORY,
}
SWAPPED |= {there: here for here, there in SWAPPED.items()}


def swap_relation(relation: Relation) -> Relation:
    swapped = SWAPPED.get(relation, relation)
    assert isinstance(swapped, Relation)
    return swapped


def swap_which(which: Which) -> Which:
    swapped = SWAPPED[which]
    assert isinstance(swapped, Which)
    return swapped


VECTORS = [
    GenerationFacts(*values)
    for values in product(Relation, Which, Which, Which, (False, True), (Which.ME, Which.PEER))
]


def test_each_vector_of_facts_meets_one_row() -> None:
    for facts in VECTORS:
        assert sum(row.matches(facts) for row in ROWS) == 1, facts


def test_each_row_is_met_by_some_vector() -> None:
    assert {judge(facts).row_id for facts in VECTORS} == {row.row_id for row in ROWS}


def test_both_sides_come_to_the_same_answer() -> None:
    for facts in VECTORS:
        other = GenerationFacts(
            relation=swap_relation(facts.relation),
            asked_full=swap_which(facts.asked_full),
            damaged=swap_which(facts.damaged),
            lived_on=swap_which(facts.lived_on),
            in_step=facts.in_step,
            lead=swap_which(facts.lead),
        )
        here, there = judge(facts), judge(other)
        assert there.source is swap_which(here.source), facts
        assert (there.how, there.aside, there.split) == (here.how, here.aside, here.split), facts


def test_a_damaged_copy_is_never_a_source_unless_asked() -> None:
    for facts in VECTORS:
        row = judge(facts)
        if facts.asked_full is Which.NEITHER and row.source is not Which.NEITHER:
            assert facts.damaged not in {row.source, Which.BOTH}, facts


def test_what_lived_on_and_loses_is_kept_aside() -> None:
    # Invariant 7: what may be an acknowledged change is never discarded silently.
    for facts in VECTORS:
        row = judge(facts)
        if row.how in {How.PARTIAL, How.FULL}:
            loser = swap_which(row.source)
            if facts.lived_on in {loser, Which.BOTH}:
                same_and_led = facts.relation is Relation.SAME_CURRENT
                assert row.aside or same_and_led, facts


G1, G2, G3 = ("1" * 32, "2" * 32, "3" * 32)
SHARED = Record(current=G1, term=4, may_serve=frozenset({"a", "b"}))


def side(node: str, record: Record, *, serves: bool = False, damaged: bool = False) -> Side:
    return Side(node, record, serves, damaged, clean=False, wants_full=False)


def test_the_survivor_is_the_source_and_its_index_counts_from_the_shared_generation() -> None:
    survivor = lineage.alone(SHARED, "b", G2, forced=False, covered=True)
    assert (survivor.current, survivor.base, survivor.history) == (G2, G1, (G1,))
    row = judge(compare(side("b", survivor, serves=True), side("a", SHARED)))
    assert (row.row_id, row.source, row.how) == ("G21", Which.ME, How.PARTIAL)


def test_a_second_change_alone_mints_nothing() -> None:
    once = lineage.alone(SHARED, "b", G2, forced=False, covered=True)
    twice = lineage.alone(once, "b", G3, forced=False, covered=True)
    assert (twice.current, twice.base, twice.term) == (G2, G1, once.term + 1)


def test_split_brain_keeps_the_former_primary() -> None:
    former = lineage.alone(replace(SHARED, was_primary=True), "b", G2, forced=False, covered=True)
    other = lineage.alone(SHARED, "a", G3, forced=False, covered=True)
    row = judge(compare(side("b", former, serves=True), side("a", other, serves=True)))
    assert (row.row_id, row.source, row.split, row.aside) == ("G23", Which.ME, True, True)


def test_a_split_does_not_move_a_service_that_runs() -> None:
    former = lineage.alone(replace(SHARED, was_primary=True), "b", G2, forced=False, covered=True)
    other = lineage.alone(SHARED, "a", G3, forced=False, covered=True)
    row = judge(compare(side("b", former), side("a", other, serves=True)))
    assert (row.row_id, row.source) == ("G24", Which.PEER)


def test_after_both_fell_the_former_primary_leads() -> None:
    row = judge(compare(side("b", replace(SHARED, was_primary=True)), side("a", SHARED)))
    assert (row.row_id, row.source, row.how) == ("G17", Which.ME, How.FULL)


def test_who_gave_up_does_not_lead() -> None:
    gone = lineage.out(replace(SHARED, was_primary=True), "a", "f" * 32)
    row = judge(compare(side("b", gone), side("a", SHARED)))
    assert row.source is Which.PEER


def test_a_restored_disk_is_a_target_of_a_full_comparison() -> None:
    row = judge(compare(side("a", SHARED, damaged=True), side("b", SHARED)))
    assert (row.row_id, row.source, row.how) == ("G11", Which.PEER, How.FULL)


def test_a_mixture_that_is_forced_is_compared_in_full() -> None:
    mixture = lineage.target(SHARED, "b", full=False)
    forced = lineage.alone(mixture, "a", G3, forced=True, covered=False)
    source = lineage.alone(SHARED, "b", G2, forced=False, covered=True)
    row = judge(compare(side("a", forced, serves=True), side("b", source)))
    assert (row.row_id, row.source, row.how, row.aside) == ("G29", Which.ME, How.FULL, True)
    assert forced.forced


def test_a_node_whose_recent_set_was_lost_has_no_index_to_count_on() -> None:
    # Both fell: the one that serves again compares in full, and keeps the other's versions.
    again = lineage.alone(SHARED, "b", G2, forced=False, covered=False)
    row = judge(compare(side("b", again, serves=True), side("a", SHARED)))
    assert (row.row_id, row.source, row.how, row.aside) == ("G27", Which.ME, How.FULL, True)


def test_after_reintegration_both_say_the_same() -> None:
    source = lineage.alone(replace(SHARED, was_primary=True), "b", G2, forced=False, covered=True)
    target = lineage.synchronised(SHARED, source, G2, "a", "b")
    paired = lineage.paired(source, "b", "a")
    assert (target.current, target.may_serve) == (paired.current, paired.may_serve)
    assert relate(target, paired) is Relation.SAME_CURRENT
    assert not paired.base
    assert not target.was_primary


def test_history_is_bounded() -> None:
    record = SHARED
    for number in range(HISTORY_MAX + 5):
        fresh = f"{number:032x}"
        record = lineage.paired(
            lineage.alone(record, "a", fresh, forced=False, covered=True), "a", "b"
        )
    assert len(record.history) == HISTORY_MAX


def test_a_record_survives_its_map() -> None:
    record = replace(SHARED, history=(G2, G3), roots=(("/srv", G1),), out_of=G2, was_primary=True)
    assert record_from_map(record_to_map(record)) == record


@pytest.mark.parametrize(
    "values",
    [
        {"current": 3},
        {"term": -1},
        {"term": True},
        {"may_serve": [1]},
        {"roots": [["/a"]]},
        {"history": "abc"},
    ],
)
def test_a_foreign_record_is_checked(values: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="record field"):
        record_from_map(values)

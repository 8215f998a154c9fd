"""A rule that is broken on purpose is found: each of the provers has some that it must find."""

from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from mirror.core import automaton, election, generations
from mirror.core.automaton import Step
from mirror.vocabulary.facts import ElectionFacts, ProofFacts
from mirror.vocabulary.states import State
from tests.provers.mutations import MUTATIONS, SEARCH, SIMULATOR, STORIES, TABLES, Mutation
from tests.search.explore import explore
from tests.simulation.run import run_seed
from tests.simulation.transcript import retell
from tests.unit.core import test_automaton, test_election, test_generations

TRANSCRIPTS = sorted((Path(__file__).parents[1] / "transcripts").glob("*.txt"))


def found_by(prover: str) -> list[Mutation]:
    return [one for one in MUTATIONS if prover in one.provers]


@pytest.mark.parametrize("mutation", found_by(SIMULATOR), ids=lambda one: one.name)
def test_the_simulator_finds_it(mutation: Mutation) -> None:
    with mutation.broken():
        assert any(run_seed(seed).broken for seed in mutation.seeds)


@pytest.mark.parametrize("mutation", found_by(SEARCH), ids=lambda one: one.name)
def test_the_search_finds_it(mutation: Mutation) -> None:
    with mutation.broken():
        assert any(explore(bound).broken for bound in mutation.bounds)


@pytest.mark.parametrize("mutation", found_by(TABLES), ids=lambda one: one.name)
def test_the_tables_own_tests_find_it(mutation: Mutation) -> None:
    assert not alone_without_a_record()
    with mutation.broken():
        assert alone_without_a_record()


@pytest.mark.parametrize("mutation", found_by(STORIES), ids=lambda one: one.name)
def test_the_transcripts_tell_it(mutation: Mutation) -> None:
    told = [path.read_text() for path in TRANSCRIPTS]
    with mutation.broken():
        assert any(map(goes_otherwise, told))


def goes_otherwise(text: str) -> bool:
    """Tell whether a story does not go as it was told, or cannot be told to its end."""
    try:
        return retell(text) != text
    except AssertionError:
        return True


def test_completeness_sees_a_pair_that_nobody_decides_and_one_decided_twice() -> None:
    rows = automaton.ROWS
    for wrong in (rows[:-1], (*rows, replace(rows[-1], row_id="B99"))):
        with patch.object(test_automaton, "ROWS", wrong), pytest.raises(AssertionError):
            test_automaton.test_each_pair_is_decided_once()


@pytest.mark.parametrize(
    ("facts", "rows"),
    [(ProofFacts, election.PROOFS), (ElectionFacts, election.CASES)],
    ids=["proofs", "cases"],
)
def test_completeness_sees_a_vector_without_a_row_and_one_with_two(facts: Any, rows: Any) -> None:
    for wrong in (rows[1:], (*rows, rows[0])):
        with pytest.raises(AssertionError):
            test_election.test_each_vector_of_facts_meets_one_row(facts, wrong)


def test_completeness_sees_records_that_nobody_judges() -> None:
    rows = generations.ROWS
    for wrong in (rows[1:], (*rows, rows[0])):
        with patch.object(test_generations, "ROWS", wrong), pytest.raises(AssertionError):
            test_generations.test_each_vector_of_facts_meets_one_row()


def alone_without_a_record() -> list[str]:
    """Rows that let changes go on alone and record nothing (test_automaton.py asks the same)."""
    return [
        row.row_id
        for row in automaton.BY_PAIR.values()
        if row.then in {State.TAKING_OVER, State.GOING_ALONE}
        and row.state is not row.then
        and Step.RECORD_ALONE not in row.steps
    ]

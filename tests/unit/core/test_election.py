"""Both tables of the election decide every vector once, and keep the rules that save data."""

from dataclasses import fields
from itertools import product
from typing import Any

import pytest

from mirror.core.election import CASES, PROOFS, Verdict, decide, prove
from mirror.vocabulary.facts import (
    ElectionFacts,
    FenceSays,
    Hearing,
    Proof,
    ProofFacts,
    WitnessSays,
)

VALUES: dict[Any, tuple[Any, ...]] = {
    bool: (False, True),
    Hearing: tuple(Hearing),
    Proof: tuple(Proof),
    WitnessSays: tuple(WitnessSays),
    FenceSays: tuple(FenceSays),
}


def vectors(facts: Any) -> list[Any]:
    columns = [VALUES[field.type] for field in fields(facts)]
    return [facts(*values) for values in product(*columns)]


@pytest.mark.parametrize(
    ("facts", "rows"), [(ProofFacts, PROOFS), (ElectionFacts, CASES)], ids=["proofs", "cases"]
)
def test_each_vector_of_facts_meets_one_row(facts: Any, rows: Any) -> None:
    for vector in vectors(facts):
        assert [row.row_id for row in rows if row.matches(vector)].__len__() == 1, vector


@pytest.mark.parametrize(
    ("facts", "rows"), [(ProofFacts, PROOFS), (ElectionFacts, CASES)], ids=["proofs", "cases"]
)
def test_each_row_is_met_by_some_vector(facts: Any, rows: Any) -> None:
    met = {row.row_id for row in rows for vector in vectors(facts) if row.matches(vector)}
    assert met == {row.row_id for row in rows}


def test_nobody_serves_beside_one_that_serves() -> None:
    for facts in vectors(ElectionFacts):
        if facts.peer_serves:
            assert decide(facts).verdict is (Verdict.WAIT if facts.held else Verdict.JOIN)


def test_nobody_serves_unforced_without_proof_or_against_the_witness() -> None:
    for facts in vectors(ElectionFacts):
        if decide(facts).verdict is Verdict.SERVE:
            assert facts.proof is Proof.PROVEN
            assert facts.witness in {WitnessSays.NOT_CONFIGURED, WitnessSays.GRANTS}
            assert facts.fence in {FenceSays.NOT_NEEDED, FenceSays.DONE}


def test_an_incomplete_node_never_proves_itself() -> None:
    for facts in vectors(ProofFacts):
        if not facts.complete:
            assert prove(facts).proof is not Proof.PROVEN


def test_a_living_peer_is_asked_not_presumed_dead() -> None:
    for facts in vectors(ProofFacts):
        alive = facts.hearing is not Hearing.SILENT
        if facts.in_step and alive and not facts.peer_out:
            assert prove(facts).proof is not Proof.PROVEN


def test_force_listens_first_and_is_called_so() -> None:
    for facts in vectors(ElectionFacts):
        verdict = decide(facts).verdict
        if facts.proof is Proof.LISTENING:
            assert verdict in {Verdict.WAIT, Verdict.JOIN}
        if facts.held:
            assert verdict is Verdict.WAIT
        if verdict is Verdict.SERVE_FORCED:
            assert facts.forced or facts.proof is Proof.RECENT


def test_after_a_split_brain_with_ask_only_a_force_serves() -> None:
    for facts in vectors(ProofFacts):
        if facts.disputed and not facts.in_step:
            assert prove(facts).proof is not Proof.PROVEN
    for facts in vectors(ElectionFacts):
        if facts.proof is Proof.DISPUTED and decide(facts).verdict is not Verdict.JOIN:
            forced = facts.forced and not facts.held and not facts.asked_second
            expected = Verdict.SERVE_FORCED if forced else Verdict.WAIT
            assert decide(facts).verdict is expected


def test_syncdelta_speaks_only_when_nobody_is_heard() -> None:
    for facts in vectors(ProofFacts):
        if prove(facts).proof is Proof.RECENT:
            assert facts.hearing is Hearing.SILENT
            assert facts.recent

"""The tables as Markdown, for people: what tests/golden/automaton.md holds. Pure."""

from collections.abc import Iterable, Sequence
from enum import StrEnum

from mirror.core import automaton, election, generations, light
from mirror.core.automaton import STEP_MEANING, Outcome
from mirror.vocabulary.facts import FenceSays, Hearing, Proof, Relation, Which, WitnessSays
from mirror.vocabulary.states import MEANING, SHOWN, State

WHOLE: tuple[frozenset[object], ...] = (
    frozenset({True, False}),
    frozenset(Hearing),
    frozenset(Proof),
    frozenset(Relation),
    frozenset(Which),
    frozenset(WitnessSays),
    frozenset(FenceSays),
)


def render() -> str:
    """Write states, steps and tables; the same text every time."""
    parts = [
        "# The tables of the core\n",
        "Written by `make golden` from the tables themselves; do not edit.\n",
        "## States\n",
        _table(("state", "shown", "meaning"), _states()),
        "## May I serve: what can be proven\n",
        _table(_PROOF_HEAD, (_proof(row) for row in election.PROOFS)),
        "## May I serve: what follows\n",
        _table(_CASE_HEAD, (_case(case) for case in election.CASES)),
        "## Who is the source\n",
        _table(_GENERATION_HEAD, (_generation(row) for row in generations.ROWS)),
        "## What happened, what next\n",
        _table(("row", "state", "events", "then", "steps", "why"), _rows(automaton.ROWS)),
        "## What happened, what next: a light module\n",
        _table(("row", "state", "events", "then", "steps", "why"), _rows(light.ROWS)),
        "## Steps\n",
        _table(("step", "meaning"), ((step.value, STEP_MEANING[step]) for step in automaton.Step)),
    ]
    return "\n".join(parts)


_PROOF_HEAD = (
    "row",
    "complete",
    "in step",
    "failover",
    "peer out",
    "hearing",
    "source",
    "sole",
    "disputed",
    "recent",
    "proof",
    "why",
)
_CASE_HEAD = (
    *("row", "held", "peer serves", "proof", "witness", "fence", "forced", "second"),
    *("verdict", "why"),
)
_GENERATION_HEAD = (
    "row",
    "relation",
    "asked full",
    "damaged",
    "lived on",
    "in step",
    "lead",
    "source",
    "how",
    "aside",
    "why",
)


def _states() -> Iterable[Sequence[str]]:
    for state in State:
        word, readiness = SHOWN[state]
        yield state.value, f"{word} ({readiness})", MEANING[state]


def _rows(rows: Iterable[automaton.Row]) -> Iterable[Sequence[str]]:
    for row in rows:
        then = row.then.value
        yield (
            row.row_id,
            row.state.value,
            " ".join(kind.value for kind in row.events),
            then if isinstance(row.then, Outcome) else f"**{then}**",
            " ".join(step.value for step in row.steps),
            row.why,
        )


def _proof(row: election.ProofRow) -> Sequence[str]:
    cells = (row.complete, row.in_step, row.failover_allowed, row.peer_out)
    more = (row.hearing, row.source, row.sole, row.disputed, row.recent)
    return (row.row_id, *map(_cell, (*cells, *more)), row.proof.name, row.why)


def _case(case: election.Case) -> Sequence[str]:
    cells = (case.held, case.peer_serves, case.proof, case.witness, case.fence)
    more = (case.forced, case.asked_second)
    return (case.row_id, *map(_cell, (*cells, *more)), case.verdict.name, case.why)


def _generation(row: generations.Row) -> Sequence[str]:
    cells = (row.relation, row.asked_full, row.damaged, row.lived_on, row.in_step, row.lead)
    aside = "kept" if row.aside else ""
    return (row.row_id, *map(_cell, cells), row.source.name, row.how.value, aside, row.why)


def _cell(values: frozenset[object]) -> str:
    """Write one cell: "any" when it matches everything."""
    if values in WHOLE:
        return "any"
    return " ".join(sorted(_word(value) for value in values))


def _word(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value.name if isinstance(value, StrEnum) else str(value)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [_line(head), _line(["---"] * len(head))]
    lines += [_line(row) for row in rows]
    return "\n".join(lines) + "\n"


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"

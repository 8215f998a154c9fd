"""Rules broken on purpose, one at a time: what proves the core right must see each of them.

A mutation changes one row or one function of mirror/core while its context lasts. `provers` names
who must find it: the simulator, the search; the tables' own tests are named where they do.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Any
from unittest.mock import patch

from mirror.core import automaton, election, engine, generations, lineage, perceive
from mirror.core.automaton import Step
from mirror.core.context import Context
from mirror.core.election import Verdict
from mirror.vocabulary.events import Event, EventKind, LinkAlive
from mirror.vocabulary.facts import Proof, Which
from mirror.vocabulary.record import Record
from tests.search.explore import Bound

SIMULATOR, SEARCH, TABLES, STORIES = "simulator", "search", "tables", "stories"
Broken = Callable[[], AbstractContextManager[Any]]


@dataclass(frozen=True, slots=True)
class Mutation:
    """name: what is wrong. provers: who must find it.

    seeds: where the simulator does. bounds: of the small worlds in one of which the search does.
    """

    name: str
    broken: Broken
    provers: tuple[str, ...]
    seeds: range = range(5_000, 5_020)
    bounds: tuple[Bound, ...] = (
        Bound(crashes=0, freezes=0, prims=0, faults=1, states=25_000),
        Bound(cuts=0, freezes=0, prims=0, faults=1, states=30_000),
        Bound(crashes=0, freezes=0, prims=0, faults=2, states=30_000),
    )


def row(*row_ids: str, **changed: Any) -> Broken:
    """Change rows of the automaton."""

    def broken() -> AbstractContextManager[Any]:
        found = {
            pair: replace(one, **changed)
            for pair, one in automaton.BY_PAIR.items()
            if one.row_id in row_ids
        }
        assert {one.row_id for one in found.values()} == set(row_ids)
        return patch.dict(automaton.BY_PAIR, found)

    return broken


def without(step: Step, *row_ids: str) -> Broken:
    """Leave a step out of rows of the automaton."""

    @contextmanager
    def broken() -> Iterator[None]:
        with ExitStack() as stack:
            for row_id in row_ids:
                before = next(one for one in automaton.ROWS if one.row_id == row_id)
                assert step in before.steps
                steps = tuple(one for one in before.steps if one is not step)
                stack.enter_context(row(row_id, steps=steps)())
            yield

    return broken


def table(module: Any, name: str, row_ids: tuple[str, ...], **changed: Any) -> Broken:
    """Change rows of the election or of the generations."""

    def broken() -> AbstractContextManager[Any]:
        rows = tuple(
            replace(one, **changed) if one.row_id in row_ids else one
            for one in getattr(module, name)
        )
        assert rows != getattr(module, name)
        return patch.object(module, name, rows)

    return broken


def record(function: str, **changed: Any) -> Broken:
    """Have a function of lineage.py give a record that says something else."""

    def broken() -> AbstractContextManager[Any]:
        real = getattr(lineage, function)

        def wrong(*arguments: Any, **named: Any) -> Record:
            made: Record = real(*arguments, **named)
            return replace(made, **changed)

        return patch.object(lineage, function, wrong)

    return broken


def deaf_to_the_link() -> AbstractContextManager[Any]:
    """Take no ping of the data link for a sign of life."""
    real = perceive.note

    def deaf(context: Context, event: Event, now_ms: int) -> EventKind | None:
        return None if isinstance(event, LinkAlive) else real(context, event, now_ms)

    return patch.object(engine, "note", deaf)


def never_unsure() -> AbstractContextManager[Any]:
    """Have a secondary that stood still believe that nothing happened meanwhile."""
    return patch.object(Context, "is_unsure", lambda _: False)


BOTH = frozenset({"n1", "n2"})
ALL = (SIMULATOR, SEARCH, TABLES)
TWO = (SIMULATOR, SEARCH)
MUTATIONS = (
    Mutation(
        "a primary goes on alone and records nothing", without(Step.RECORD_ALONE, "F01"), ALL
    ),
    Mutation(
        "a takeover records nothing",
        without(Step.RECORD_ALONE, "W01", "L01"),
        (*ALL, STORIES),
    ),
    Mutation(
        "the witness says no, and is not heeded",
        table(election, "CASES", ("E06",), verdict=Verdict.SERVE),
        TWO,  # in two cuts: a primary that comes back gives way by itself
    ),
    Mutation(
        "the witness is not asked",
        table(election, "CASES", ("E05",), verdict=Verdict.SERVE),
        TWO,
        range(5_021, 5_041, 2),  # odd seeds have the witness
    ),
    Mutation(
        "the agent is not called",
        table(election, "CASES", ("E10",), verdict=Verdict.SERVE),
        (SIMULATOR,),
        range(122, 200, 7),  # the seeds with an agent
    ),
    Mutation("a living link is no sign of life", deaf_to_the_link, (SIMULATOR,)),
    Mutation(
        "a secondary that stood still takes over",
        never_unsure,
        (SEARCH,),  # its primary crashes within a timeout of its waking: lives hardly meet that
        bounds=(Bound(cuts=0, prims=0, witness=False, states=30_000),),
    ),
    Mutation(
        "the one with the older copy starts",
        table(election, "PROOFS", ("P11",), proof=Proof.PROVEN),
        (SIMULATOR,),
    ),
    Mutation(
        "a peer that lives is presumed dead",
        table(election, "PROOFS", ("P07",), proof=Proof.PROVEN),
        (STORIES,),
    ),
    Mutation(
        "the older copy is the source",
        table(generations, "ROWS", ("G19",), source=Which.ME),
        (SIMULATOR,),
    ),
    Mutation("in step, and nothing recorded", without(Step.RECORD_IN_SYNC, "J02"), (SIMULATOR,)),
    Mutation(
        "a swap leaves the address behind",
        without(Step.RELEASE_ADDRESS, "P04"),
        (SIMULATOR, STORIES),
    ),
    Mutation("a stop kills nobody", without(Step.KILL, "P04"), (STORIES,)),
    Mutation("a stop drains nothing", without(Step.DRAIN, "P04"), (STORIES,)),
    Mutation("alone, and the record says both", record("alone", may_serve=BOTH), TWO),
    Mutation("alone on a shared generation", record("alone", lived_on=False), TWO),
)

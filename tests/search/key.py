"""Two worlds that will behave alike have one key: identities are renamed, times become ages.

A key leaves out what no step can read any more. Where that rests on the state a node is in, the
place says which rule of mirror/core makes it so: whoever changes that rule looks here.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

from mirror.core.context import Context
from mirror.core.engine import Engine
from mirror.core.whatif.values import Node
from mirror.core.whatif.world import World
from mirror.vocabulary.actions import (
    AskWitness,
    CallData,
    CloseDataPlane,
    EnsureDataPlane,
    KillApplication,
    PersistRecord,
    PlanAction,
    RunScripts,
    TellWitness,
)
from mirror.vocabulary.facts import WitnessKind, WitnessSays
from mirror.vocabulary.record import Record
from mirror.vocabulary.states import SERVING, State
from mirror.vocabulary.words import Offer, Word

S = State
IDLE = frozenset({S.WAIT, S.ORPHANED, S.FREEZING, S.SETTLING})
ENDING = frozenset({S.LEAVING, S.CLOSING})
TARGETS = frozenset({S.JOINING, S.SECOND, S.ORPHANED, S.SETTLING})
# What is not here: what people see; what only defaultprim, syncat, syncdelta, policy="ask",
# fences, rules or a `swap` read, which no small world has; `sync_generation`, which its event uses
# up; `drained_equal`, which is never False here; `split_seen`, by which a line is logged.
_ALWAYS = attrgetter(
    *("state", "intent", "in_step", "leading", "witness_behind", "role", "misfit", "data_lost"),
    *("fault", "awaits_admin", "wants_full_peer"),
)
_ALWAYS_IDS = attrgetter("session", "promises_out", "owes_out", "asks_swap")
_WORD = attrgetter("damaged", "clean", "wants_full")
_WORD_IDS = attrgetter("session", "ready_for", "asks_out", "promises_out", "asks_swap")
_IDS = attrgetter("current", "base", "out_of")
# What is read of the other's record; how it knows its own disk is its own matter.
_READ = attrgetter(
    *("may_serve", "lived_on", "target_of", "inconsistent", "clean_stop", "was_primary", "split")
)
_VALUES = attrgetter(
    *("may_serve", "lived_on", "target_of", "inconsistent", "clean_stop", "was_primary", "split"),
    *("forced", "roots", "checkpoint"),
)
# States of the peer between which nothing here tells a difference: each question that is put to a
# word (is it in SERVING, in IN_STEP, among the mates of a primary) has one answer for all of them.
_SAME = dict.fromkeys(SERVING - {S.PRIM}, S.ALONE) | {S.SETTLING: S.ORPHANED}


class _Sheet:
    """What a part of a world says: values, and beside them what is renamed over all of it.

    Values say how many identities there are and where; "" is one like any other.
    """

    def __init__(self) -> None:
        self.values: list[Any] = []
        self.ids: list[str] = []
        self.terms: list[int] = []
        self.histories: list[tuple[str, ...]] = []

    def record(self, record: Record) -> None:
        """Write a record down; the term of a blank one is compared with nothing."""
        self.values.append(_VALUES(record))
        self.ids += _IDS(record)
        self.histories.append(record.history)
        self.terms.append(0 if record.blank else record.term)

    def offer(self, offer: Offer | None) -> None:
        """Write an offer down."""
        self.values.append(offer and (offer.full, bool(offer.aside)))
        if offer is not None:
            self.ids += (offer.session, offer.generation)


@dataclass(frozen=True, slots=True)
class Part:
    """One node: everything that its future rests on, but for the writes. values: their hash."""

    values: int
    ids: tuple[str, ...]
    terms: tuple[int, ...]
    histories: tuple[tuple[str, ...], ...]


def part_of(node: Node, world: World) -> Part:
    """Read one node."""
    sheet = _Sheet()
    disk, plane = node.disk, node.plane
    sheet.record(disk.record)
    sheet.ids.append(disk.generation)
    sheet.values += (disk.identity, node.app, node.frozen, plane and (plane.mode, plane.gate))
    if plane is not None:
        sheet.ids.append(plane.session)
        copies = plane.session and plane.mode in {"leading", "following"}  # nobody else reads it
        sheet.values.append(
            copies and (plane.full, plane.aside, plane.told, plane.confirmed),
        )
    if node.engine is not None:
        _engine(sheet, node.engine, node, world)
    ids, terms, histories = tuple(sheet.ids), tuple(sheet.terms), tuple(sheet.histories)
    return Part(hash(tuple(sheet.values)), ids, terms, histories)


def _engine(sheet: _Sheet, engine: Engine, node: Node, world: World) -> None:
    context = engine.context
    state, offer, roots = context.state, context.offer, context.roots
    ids, values = sheet.ids, sheet.values
    ids += _ALWAYS_IDS(context)
    values += (
        _ALWAYS(context),
        # Set by whatever leaves (`Engine._leave`, `commands.remember`).
        state in ENDING and (context.goal, context.left_from),
        # `Engine._enter_idle` sets it before any of these.
        state in TARGETS and context.link,
        # Only ever compared with these.
        context.confirmed != "" and (context.confirmed == context.session),
        context.confirmed != "" and (context.confirmed == context.owes_out),
        roots and tuple(one.identity for one in roots),
    )
    if state is S.JOINING:  # read nowhere else, and cleared by `_enter_idle`
        ids += (context.offer_seen, context.ready_for)
    sheet.offer(offer)
    superseded = None
    if offer is not None and context.settings.witness is WitnessKind.ETCD:
        superseded = context.superseded  # chosen anew before each offer, for the witness
    values.append(superseded and superseded[1])
    if superseded is not None:
        ids.append(superseded[0])
    if state in IDLE:  # asked anew when one of them is entered (`_enter_idle`, `_ask_anew`)
        values += (context.witness, context.wished is not None)
        if context.wished is not None:
            sheet.record(context.wished)
    _heard(sheet, context, world)
    values += (
        tuple(_times(context, world)),
        _age(context.last_ms or 0, world, 2) if node.frozen else None,
        context.plan_id != 0,
        node.plan == context.plan_id,
        tuple((kind, command and command.verb) for kind, command in engine._deferred),
        bool(node.plan),
    )
    if node.plan:
        _todo(sheet, node.todo)


def _todo(sheet: _Sheet, todo: tuple[PlanAction, ...]) -> None:
    """What the world on paper reads of a plan (`World._perform`); the rest leaves no trace."""
    for action in todo:
        match action:
            case PersistRecord(record):
                sheet.values.append("persist")
                sheet.record(record)
            case AskWitness() | TellWitness():
                forced = isinstance(action, TellWitness) and action.forced
                sheet.values += (type(action), action.may_serve, action.then_may_serve, forced)
                sheet.ids += (action.generation, action.then_generation)
                sheet.histories.append(action.history)
            case RunScripts(calls):
                names = {call.name for call in calls}
                sheet.values += ("run", "start_prim" in names, "stop_prim" in names)
            case KillApplication(scripts):
                sheet.values += ("kill", "start_prim" in scripts)
            case CallData(verb, given):
                sheet.values += (verb, bool(given.get("aside")), given.get("full"))
                generation = given["generation"] if verb == "record_hidden" else ""
                sheet.ids += (given.get("session") or "", generation)
            case EnsureDataPlane() | CloseDataPlane():
                sheet.values.append(type(action))
            case _:
                pass


def _heard(sheet: _Sheet, context: Context, world: World) -> None:
    """Give the peer's word, or of one that is out of date its promises, which do not age.

    A target looks at it all the same (`plans._record_in_sync`).
    """
    word = context.peer_word
    if word is None:
        sheet.values.append(None)
    elif context.state is S.JOINING or context.word_now(world.now_ms) is not None:
        record = word.record
        sheet.values.append(values_of(word))
        sheet.ids += ids_of(word)
        sheet.histories.append(record.history)
        sheet.terms.append(0 if record.blank else record.term)
    else:
        sheet.values.append("out of date")
        sheet.ids += (word.record.out_of, word.promises_out)


def values_of(word: Word) -> tuple[Any, ...]:
    """Give what is read of a word: not whose life it is of, nor what people are told."""
    offer, state = word.offer, _SAME.get(word.state, word.state)
    offered = offer and (offer.full, bool(offer.aside))
    return state, offered, _WORD(word), _READ(word.record)


def ids_of(word: Word) -> tuple[str, ...]:
    """Give the identities in a word."""
    offer = word.offer
    offered = (offer.session, offer.generation) if offer is not None else ()
    return *_WORD_IDS(word), *_IDS(word.record), *offered


def _times(context: Context, world: World) -> Iterator[int]:
    """What the passing of time will change, in the states that look at it.

    An age counts as far as something is decided by it: silence after a timeout, which is less
    than two steps, a freeze after its limit, which is less than five.
    """
    state, now_ms = context.state, world.now_ms
    heard = [at for at in (context.heard_ms, context.alive_ms) if at is not None]
    age = _age(max(heard, default=context.listening_since_ms), world, 2)
    yield age
    yield bool(heard) and age < 2  # else: silent; it began to listen before it heard
    if context.is_unsure():  # until a timeout later
        yield -1 - _age(context.awoke_ms, world, 2)
    if state is S.FREEZING:
        yield _age(context.frozen_ms, world, 5)
    if state is S.ALONE and context.offer is not None and not context.leading:
        yield _age(context.offered_ms, world, 1)
    if state is S.ALONE:
        yield _left(context.offer_after_ms, world)
    if state in ENDING:
        yield int(context.retry_ms is not None and now_ms >= context.retry_ms)
    refused = state is S.WAIT and context.witness is WitnessSays.REFUSES
    if refused or context.witness_behind:
        yield _left(context.witness_again_ms, world)


def _age(since_ms: int, world: World, steps_max: int) -> int:
    return min((world.now_ms - since_ms) // world.step_ms, steps_max)


def _left(until_ms: int, world: World) -> int:
    """Steps of time until a moment has come."""
    return max(0, -(-(until_ms - world.now_ms) // world.step_ms))


def key_of(world: World, parts: Iterable[Part]) -> int:
    """Give the key of a world: 64 bits, of everything that its future rests on but the writes.

    What it may yet undergo (`Mark`) is no part of it.
    """
    parts = tuple(parts)
    ids: list[str] = []
    terms: list[int] = []
    histories: list[tuple[str, ...]] = []
    for part in parts:
        ids += part.ids
        terms += part.terms
        histories += part.histories
    witness = world.witness
    if witness is not None:
        ids.append(witness[0])
    numbers: dict[str, int] = {"": 0}
    pattern = [numbers.setdefault(one, len(numbers)) for one in ids]
    low = min(filter(None, terms), default=0)
    return hash(
        (
            *(part.values for part in parts),
            *pattern,
            *(term and term - low + 1 for term in terms),
            _ancestors(histories, numbers),
            None if witness is None else witness[1],
            world.cut,
            world.data_cut,
        )
    )


def _ancestors(histories: list[tuple[str, ...]], numbers: dict[str, int]) -> frozenset[Any]:
    """Say which history holds what: histories are sets.

    An identity that stands nowhere else only says which of them have an ancestor in common, so
    all that stand in the same ones are one.
    """
    where: dict[str, list[int]] = {}
    for number, history in enumerate(histories):
        for one in history:
            where.setdefault(one, []).append(number)
    return frozenset((numbers.get(one, -3), *found) for one, found in where.items())

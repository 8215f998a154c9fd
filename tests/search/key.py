"""Two worlds that will behave alike have one key: identities are renamed, times become ages."""

from collections import Counter
from collections.abc import Iterator
from operator import attrgetter
from typing import Any

from mirror.core.context import Context
from mirror.core.whatif.world import World
from mirror.vocabulary.record import Record
from mirror.vocabulary.states import State
from mirror.vocabulary.words import Offer, Word

ID_DIGITS = 32
AGES_MAX = 5  # of steps of time: beyond, a freeze and every timeout are over
_CONTEXT = attrgetter(
    *("state", "goal", "left_from", "intent", "session", "link", "in_step", "offer", "leading"),
    *("ready_for", "confirmed", "sync_generation", "offer_seen", "promises_out", "owes_out"),
    *("swap_due", "swap_seen", "asks_swap", "split_seen", "peer_began", "wants_back", "witness"),
    *("witness_behind", "wished", "role", "misfit", "data_lost", "fault", "drained_equal"),
    *("awaits_admin", "wants_full_peer", "superseded", "peer_word"),
)
_WORD = attrgetter(
    *("state", "record", "session", "offer", "ready_for", "asks_out", "promises_out"),
    *("damaged", "clean", "wants_full", "asks_swap"),
)
_OFFER = attrgetter("session", "full", "generation")
_RECORD = attrgetter(
    *("current", "base", "may_serve", "lived_on", "target_of", "inconsistent"),
    *("clean_stop", "forced", "was_primary", "out_of"),
)


class _Names:
    """Gives each identity a number, in the order in which it is met."""

    def __init__(self, world: World) -> None:
        records = list(_records(world))
        self._numbers: dict[str, int] = {}
        met = Counter(one for record in records for one in {record.base, *record.history})
        live = {one for record in records for one in (record.current, record.base)}
        live |= {node.disk.generation for node in world.nodes.values()}
        self._kept = live | {one for one, count in met.items() if count > 1}
        terms = sorted({record.term for record in records})
        self._terms = {term: number for number, term in enumerate(terms)}

    def of(self, value: Any) -> Any:  # noqa: PLR0911 - a line a kind
        if isinstance(value, str):
            if len(value) != ID_DIGITS:
                return value
            return self._numbers.setdefault(value, len(self._numbers))
        if isinstance(value, Record):
            history = sorted(self.of(one) for one in value.history if one in self._kept)
            return (*map(self.of, _RECORD(value)), self._terms[value.term], *history)
        if isinstance(value, Word):
            return tuple(map(self.of, _WORD(value)))
        if isinstance(value, Offer):
            return (*map(self.of, _OFFER(value)), bool(value.aside))
        if isinstance(value, tuple):
            return tuple(map(self.of, value))
        return value


def _records(world: World) -> Iterator[Record]:
    for node in world.nodes.values():
        yield node.disk.record
        for word in (node.word, node.heard):
            if word is not None:
                yield word.record
        if node.engine is not None:
            context = node.engine.context
            yield context.record
            if context.wished is not None:
                yield context.wished
            if context.peer_word is not None:
                yield context.peer_word.record
        for action in node.todo:
            record = getattr(action, "record", None)
            if isinstance(record, Record):
                yield record


def key_of(world: World) -> int:
    """Give the key of a world: 64 bits, of everything that its future rests on."""
    names = _Names(world)
    parts: list[Any] = []
    for name in world.nodes:
        node = world.nodes[name]
        disk, plane = node.disk, node.plane
        parts += (names.of(disk.record), disk.writes, disk.index, disk.identity)
        parts += (names.of(disk.generation), node.app, node.excused, node.frozen)
        if plane is not None:
            parts += (plane.mode, plane.gate, names.of(plane.session), plane.recent)
            parts += (plane.full, plane.aside, plane.told, plane.confirmed)
        if node.engine is not None:
            context = node.engine.context
            parts += map(names.of, _CONTEXT(context))
            parts += (tuple(_ages(context, world)), tuple(_todo(names, node.todo)))
            if node.frozen:
                parts.append(_age(context.last_ms or 0, world))
            parts += (bool(node.plan), tuple(kind for kind, _ in node.engine._deferred))
        parts.append(name)
    witness = world.witness
    held = None if witness is None else (names.of(witness[0]), witness[1])
    parts += (
        held,
        world.cut,
        world.data_cut,
        world.acknowledged,
        world.written,
        world.excused,
        world.budget,
    )
    return hash(tuple(parts))


def _ages(context: Context, world: World) -> Iterator[int]:
    """What the passing of time will change, in the states that look at it."""
    state, now_ms = context.state, world.now_ms
    heard = [at for at in (context.heard_ms, context.alive_ms) if at is not None]
    yield _age(max(heard, default=context.listening_since_ms), world)
    if not heard or now_ms - max(heard) > context.settings.timeout_ms:
        yield _age(context.listening_since_ms, world)
    if state in {State.FREEZING, State.ORPHANED}:
        yield _age(context.frozen_ms, world)
    if state is State.ALONE and context.offer is not None:
        yield _age(context.offered_ms, world)
    if state is State.ALONE:
        yield int(now_ms >= context.offer_after_ms)
    if state in {State.LEAVING, State.CLOSING}:
        yield int(context.retry_ms is not None and now_ms >= context.retry_ms)
    if state in {State.WAIT, State.ORPHANED, State.FREEZING, State.PRIM}:
        yield int(now_ms >= context.witness_again_ms)


def _age(since_ms: int, world: World) -> int:
    return min((world.now_ms - since_ms) // world.step_ms, AGES_MAX)


def _todo(names: _Names, todo: tuple[Any, ...]) -> Iterator[Any]:
    for action in todo:
        fields = getattr(action, "fields", {})
        values = tuple(fields.values()) if "peer_addresses" not in fields else ()
        yield type(action).__name__, getattr(action, "verb", ""), names.of(values)
        yield names.of(getattr(action, "record", None))

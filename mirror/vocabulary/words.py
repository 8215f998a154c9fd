"""What a node says to its peer in every heartbeat, and its form as a map.

The word is a view of what is so, never a command that must arrive: a heartbeat may be lost, so
everything is repeated until it is no longer true. Promises ("I am out") are read from the record
in it, which is the durable one, so a node cannot promise before its disk does.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mirror.vocabulary.record import Record, record_from_map, record_to_map
from mirror.vocabulary.states import State


@dataclass(frozen=True, slots=True)
class Offer:
    """A source proposes a reintegration. aside: folder for the target's own versions, or ""."""

    session: str
    full: bool
    aside: str
    generation: str
    row: str


@dataclass(frozen=True, slots=True)
class Word:
    """One node's word. session: the one it stands in, "" when in none.

    ready_for: the session this target is ready to be led in.
    asks_out: the session whose secondary is asked to go out, because changes are frozen.
    promises_out: the session it is out of although its disk could not record that; kept as long
        as this control plane runs, and after it a start never serves without hearing the peer.
    trusts_before_s: with wants_full: files not modified since then are equal, an administrator
        says (`secondforce`); 0: nothing is taken on trust.
    incarnation: drawn by the control plane when it started.
    resources: (name, state) of what the other node's failover rules look at; both have the same.
    """

    state: State
    record: Record = field(default_factory=Record)
    session: str = ""
    offer: Offer | None = None
    ready_for: str = ""
    asks_out: str = ""
    promises_out: str = ""
    damaged: bool = False
    clean: bool = False
    wants_full: bool = False
    trusts_before_s: int = 0
    asks_swap: str = ""
    incarnation: str = ""
    refusal: str = ""
    resources: tuple[tuple[str, str], ...] = ()

    def out_of(self, session: str) -> bool:
        """Tell whether this node promises not to serve in `session`."""
        return bool(session) and session in (self.record.out_of, self.promises_out)


def word_to_map(word: Word) -> dict[str, Any]:
    """Give msgpack values."""
    offer = word.offer
    return {
        "state": word.state.value,
        "record": record_to_map(word.record),
        "session": word.session,
        "offer": None
        if offer is None
        else [offer.session, offer.full, offer.aside, offer.generation, offer.row],
        "ready_for": word.ready_for,
        "asks_out": word.asks_out,
        "promises_out": word.promises_out,
        "damaged": word.damaged,
        "clean": word.clean,
        "wants_full": word.wants_full,
        "trusts_before_s": word.trusts_before_s,
        "asks_swap": word.asks_swap,
        "incarnation": word.incarnation,
        "refusal": word.refusal,
        "resources": [list(one) for one in word.resources],
    }


def word_from_map(values: Mapping[str, Any]) -> Word:
    """Read a peer's word. Raises: ValueError when it is not one; the caller then ignores it."""
    texts = {}
    for name in ("session", "ready_for", "asks_out", "promises_out", "asks_swap"):
        texts[name] = _text(values, name)
    record = values.get("record")
    if not isinstance(record, Mapping):
        raise ValueError("word without a record")  # noqa: TRY004 - foreign data, one error
    return Word(
        state=State(_text(values, "state")),
        record=record_from_map(record),
        offer=_offer(values.get("offer")),
        damaged=values.get("damaged") is True,
        clean=values.get("clean") is True,
        wants_full=values.get("wants_full") is True,
        trusts_before_s=_seconds(values.get("trusts_before_s", 0)),
        incarnation=_text(values, "incarnation"),
        refusal=_text(values, "refusal"),
        resources=_resources(values.get("resources")),
        **texts,
    )


def _text(values: Mapping[str, Any], name: str) -> str:
    value = values.get(name, "")
    if not isinstance(value, str):
        raise ValueError(f"word field {name}: {value!r}")  # noqa: TRY004 - foreign data, one error
    return value


def _resources(values: object) -> tuple[tuple[str, str], ...]:
    if values is None:
        return ()  # of a version that has no rules
    found = []
    for value in values if isinstance(values, list | tuple) else (values,):
        match value:
            case [str(name), str(state)]:
                found.append((name, state))
            case _:
                raise ValueError(f"resources: {value!r}")
    return tuple(found)


def _seconds(value: object) -> int:
    if type(value) is not int or not 0 <= value < 1 << 40:
        raise ValueError(f"word field trusts_before_s: {value!r}")
    return value


def _offer(values: object) -> Offer | None:
    if values is None:
        return None
    match values:
        case [str(session), bool(full), str(aside), str(generation), str(row)]:
            return Offer(session, full, aside, generation, row)
        case _:
            raise ValueError(f"offer: {values!r}")

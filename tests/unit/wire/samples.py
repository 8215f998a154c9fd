"""Values for each message of the table: the same ones in every run, and by hypothesis."""

import itertools
from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st

from mirror.wire.fields import INTEGER_BYTES, MESSAGE_FIELDS, STRUCT_FIELDS, Field
from mirror.wire.schema import MESSAGES

MESSAGE_NAMES = [message.name for message in MESSAGES]


def golden_cases(name: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Least, typical and greatest values of a message, each with the name of the case."""
    for case in ("least", "typical", "greatest"):
        counter = itertools.count(1)
        yield case, {f.name: _golden_value(f, case, counter) for f in MESSAGE_FIELDS[name]}


def _golden_value(field: Field, case: str, counter: Iterator[int]) -> Any:
    number = next(counter)  # neighbours differ, so that two exchanged fields are seen
    if field.type in INTEGER_BYTES:
        least, greatest = _range(field)
        bits = 8 * INTEGER_BYTES[field.type]
        typical = -number if least < 0 else (0x0102030405060708 >> (64 - bits)) + number
        return {"least": least, "typical": typical, "greatest": greatest}[case]
    if field.type == "list":
        count = {"least": 0, "typical": 1, "greatest": 2}[case]
        fields = STRUCT_FIELDS[field.struct]
        return tuple(
            {inner.name: _golden_value(inner, case, counter) for inner in fields}
            for _ in range(count)
        )
    return _golden_bytes(field, case, number)


def _golden_bytes(field: Field, case: str, number: int) -> Any:
    typical: dict[str, Any] = {
        "id": bytes(range(number, number + 16)),
        "name": f"déjà {number}".encode(),
        "text": f"user.été {number}",
        "bytes": bytes(range(number, number + 5)),
    }
    least: dict[str, Any] = {"id": bytes(16), "name": b"a", "text": "", "bytes": b""}
    greatest: dict[str, Any] = {
        "id": b"\xff" * 16,
        "name": b"\xff" * 255,
        "text": "é" * 20,
        "bytes": bytes((number + step) % 256 for step in range(300)),
    }
    return {"least": least, "typical": typical, "greatest": greatest}[case][field.type]


def values(name: str) -> st.SearchStrategy[dict[str, Any]]:
    """Whatever a message may hold."""
    return _mapping(MESSAGE_FIELDS[name])


def _mapping(fields: tuple[Field, ...]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({field.name: _strategy(field) for field in fields})


def _strategy(field: Field) -> st.SearchStrategy[Any]:
    if field.type in INTEGER_BYTES:
        return st.integers(*_range(field))
    if field.type == "list":
        return st.lists(_mapping(STRUCT_FIELDS[field.struct]), max_size=3).map(tuple)
    plain: dict[str, st.SearchStrategy[Any]] = {
        "id": st.binary(min_size=16, max_size=16),
        "name": names(),
        "text": st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=40),
        "bytes": st.binary(max_size=200),
    }
    return plain[field.type]


def _range(field: Field) -> tuple[int, int]:
    bits = 8 * INTEGER_BYTES[field.type]
    if field.type.startswith("i"):
        return -(1 << (bits - 1)), (1 << (bits - 1)) - 1
    return 0, (1 << bits) - 1


def names() -> st.SearchStrategy[bytes]:
    """Names that a directory may hold."""
    bytes_of_names = st.integers(1, 255).filter(lambda byte: byte != ord("/"))
    return (
        st.lists(bytes_of_names, min_size=1, max_size=255)
        .map(bytes)
        .filter(lambda name: name not in (b".", b".."))
    )

"""Payloads: what is written is read again; what is cut, too long or not allowed is refused."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirror.errors import ProtocolRefused
from mirror.wire import codec
from mirror.wire.fields import BY_CODE, BY_NAME, MESSAGE_FIELDS, size_bytes_min
from mirror.wire.schema import LIST_COUNT_MAX, PAYLOAD_BYTES_MAX, Lane, Side
from tests.unit.wire.samples import MESSAGE_NAMES, golden_cases, values


def write(**changed: Any) -> dict[str, Any]:
    fields = {"epoch": 1, "root": 0, "id": bytes(16), "offset_bytes": 0, "flags": 0, "data": b""}
    return {**fields, **changed}


@given(name=st.sampled_from(MESSAGE_NAMES), data=st.data())
def test_what_is_written_is_read_again(name: str, data: st.DataObject) -> None:
    fields = data.draw(values(name))
    payload = codec.encode(name, **fields)
    assert len(payload) >= size_bytes_min(MESSAGE_FIELDS[name])
    decoded = codec.decode(BY_NAME[name].code, memoryview(payload))
    assert decoded == codec.Decoded(name, fields)
    assert all(decoded[field] == value for field, value in fields.items())


@given(name=st.sampled_from(MESSAGE_NAMES), data=st.data())
def test_a_payload_cut_short_is_refused(name: str, data: st.DataObject) -> None:
    payload = codec.encode(name, **data.draw(values(name)))
    if not payload:
        return
    cut = data.draw(st.integers(0, len(payload) - 1))
    with pytest.raises(ProtocolRefused, match=f"{name}: cut short at"):
        codec.decode(BY_NAME[name].code, payload[:cut])


@pytest.mark.parametrize("name", MESSAGE_NAMES)
def test_bytes_left_over_are_refused(name: str) -> None:
    _, fields = next(golden_cases(name))
    payload = codec.encode(name, **fields) + b"\0"
    with pytest.raises(ProtocolRefused, match=f"{name}: 1 bytes left over"):
        codec.decode(BY_NAME[name].code, payload)


@given(code=st.sampled_from(sorted(BY_CODE)), payload=st.binary(max_size=200))
def test_any_bytes_are_a_message_or_refused(code: int, payload: bytes) -> None:
    try:
        decoded = codec.decode(code, payload)
    except ProtocolRefused:
        return
    assert codec.encode(decoded.name, **decoded.fields) == payload


def test_an_unknown_code_is_refused() -> None:
    with pytest.raises(ProtocolRefused, match="code 0xff is unknown"):
        codec.decode(0xFF, b"")


@pytest.mark.parametrize("name", [b"", b".", b"..", b"a/b", b"/", b"a\0b", b"x" * 256])
def test_a_name_that_could_leave_its_directory_is_refused(name: bytes) -> None:
    fields = {"epoch": 1, "root": 0, "id": bytes(16), "parent": bytes(16)}
    with pytest.raises(ProtocolRefused, match="name: "):
        codec.encode("Link", **fields, name=name)
    payload = codec.encode("Link", **fields, name=b"?")[:-3]
    with pytest.raises(ProtocolRefused, match="name: "):
        codec.decode(BY_NAME["Link"].code, payload + len(name).to_bytes(2, "little") + name)


def test_the_name_of_an_attribute_need_not_be_utf8() -> None:
    name = b"user.\xff".decode("utf-8", "surrogateescape")
    payload = codec.encode("RemoveXattr", epoch=1, root=0, id=bytes(16), name=name)
    assert payload.endswith(b"\x06\0user.\xff")
    assert codec.decode(BY_NAME["RemoveXattr"].code, payload)["name"] == name


def test_limits_are_kept_by_the_sender_too() -> None:
    with pytest.raises(ProtocolRefused, match="4097 bytes, 4096 allowed"):
        codec.encode("Refuse", code=1, sentence="x" * 4097)
    with pytest.raises(ProtocolRefused, match=f"{PAYLOAD_BYTES_MAX} allowed"):
        codec.encode("Write", **write(data=bytes(PAYLOAD_BYTES_MAX)))
    with pytest.raises(ProtocolRefused, match="epoch"):
        codec.encode("Write", **write(epoch=-1))
    entries = ({"name": b"a", "id": bytes(16), "kind": 0},) * (LIST_COUNT_MAX + 1)
    with pytest.raises(ProtocolRefused, match=f"{LIST_COUNT_MAX} allowed"):
        codec.encode("Names", error=0, entries=entries)


def test_a_count_that_nobody_sends_is_refused_before_it_costs_memory() -> None:
    payload = bytes(4) + (LIST_COUNT_MAX + 1).to_bytes(4, "little")
    with pytest.raises(ProtocolRefused, match=f"{LIST_COUNT_MAX} allowed"):
        codec.decode(BY_NAME["Names"].code, payload)


@pytest.mark.parametrize(
    ("name", "lane", "sender", "refusal"),
    [
        ("Write", Lane.LIVE, Side.PRIM, ""),
        ("Write", Lane.COPY, Side.PRIM, "Write is not allowed on lane COPY"),
        ("Write", Lane.LIVE, Side.SECOND, "Write does not come from SECOND"),
        ("Hello", Lane.COPY, Side.SECOND, ""),
        ("EndSync", Lane.LIVE, Side.PRIM, "EndSync is not allowed on lane LIVE"),
    ],
)
def test_each_message_has_its_lanes_and_side(
    name: str, lane: Lane, sender: Side, refusal: str
) -> None:
    if not refusal:
        codec.check_allowed(codec.code_of(name), lane, sender)
        return
    with pytest.raises(ProtocolRefused, match=refusal):
        codec.check_allowed(codec.code_of(name), lane, sender)


def test_an_unknown_code_is_allowed_nowhere() -> None:
    with pytest.raises(ProtocolRefused, match="code 0x05 is unknown"):
        codec.check_allowed(5, Lane.LIVE, Side.PRIM)

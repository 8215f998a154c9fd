"""A heartbeat on the wire: nothing that was not authenticated is looked at."""

import dataclasses
import hashlib
import hmac

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirror.adapters.heartbeats.packet import (
    PACKET_BYTES_MAX,
    Packet,
    PacketRefused,
    Refusal,
    decode,
    derive_key,
    encode,
)

KEY = derive_key(b"k" * 32, "demo")
PACKET = Packet(
    node="n1",
    lan="default",
    incarnation=b"i" * 16,
    seq=7,
    sent_us=123,
    nonce=b"n" * 16,
    echo=b"",
    heard_age_ms=-1,
    loop_age_ms=3,
    body_seq=2,
    body={"state": "PRIM", "generation": b"\x9f", "deep": {"a": [1, None, True]}},
)


def refusal_of(datagram: bytes, key: bytes = KEY) -> Refusal:
    with pytest.raises(PacketRefused) as refused:
        decode(datagram, key)
    return refused.value.refusal


def test_round_trip() -> None:
    assert decode(encode(PACKET, KEY), KEY) == PACKET


@given(position=st.integers(0), flip=st.integers(1, 255))
def test_every_changed_byte_is_seen(position: int, flip: int) -> None:
    datagram = bytearray(encode(PACKET, KEY))
    datagram[position % len(datagram)] ^= flip
    refusal_of(bytes(datagram))


@given(garbage=st.binary(max_size=300))
def test_garbage_is_refused(garbage: bytes) -> None:
    refusal_of(garbage)
    assert refusal_of(b"MNHB\x01" + garbage) in {Refusal.UNAUTHENTICATED, Refusal.MALFORMED}


@given(st.recursive(st.none() | st.integers(-5, 5) | st.text(), st.lists, max_leaves=20))
def test_authenticated_nonsense_is_malformed(nonsense: object) -> None:

    payload = msgpack.packb(nonsense)
    mac = hmac.digest(KEY, b"MNHB\x01" + payload, hashlib.sha256)
    assert refusal_of(b"MNHB\x01" + mac + payload) is Refusal.MALFORMED


def test_another_module_another_key_another_version() -> None:
    datagram = encode(PACKET, KEY)
    assert refusal_of(datagram, derive_key(b"k" * 32, "other")) is Refusal.UNAUTHENTICATED
    assert refusal_of(datagram, derive_key(b"x" * 32, "demo")) is Refusal.UNAUTHENTICATED
    assert refusal_of(b"MNHB\x02" + datagram[5:]) is Refusal.VERSION


@pytest.mark.parametrize(
    "wrong",
    [{"seq": 0}, {"seq": True}, {"nonce": b"short"}, {"incarnation": b""}, {"body": []}],
)
def test_fields_of_the_wrong_kind_or_size_are_malformed(wrong: dict[str, object]) -> None:
    datagram = encode(dataclasses.replace(PACKET, **wrong), KEY)  # type: ignore[arg-type]
    assert refusal_of(datagram) is Refusal.MALFORMED


def test_a_body_that_fits_no_datagram_is_an_error_of_the_caller() -> None:
    with pytest.raises(ValueError, match="heartbeat body"):
        encode(dataclasses.replace(PACKET, body={"x": "y" * PACKET_BYTES_MAX}), KEY)

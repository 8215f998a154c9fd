"""A heartbeat on the wire: nothing that was not authenticated is looked at."""

import dataclasses
import sys
import threading
import time

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirror.adapters.heartbeats.conversation import Conversation
from mirror.adapters.heartbeats.packet import (
    BUNDLE_BYTES_MAX,
    PACKET_BYTES_MAX,
    Key,
    Packet,
    PacketRefused,
    Refusal,
    Section,
    bundle,
    decode,
    derive_key,
    encode,
    header_bytes_max,
    unpack_body,
)
from mirror.adapters.heartbeats.settings import HeartbeatSettings, Lan

KEY = derive_key(b"k" * 32, 8888)
PACKET = Packet(
    node="n1",
    lan="default",
    incarnation=b"i" * 16,
    seq=7,
    sent_us=123,
    nonce=b"n" * 16,
    echo=b"",
    believed=b"p" * 16,
    heard_age_ms=-1,
    loop_age_ms=3,
    sections=(Section("demo", 2, 1, b"\x80"), Section("other", 3, 0, None)),
)


def refusal_of(datagram: bytes, key: Key = KEY) -> Refusal:
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
    assert refusal_of(b"MNHB\x02" + garbage) in {Refusal.UNAUTHENTICATED, Refusal.MALFORMED}


@given(st.recursive(st.none() | st.integers(-5, 5) | st.text(), st.lists, max_leaves=20))
def test_authenticated_nonsense_is_malformed(nonsense: object) -> None:
    payload = msgpack.packb(nonsense)
    mac = KEY.copy()
    mac.update(b"MNHB\x02" + payload)
    assert refusal_of(b"MNHB\x02" + mac.digest() + payload) is Refusal.MALFORMED


def test_another_port_another_key_another_version() -> None:
    datagram = encode(PACKET, KEY)
    assert refusal_of(datagram, derive_key(b"k" * 32, 8889)) is Refusal.UNAUTHENTICATED
    assert refusal_of(datagram, derive_key(b"x" * 32, 8888)) is Refusal.UNAUTHENTICATED
    assert refusal_of(b"MNHB\x01" + datagram[5:]) is Refusal.VERSION


@pytest.mark.parametrize(
    "wrong",
    [{"seq": 0}, {"seq": True}, {"nonce": b"short"}, {"incarnation": b""}, {"sections": {}}],
)
def test_fields_of_the_wrong_kind_or_size_are_malformed(wrong: dict[str, object]) -> None:
    datagram = encode(dataclasses.replace(PACKET, **wrong), KEY)  # type: ignore[arg-type]
    assert refusal_of(datagram) is Refusal.MALFORMED


@pytest.mark.parametrize(
    "wrong",
    [
        {"module": b"demo"},
        {"body_seq": 0},
        {"body_seq": True},
        {"held_seq": -1},
        {"held_seq": False},
        {"body": "text"},
    ],
)
def test_a_section_of_the_wrong_kind_is_malformed(wrong: dict[str, object]) -> None:
    section = PACKET.sections[0]._replace(**wrong)  # type: ignore[arg-type]
    datagram = encode(dataclasses.replace(PACKET, sections=(section,)), KEY)
    assert refusal_of(datagram) is Refusal.MALFORMED


@pytest.mark.parametrize("nonsense", [None, [1], {1: 2}, "text"])
def test_a_word_that_is_no_map_of_names_is_malformed(nonsense: object) -> None:
    with pytest.raises(PacketRefused):
        unpack_body(msgpack.packb(nonsense))
    with pytest.raises(PacketRefused):
        unpack_body(b"\xc1")


@given(st.lists(st.integers(0, 3 * BUNDLE_BYTES_MAX), max_size=60), st.integers(1, 255))
def test_sections_share_packets_and_none_is_lost(sizes: list[int], name_bytes: int) -> None:
    sections = [Section(f"m{at}", at + 1, 0, b"b" * size) for at, size in enumerate(sizes)]
    header_bytes = header_bytes_max("n" * name_bytes, "l")
    packets = bundle(sections, header_bytes)
    assert [section for packet in packets for section in packet] == sections
    for packet in packets:
        datagram = encode(
            dataclasses.replace(PACKET, node="n" * name_bytes, lan="l", sections=packet), KEY
        )
        assert len(datagram) <= max(
            BUNDLE_BYTES_MAX, header_bytes + packet[0].bytes_max if len(packet) == 1 else 0
        )


def test_a_word_that_fits_no_datagram_is_an_error_of_the_caller() -> None:
    lan = Lan("a", "10.0.0.1", "10.0.0.2")
    settings = HeartbeatSettings("demo", "n1", "n2", (lan,), 8888, b"k" * 32)
    with pytest.raises(ValueError, match="heartbeat body"):
        Conversation(settings, 1, 0).say({"x": "y" * PACKET_BYTES_MAX}, 2, 0, urgent=False)


def test_the_interpreter_is_not_given_away_between_the_stamp_of_a_packet_and_its_sending() -> None:
    """Who has it then keeps it for a turn, and the packet is as much later than it says."""
    turns, ended, before_s = 0, False, sys.getswitchinterval()

    def take_turns() -> None:
        nonlocal turns
        while not ended:
            turns += 1
            time.sleep(0)

    other = threading.Thread(target=take_turns)
    sys.setswitchinterval(3600)  # it has the interpreter only when that is given away
    try:
        other.start()
        while turns < 10:
            time.sleep(0)
        seen = turns
        for _ in range(1000):
            decode(encode(PACKET, KEY), KEY)
        assert turns == seen
    finally:
        ended = True
        sys.setswitchinterval(before_s)
        other.join()

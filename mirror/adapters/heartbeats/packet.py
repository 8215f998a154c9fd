"""Heartbeats as a datagram: bytes <-> Packet, authenticated. Pure: no socket, no clock.

    "MNHB" | version 2 | HMAC-SHA256 of all the rest, 32 bytes | msgpack list

One datagram speaks for a node: a section for each module whose pulse is due, as many as fit. The
key is derived from the cluster's secret and the port, so a packet of one port is nothing to
another. Nothing is parsed before the authentication code was checked (invariant 12).
"""

import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

import msgpack

VERSION = 2
MAGIC = b"MNHB"
PACKET_BYTES_MAX = 32 * 1024  # fits a datagram with room; above an MTU the kernel fragments
BUNDLE_BYTES_MAX = 1_400  # several modules share a datagram up to here: no fragments for them
INCARNATION_BYTES = 16
NONCE_BYTES = 16

Key = hmac.HMAC

_MAC_BYTES = 32
_HEAD = MAGIC + bytes([VERSION])
_BODY_AT = len(_HEAD) + _MAC_BYTES
_NUMBER_BYTES = 9  # of any integer in msgpack, at most
_SECTION_EXTRA_BYTES = 2 * _NUMBER_BYTES + 9  # the list, and the lengths of name and body


class Refusal(StrEnum):
    """Why a datagram was dropped; counted by this name and shown with it."""

    MALFORMED = "malformed"
    VERSION = "another version"
    UNAUTHENTICATED = "not authenticated"
    FOREIGN = "of another node or network"
    REPLAYED = "replayed or late"


class PacketRefused(Exception):
    """The datagram is not believed; `refusal` says why. Never leaves this package."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.value)
        self.refusal = refusal


class Section(NamedTuple):
    """What a packet says of one module.

    body_seq: rises with each new word of any module of the sender's incarnation; 1 or more.
    held_seq: the newest word of the receiver's believed incarnation that the sender holds, or 0.
    body: the word, packed; None when the receiver has said that it holds it.
    """

    module: str
    body_seq: int
    held_seq: int
    body: bytes | None

    @property
    def bytes_max(self) -> int:
        """What it takes in a packet, at most."""
        body_bytes = 0 if self.body is None else len(self.body)
        return len(self.module.encode()) + body_bytes + _SECTION_EXTRA_BYTES


@dataclass(frozen=True, slots=True)
class Packet:
    """What one node says to the other on one network.

    incarnation: random, drawn when the sender's process began to use this port.
    seq: rises by one with each packet of this incarnation on this network, from 1.
    sent_us: the sender's boot clock; compared only with itself.
    nonce: the sender's challenge; echo: the receiver's last challenge as the sender saw it.
    believed: the incarnation of the receiver that the sender believes, empty when none.
    heard_age_ms: how long ago the sender heard the receiver on this network; -1 never.
    loop_age_ms: how long ago the sender's control loop last turned.
    """

    node: str
    lan: str
    incarnation: bytes
    seq: int
    sent_us: int
    nonce: bytes
    echo: bytes
    believed: bytes
    heard_age_ms: int
    loop_age_ms: int
    sections: tuple[Section, ...]


# Order and type of the fields on the wire; `type` is compared exactly, so True is no integer.
_FIELDS: tuple[tuple[str, type], ...] = (
    ("node", str),
    ("lan", str),
    ("incarnation", bytes),
    ("seq", int),
    ("sent_us", int),
    ("nonce", bytes),
    ("echo", bytes),
    ("believed", bytes),
    ("heard_age_ms", int),
    ("loop_age_ms", int),
    ("sections", list),
)


def derive_key(cluster_key: bytes, port: int) -> Key:
    """Key of the heartbeats of one port, from the secret of the cluster; never updated itself."""
    key = hmac.digest(cluster_key, b"mirror heartbeat 2\0%d" % port, hashlib.sha256)
    return hmac.HMAC(key, digestmod="sha256")


def bundle(sections: Iterable[Section], header_bytes: int) -> list[tuple[Section, ...]]:
    """Share sections out to packets of BUNDLE_BYTES_MAX; one that is longer has its own."""
    packets: list[tuple[Section, ...]] = []
    open_bytes, held = header_bytes, list[Section]()
    for section in sections:
        if held and open_bytes + section.bytes_max > BUNDLE_BYTES_MAX:
            packets.append(tuple(held))
            open_bytes, held = header_bytes, []
        held.append(section)
        open_bytes += section.bytes_max
    return [*packets, tuple(held)] if held else packets


def header_bytes_max(node: str, lan: str) -> int:
    """What a packet takes without its sections, at most."""
    fixed = 2 * INCARNATION_BYTES + 2 * NONCE_BYTES + 4 * _NUMBER_BYTES
    return _BODY_AT + len(node.encode()) + len(lan.encode()) + fixed + 3 * len(_FIELDS)


def encode(packet: Packet, key: Key) -> bytes:
    """Bytes to send."""
    payload: bytes = msgpack.packb([getattr(packet, name) for name, _ in _FIELDS])
    return _HEAD + _mac(key, payload) + payload


def decode(datagram: bytes, key: Key) -> Packet:
    """The packet in a datagram. Raises: PacketRefused."""
    if len(datagram) <= _BODY_AT or not datagram.startswith(MAGIC):
        raise PacketRefused(Refusal.MALFORMED)
    if datagram[len(MAGIC)] != VERSION:
        raise PacketRefused(Refusal.VERSION)
    payload = datagram[_BODY_AT:]
    if not hmac.compare_digest(_mac(key, payload), datagram[len(_HEAD) : _BODY_AT]):
        raise PacketRefused(Refusal.UNAUTHENTICATED)
    try:
        fields = msgpack.unpackb(payload)
    except ValueError as error:  # msgpack's own exceptions are all ValueErrors
        raise PacketRefused(Refusal.MALFORMED) from error
    return _checked(fields)


def unpack_body(body: bytes) -> dict[str, object]:
    """A word of an authenticated packet. Raises: PacketRefused."""
    try:
        values = msgpack.unpackb(body)
    except ValueError as error:
        raise PacketRefused(Refusal.MALFORMED) from error
    if type(values) is not dict or not all(type(key) is str for key in values):
        raise PacketRefused(Refusal.MALFORMED)
    return values


def _checked(fields: object) -> Packet:
    if not isinstance(fields, list) or len(fields) != len(_FIELDS):
        raise PacketRefused(Refusal.MALFORMED)
    if any(type(field) is not kind for field, (_, kind) in zip(fields, _FIELDS, strict=True)):
        raise PacketRefused(Refusal.MALFORMED)
    fields[-1] = tuple(map(_section, fields[-1]))
    packet = Packet(*fields)
    right_sizes = len(packet.incarnation) == INCARNATION_BYTES and len(packet.nonce) == NONCE_BYTES
    if not right_sizes or packet.seq < 1:
        raise PacketRefused(Refusal.MALFORMED)
    return packet


def _section(values: object) -> Section:
    match values:
        case [str(module), int(body_seq), int(held_seq), bytes() | None as body]:
            if type(body_seq) is type(held_seq) is int and body_seq > 0 and held_seq >= 0:
                return Section(module, body_seq, held_seq, body)
    raise PacketRefused(Refusal.MALFORMED)


def _mac(key: Key, payload: bytes) -> bytes:
    # hmac.digest leaves the interpreter for its few microseconds, and waits for a turn to have it
    # back; a copy that is told more does not, below 2,048 bytes.
    mac = key.copy()
    mac.update(_HEAD)
    mac.update(payload)
    return mac.digest()

"""One heartbeat as a datagram: bytes <-> Packet, authenticated. Pure: no socket, no clock.

    "MNHB" | version 1 | HMAC-SHA256 of all the rest, 32 bytes | msgpack map

The key is derived from the cluster's secret and the module's name, so a packet of one module is
nothing to another. Nothing is parsed before the authentication code was checked (invariant 12).
"""

import hashlib
import hmac
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import msgpack

VERSION = 1
MAGIC = b"MNHB"
PACKET_BYTES_MAX = 32 * 1024  # fits a datagram with room; above an MTU the kernel fragments
INCARNATION_BYTES = 16
NONCE_BYTES = 16

_MAC_BYTES = 32
_HEAD = MAGIC + bytes([VERSION])
_BODY_AT = len(_HEAD) + _MAC_BYTES


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


@dataclass(frozen=True, slots=True)
class Packet:
    """What one node says to the other on one network.

    incarnation: random, drawn when the sender's process started.
    seq: rises by one with each packet of this incarnation on this network, from 1.
    sent_us: the sender's boot clock; compared only with itself.
    nonce: the sender's challenge; echo: the receiver's last challenge as the sender saw it.
    heard_age_ms: how long ago the sender heard the receiver on this network; -1 never.
    loop_age_ms: how long ago the sender's control loop last turned.
    body_seq: rises with each new body, over all networks.
    """

    node: str
    lan: str
    incarnation: bytes
    seq: int
    sent_us: int
    nonce: bytes
    echo: bytes
    heard_age_ms: int
    loop_age_ms: int
    body_seq: int
    body: dict[str, Any]


# Order and type of the fields on the wire; `type` is compared exactly, so True is no integer.
_FIELDS: tuple[tuple[str, type], ...] = (
    ("node", str),
    ("lan", str),
    ("incarnation", bytes),
    ("seq", int),
    ("sent_us", int),
    ("nonce", bytes),
    ("echo", bytes),
    ("heard_age_ms", int),
    ("loop_age_ms", int),
    ("body_seq", int),
    ("body", dict),
)


def derive_key(cluster_key: bytes, module: str) -> bytes:
    """Key of one module's heartbeats, from the secret of the cluster."""
    return hmac.digest(cluster_key, b"mirror heartbeat 1\0" + module.encode(), hashlib.sha256)


def encode(packet: Packet, key: bytes) -> bytes:
    """Bytes to send. Raises: ValueError when the body makes it longer than PACKET_BYTES_MAX."""
    payload: bytes = msgpack.packb([getattr(packet, name) for name, _ in _FIELDS])
    if _BODY_AT + len(payload) > PACKET_BYTES_MAX:
        message = f"heartbeat body of {len(payload)} bytes"
        raise ValueError(message)
    return _HEAD + _mac(key, payload) + payload


def decode(datagram: bytes, key: bytes) -> Packet:
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


def _checked(fields: object) -> Packet:
    if not isinstance(fields, list) or len(fields) != len(_FIELDS):
        raise PacketRefused(Refusal.MALFORMED)
    if any(type(field) is not kind for field, (_, kind) in zip(fields, _FIELDS, strict=True)):
        raise PacketRefused(Refusal.MALFORMED)
    packet = Packet(*fields)
    right_sizes = len(packet.incarnation) == INCARNATION_BYTES and len(packet.nonce) == NONCE_BYTES
    if not right_sizes or packet.seq < 1:
        raise PacketRefused(Refusal.MALFORMED)
    return packet


def _mac(key: bytes, payload: bytes) -> bytes:
    return hmac.digest(key, _HEAD + payload, hashlib.sha256)

"""Frames: the header before each payload, written and checked (PROTOCOL 3). Pure.

The data plane does this in C (native/wire/frame.c), with the same refusals in the same order;
this one is the reference that the C is compared with, and what tools and tests speak.
"""

import struct
from dataclasses import dataclass

import xxhash

from mirror.errors import ProtocolRefused
from mirror.wire.schema import FRAME_HEADER_BYTES, PAYLOAD_BYTES_MAX, PROTOCOL_VERSION_OLDEST

MAGIC = b"MNF1"
# Hello, Welcome and Refuse keep the layout of version 1 for ever: before Welcome none is agreed.
HANDSHAKE_VERSION = 1
SEQUENCE_FIRST = 1

# magic, size, code, version, reserved, sequence, checksum
_HEADER = struct.Struct("<4sIHHIQQ")
_CHECKSUM_OFFSET = 24

BAD_MAGIC = "magic is not MNF1"
BAD_SIZE = "size is above the maximum"
BAD_VERSION = "version is not the one agreed"
BAD_RESERVED = "reserved field is not 0"
BAD_SEQUENCE = "sequence is not the next one"
BAD_CHECKSUM = "checksum does not match"

assert _HEADER.size == FRAME_HEADER_BYTES
assert PROTOCOL_VERSION_OLDEST >= HANDSHAKE_VERSION


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame that was checked. code and payload are for codec.decode."""

    code: int
    sequence: int
    payload: bytes


def checksum(header: bytes, payload: bytes) -> int:
    """XXH3-64 of the header, its checksum field taken as 0, followed by the payload."""
    return xxhash.xxh3_64_intdigest(header[:_CHECKSUM_OFFSET] + bytes(8) + payload)


class FrameEncoder:
    """One direction of one connection: counts the sequence. Not shared between threads."""

    def __init__(self) -> None:
        self.version = HANDSHAKE_VERSION
        self._sequence = SEQUENCE_FIRST

    def encode(self, code: int, payload: bytes) -> bytes:
        """Put a header before `payload`, at most PAYLOAD_BYTES_MAX bytes of it."""
        assert len(payload) <= PAYLOAD_BYTES_MAX
        facts = (MAGIC, len(payload), code, self.version, 0, self._sequence)
        header = _HEADER.pack(*facts, 0)
        self._sequence += 1
        return _HEADER.pack(*facts, checksum(header, payload)) + payload


class FrameDecoder:
    """One direction of one connection. Not shared between threads.

    version: that of the next frame; set it when Welcome has agreed on another.
    """

    def __init__(self) -> None:
        self.version = HANDSHAKE_VERSION
        self._sequence = SEQUENCE_FIRST
        self._buffer = bytearray()
        self._refused = False

    @property
    def is_between_frames(self) -> bool:
        """True when the stream may end here without a frame being torn."""
        return not self._buffer

    def feed(self, chunk: bytes | memoryview) -> list[Frame]:
        """Take bytes as they came; return the frames now whole, in order of arrival.

        chunk: borrowed for the call, copied if kept.
        Returns: [] when none is whole yet, which is normal.
        Raises: ProtocolRefused (MIR-310), once; the stream then stays closed. Frames of the same
        chunk that were good are lost with it, as is their session.
        Source: PROTOCOL 3.
        """
        assert not self._refused, "a refused stream stays closed"
        self._buffer += chunk
        frames = []
        while (frame := self._take()) is not None:
            frames.append(frame)
        return frames

    def _take(self) -> Frame | None:
        if len(self._buffer) < FRAME_HEADER_BYTES:
            return None
        header = bytes(self._buffer[:FRAME_HEADER_BYTES])
        _, size, code, _, _, sequence, announced = self._check_header(header)
        end = FRAME_HEADER_BYTES + size
        if len(self._buffer) < end:
            return None
        payload = bytes(self._buffer[FRAME_HEADER_BYTES:end])
        if checksum(header, payload) != announced:
            raise self._refuse(BAD_CHECKSUM, f"code=0x{code:02x} seq={sequence} size={size}")
        del self._buffer[:end]
        self._sequence += 1
        return Frame(code, sequence, payload)

    def _check_header(self, header: bytes) -> tuple[bytes, int, int, int, int, int, int]:
        fields: tuple[bytes, int, int, int, int, int, int] = _HEADER.unpack(header)
        magic, size, _, version, reserved, sequence, _ = fields
        if magic != MAGIC:
            raise self._refuse(BAD_MAGIC, magic.hex())
        if version != self.version:
            raise self._refuse(BAD_VERSION, f"{version}, {self.version} agreed")
        if reserved != 0:
            raise self._refuse(BAD_RESERVED, str(reserved))
        if sequence != self._sequence:
            raise self._refuse(BAD_SEQUENCE, f"{sequence}, {self._sequence} expected")
        if size > PAYLOAD_BYTES_MAX:
            raise self._refuse(BAD_SIZE, f"{size} bytes, {PAYLOAD_BYTES_MAX} allowed")
        return fields

    def _refuse(self, what: str, observed: str) -> ProtocolRefused:
        self._refused = True
        return ProtocolRefused(what=what, observed=observed)

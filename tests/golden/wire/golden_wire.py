"""The golden files of the wire: what they must hold, and reading them."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import xxhash

from mirror.wire import codec, frame
from mirror.wire.fields import BY_NAME, MESSAGE_FIELDS, STRUCT_FIELDS, Field
from mirror.wire.handshake import Refused, Versions, negotiate
from mirror.wire.schema import PAYLOAD_BYTES_MAX
from tests.unit.wire.samples import MESSAGE_NAMES, golden_cases

DIRECTORY = Path(__file__).resolve().parent


@dataclass(frozen=True, slots=True)
class GoldenMessage:
    code: int
    name: str
    case: str
    payload: bytes
    values: dict[str, Any]


def messages_text() -> str:
    lines = []
    for name in MESSAGE_NAMES:
        for case, fields in golden_cases(name):
            payload = codec.encode(name, **fields).hex() or "-"
            shown = json.dumps(_to_json(MESSAGE_FIELDS[name], fields))
            lines.append(f"{BY_NAME[name].code:02x} {name} {case} {payload} {shown}")
    return "\n".join(lines) + "\n"


def read_messages() -> list[GoldenMessage]:
    read = []
    for line in (DIRECTORY / "messages.txt").read_text(encoding="utf-8").splitlines():
        code, name, case, payload, shown = line.split(" ", 4)
        fields = _from_json(MESSAGE_FIELDS[name], json.loads(shown))
        data = b"" if payload == "-" else bytes.fromhex(payload)
        read.append(GoldenMessage(int(code, 16), name, case, data, fields))
    return read


def _to_json(fields: tuple[Field, ...], values: dict[str, Any]) -> dict[str, Any]:
    shown: dict[str, Any] = {}
    for field in fields:
        value = values[field.name]
        if field.type == "list":
            shown[field.name] = [_to_json(STRUCT_FIELDS[field.struct], item) for item in value]
        else:
            shown[field.name] = value.hex() if isinstance(value, bytes) else value
    return shown


def _from_json(fields: tuple[Field, ...], shown: dict[str, Any]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for field in fields:
        value = shown[field.name]
        if field.type == "list":
            values[field.name] = tuple(_from_json(STRUCT_FIELDS[field.struct], i) for i in value)
        else:
            values[field.name] = bytes.fromhex(value) if field.type in _HEX else value
    return values


_HEX = {"id", "name", "bytes"}


def frames_text() -> str:
    """Lines: the refusal or "good", then the bytes of a stream that ends with that frame."""
    ack = codec.encode("Ack", error=0, result=4096)
    code = BY_NAME["Ack"].code
    good = frame.FrameEncoder().encode(code, ack)
    encoder = frame.FrameEncoder()
    pair = encoder.encode(code, ack) + encoder.encode(code, ack)

    def changed(offset: int, data: bytes) -> bytes:
        return good[:offset] + data + good[offset + len(data) :]

    lines = [
        ("good", good),
        ("good", pair),
        ("good", frame.FrameEncoder().encode(code, b"")),
        (frame.BAD_MAGIC, changed(3, b"2")),
        (frame.BAD_MAGIC, b"GET / HTTP/1.1\r\nHost: mirror.example\r\n\r\n"),
        (frame.BAD_VERSION, changed(10, b"\2\0")),
        (frame.BAD_RESERVED, changed(15, b"\1")),
        (frame.BAD_SEQUENCE, changed(16, b"\0")),
        (frame.BAD_SEQUENCE, good + good),
        (frame.BAD_SEQUENCE, pair[len(good) :]),
        (frame.BAD_SIZE, changed(4, (PAYLOAD_BYTES_MAX + 1).to_bytes(4, "little"))),
        (frame.BAD_SIZE, changed(4, b"\xff\xff\xff\xff")),
        (frame.BAD_CHECKSUM, changed(24, b"\0")),
        (frame.BAD_CHECKSUM, changed(8, b"\x05")),
        (frame.BAD_CHECKSUM, changed(len(good) - 1, b"\1")),
    ]
    return "".join(f"{data.hex()} {what}\n" for what, data in lines)


def read_frames() -> list[tuple[bytes, str]]:
    lines = (DIRECTORY / "frames.txt").read_text(encoding="utf-8").splitlines()
    return [(bytes.fromhex(data), what) for data, _, what in (s.partition(" ") for s in lines)]


RANGES = (
    ((1, 1), (1, 1)),
    ((1, 3), (2, 5)),
    ((2, 5), (1, 3)),
    ((1, 9), (4, 4)),
    ((1, 2), (3, 4)),
    ((3, 4), (1, 2)),
    ((1, 3), (3, 1)),
    ((1, 3), (0, 0)),
    ((1, 65535), (65535, 65535)),
)


def negotiation_text() -> str:
    """Lines: our range, their range, the version agreed on (0: none), the sentence."""
    lines = []
    for ours, theirs in RANGES:
        outcome = negotiate(Versions(*theirs), 0, ours=Versions(*ours))
        said = f"0 {outcome.sentence}" if isinstance(outcome, Refused) else f"{outcome.version} -"
        lines.append(f"{ours[0]} {ours[1]} {theirs[0]} {theirs[1]} {said}\n")
    return "".join(lines)


def hashes_text() -> str:
    """Lines: size of a block, XXH3-128 and XXH3-64 of its pattern (test_hash.c has it too)."""
    lines = []
    for size in (0, 1, 3, 4, 8, 9, 16, 17, 128, 129, 240, 241, 1024, 4096, 65536, 65537):
        block = bytes((index * 7 + index // 251 + size) % 256 for index in range(size))
        digest = xxhash.xxh3_128_hexdigest(block)
        lines.append(f"{size} {digest} {xxhash.xxh3_64_hexdigest(block)}\n")
    return "".join(lines)


FILES = {
    "hashes.txt": hashes_text,
    "messages.txt": messages_text,
    "frames.txt": frames_text,
    "negotiation.txt": negotiation_text,
}

"""Payloads, values to bytes and back, for every message of the table. Pure.

In Python the types of the table are: integers int, id bytes of length 16, name and bytes `bytes`
(a file name need not be UTF-8), text str (what is not UTF-8 survives as surrogates, as in
os.fsdecode), list a tuple of dicts. A message is compiled once, at import, into runs of
fixed-width fields that end with the length of what varies: one struct call per run.
"""

import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from mirror.errors import ProtocolRefused
from mirror.wire.fields import (
    BY_CODE,
    BY_NAME,
    ID_BYTES,
    MESSAGE_FIELDS,
    NAME_BYTES_MAX,
    STRUCT_FIELDS,
    TEXT_BYTES_MAX,
    Field,
)
from mirror.wire.schema import LIST_COUNT_MAX, PAYLOAD_BYTES_MAX, Lane, Side

_FORMATS = {"u8": "B", "u16": "H", "u32": "I", "u64": "Q", "i32": "i", "i64": "q"}
_FORMATS |= {"id": f"{ID_BYTES}s"}
_LENGTH_FORMATS = {"name": "H", "text": "H", "bytes": "I", "list": "I"}


@dataclass(frozen=True, slots=True)
class Decoded:
    """One message: `decoded["epoch"]`. The fields are those of the table, in its order."""

    name: str
    fields: Mapping[str, Any]

    def __getitem__(self, field: str) -> Any:  # noqa: ANN401  the table knows the type
        return self.fields[field]


@dataclass(frozen=True, slots=True)
class _Run:
    """Fields of fixed width, then at most one that varies, whose length ends the fixed part."""

    fixed: struct.Struct
    names: tuple[str, ...]
    ids: tuple[str, ...]  # those of `names` that are identities
    varying: Field | None


def _compile(fields: Iterable[Field]) -> tuple[_Run, ...]:
    runs: list[_Run] = []
    fixed: list[Field] = []
    for field in fields:
        if field.type in _FORMATS:
            fixed.append(field)
        else:
            runs.append(_run(fixed, field))
            fixed = []
    return (*runs, _run(fixed, None)) if fixed else tuple(runs)


def _run(fixed: list[Field], varying: Field | None) -> _Run:
    formats = "".join(_FORMATS[field.type] for field in fixed)
    length = _LENGTH_FORMATS[varying.type] if varying else ""
    return _Run(
        fixed=struct.Struct(f"<{formats}{length}"),
        names=tuple(field.name for field in fixed),
        ids=tuple(field.name for field in fixed if field.type == "id"),
        varying=varying,
    )


_MESSAGE_RUNS = {name: _compile(fields) for name, fields in MESSAGE_FIELDS.items()}
_STRUCT_RUNS = {name: _compile(fields) for name, fields in STRUCT_FIELDS.items()}


def encode(name: str, /, **fields: Any) -> bytes:
    """Payload of the message `name`.

    fields: exactly those of the table, in any order.
    Raises: ProtocolRefused (MIR-310) for a value that the other node would refuse.
    """
    expected = {field.name for field in MESSAGE_FIELDS[name]}
    assert set(fields) == expected, f"{name}: {set(fields)} is not {expected}"
    out = bytearray()
    _write(_MESSAGE_RUNS[name], fields, out)
    if len(out) > PAYLOAD_BYTES_MAX:
        raise _refused(f"{name}: {len(out)} bytes, {PAYLOAD_BYTES_MAX} allowed")
    return bytes(out)


def decode(code: int, payload: bytes | memoryview) -> Decoded:
    """Read a payload; its bytes are copied.

    Raises: ProtocolRefused (MIR-310): unknown code, a field that is cut short or not allowed,
    bytes left over. The session is over then.
    """
    message = BY_CODE.get(code)
    if message is None:
        raise _refused(f"code 0x{code:02x} is unknown")
    reader = _Reader(message.name, bytes(payload))
    fields = reader.read(_MESSAGE_RUNS[message.name])
    if reader.position != len(reader.payload):
        raise _refused(f"{message.name}: {len(reader.payload) - reader.position} bytes left over")
    return Decoded(message.name, fields)


def check_allowed(code: int, lane: Lane, sender: Side) -> None:
    """Refuse a message that may not come on this lane from this side (PRIM or SECOND).

    Raises: ProtocolRefused (MIR-310).
    """
    message = BY_CODE.get(code)
    if message is None:
        raise _refused(f"code 0x{code:02x} is unknown")
    if lane not in message.lanes:
        raise _refused(f"{message.name} is not allowed on lane {lane}")
    if message.side not in (sender, Side.BOTH):
        raise _refused(f"{message.name} does not come from {sender}")


def code_of(name: str) -> int:
    """Code of the message `name`."""
    return BY_NAME[name].code


def _refused(observed: str) -> ProtocolRefused:
    return ProtocolRefused(what="message", observed=observed)


def _write(runs: tuple[_Run, ...], fields: Mapping[str, Any], out: bytearray) -> None:
    for run in runs:
        values = [fields[name] for name in run.names]
        # struct pads and cuts what has another length, silently.
        assert all(len(fields[name]) == ID_BYTES for name in run.ids), f"{run.ids}: no identities"
        rest: bytes | bytearray = b""
        if run.varying is not None:
            length, rest = _varying_bytes(run.varying, fields[run.varying.name])
            values.append(length)
        try:
            out += run.fixed.pack(*values)
        except struct.error as error:
            raise _refused(f"{', '.join(run.names)}: {error}") from error
        out += rest


def _varying_bytes(field: Field, value: Any) -> tuple[int, bytes | bytearray]:  # noqa: ANN401
    """Length, or count, and the bytes after it."""
    if field.type == "list":
        if len(value) > LIST_COUNT_MAX:
            raise _refused(f"{field.name}: {len(value)} items, {LIST_COUNT_MAX} allowed")
        out = bytearray()
        for item in value:
            _write(_STRUCT_RUNS[field.struct], item, out)
        return len(value), out
    data = (
        value.encode("utf-8", "surrogateescape")
        if field.type == "text"
        else bytes(memoryview(value))
    )
    _check_varying(field, data)
    return len(data), data


def _check_varying(field: Field, data: bytes) -> None:
    """The limits of name and text; the same as mn_take_name and mn_take_text in C."""
    if field.type == "bytes":
        return
    bytes_max = NAME_BYTES_MAX if field.type == "name" else TEXT_BYTES_MAX
    if len(data) > bytes_max:
        raise _refused(f"{field.name}: {len(data)} bytes, {bytes_max} allowed")
    if b"\0" in data:
        raise _refused(f"{field.name}: a NUL within")
    if field.type == "name" and (data in (b"", b".", b"..") or b"/" in data):
        raise _refused(f"{field.name}: {data!r} is no name in a directory")


class _Reader:
    """One payload, read from its start."""

    def __init__(self, message: str, payload: bytes) -> None:
        self.message = message
        self.payload = payload
        self.position = 0

    def read(self, runs: tuple[_Run, ...]) -> dict[str, Any]:
        fields: dict[str, Any] = {}
        for run in runs:
            end = self.position + run.fixed.size
            if end > len(self.payload):
                raise self._cut_short(run.names[0] if run.names else "length", end)
            values = run.fixed.unpack_from(self.payload, self.position)
            self.position = end
            if run.varying is None:
                fields.update(zip(run.names, values, strict=True))
            else:
                fields.update(zip(run.names, values[:-1], strict=True))
                fields[run.varying.name] = self._read_varying(run.varying, values[-1])
        return fields

    def _read_varying(self, field: Field, length: int) -> Any:  # noqa: ANN401  by the table
        if field.type == "list":
            if length > LIST_COUNT_MAX:
                raise _refused(f"{field.name}: {length} items, {LIST_COUNT_MAX} allowed")
            runs = _STRUCT_RUNS[field.struct]
            return tuple(self.read(runs) for _ in range(length))
        end = self.position + length
        if end > len(self.payload):
            raise self._cut_short(field.name, end)
        data = self.payload[self.position : end]
        self.position = end
        _check_varying(field, data)
        return data.decode("utf-8", "surrogateescape") if field.type == "text" else data

    def _cut_short(self, field: str, end: int) -> ProtocolRefused:
        return _refused(
            f"{self.message}: cut short at {field}: {len(self.payload)} bytes, {end} needed"
        )

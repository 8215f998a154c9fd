"""Durable JSON records: small facts that decide who may serve, and so may never be half true.

The file is one JSON object {"v": 1, "blake2b": hex, "record": {...}}. The checksum covers the
canonical form of `record`, so an administrator may read the file, but not edit it unnoticed.
Blocking: callers on an event loop use `asyncio.to_thread`.
"""

import hashlib
import hmac
import json
from pathlib import Path
from typing import Any

from mirror.adapters.durable import make_directory, write_into_reserve
from mirror.errors import RecordNotWritten, RecordTorn
from mirror.vocabulary.said import say
from mirror.vocabulary.said_system import system_said

FORMAT = 1
RECORD_BYTES_MAX = 4 * 1024 * 1024  # a record is facts, not an index; more is not ours


def read_record(path: Path) -> dict[str, Any] | None:
    """Read what `write_record` put there; None when there never was one.

    Raises: RecordTorn (MIR-207) when the file is anything but what was written. Never repaired
    here: a node that guesses what it held breaks invariant 5.
    """
    try:
        with path.open("rb") as file:
            content = file.read(RECORD_BYTES_MAX + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise RecordTorn(
            file=path, observed=say("record.unread", observed=system_said(error))
        ) from error
    if len(content) > RECORD_BYTES_MAX:
        raise RecordTorn(file=path, observed=say("record.long", allowed=RECORD_BYTES_MAX))
    return _decode(path, content)


def write_record(path: Path, record: dict[str, Any]) -> None:
    """Replace the record; on return it is on disk, and before that the old one was.

    A full disk does not keep a node from deciding: only the first record needs room.

    record: JSON values only, keys are strings; what comes back is equal to it.
    Raises: RecordNotWritten (MIR-208); the old record then still stands.
    """
    body = _canonical(record)
    assert json.loads(body) == record, "a record must come back from JSON as it went in"
    shown = json.dumps(
        {"v": FORMAT, "blake2b": _checksum(body), "record": record},
        indent=1,
        sort_keys=True,
        allow_nan=False,
    )
    try:
        make_directory(path.parent)
        write_into_reserve(path, shown.encode() + b"\n")
    except OSError as error:
        raise RecordNotWritten(file=path, observed=system_said(error)) from error


def _decode(path: Path, content: bytes) -> dict[str, Any]:
    try:
        outer = json.loads(content)
    except ValueError as error:
        raise RecordTorn(file=path, observed=say("record.no_json", count=len(content))) from error
    if not isinstance(outer, dict) or outer.get("v") != FORMAT:
        raise RecordTorn(file=path, observed=say("record.format"))
    record, checksum = outer.get("record"), outer.get("blake2b")
    if not isinstance(record, dict) or not isinstance(checksum, str):
        raise RecordTorn(file=path, observed=say("record.missing"))
    if not hmac.compare_digest(_checksum(_canonical(record)), checksum):
        raise RecordTorn(file=path, observed=say("record.checksum"))
    return record


def _canonical(record: dict[str, Any]) -> bytes:
    return json.dumps(
        record, sort_keys=True, separators=(",", ":"), allow_nan=False, ensure_ascii=True
    ).encode()


def _checksum(body: bytes) -> str:
    return hashlib.blake2b(body, digest_size=16).hexdigest()

"""Local messages, bytes to maps and back: a 4-byte big-endian length, then one msgpack map.

Spoken over unix stream sockets between the command line, the control plane, the guardian and the
data planes of one host. Pure: no socket here. Never used between nodes (see wire/schema.py).

    request {"v": 1, "id": 7, "do": "state", ...}
    reply   {"v": 1, "id": 7, "ok": true, ...}
            {"v": 1, "id": 7, "ok": false, "error": {"code", "sentence", "exit_code", "facts"}}
    event   {"v": 1, "event": "state_changed", ...}
"""

from collections.abc import Mapping
from typing import Any

import msgpack

from mirror.errors import LocalCallFailed, LocalMessageRefused, MirrorError
from mirror.vocabulary.said import facts_of, say

VERSION = 1
LENGTH_PREFIX_BYTES = 4
# A whole module log or a list of diverged files fits; a mistaken length does not starve the host.
MESSAGE_BYTES_MAX = 16 * 1024 * 1024

Message = dict[str, Any]


def encode(message: Mapping[str, Any]) -> bytes:
    """Frame one message. Values: None, bool, int, float, str, bytes, lists and maps of these.

    Raises: LocalMessageRefused (MIR-301) above MESSAGE_BYTES_MAX.
    """
    body: bytes = msgpack.packb(message, use_bin_type=True)
    if len(body) > MESSAGE_BYTES_MAX:
        raise LocalMessageRefused(
            what="length",
            observed=say("local.length", count=len(body), allowed=MESSAGE_BYTES_MAX),
        )
    return len(body).to_bytes(LENGTH_PREFIX_BYTES, "big") + body


def request(message_id: int, do: str, /, **fields: Any) -> Message:
    """Build a request. message_id: chosen by the asker, given back in the reply."""
    return {"v": VERSION, "id": message_id, "do": do, **fields}


def reply(message_id: int, /, **fields: Any) -> Message:
    """Build the reply of a request that succeeded."""
    return {"v": VERSION, "id": message_id, "ok": True, **fields}


def reply_error(message_id: int, error: MirrorError, /) -> Message:
    """Build the reply of a request that was refused or failed."""
    said = {
        "code": error.code,
        "sentence": str(error),
        "exit_code": error.exit_code,
        "facts": facts_of(error),
    }
    return {"v": VERSION, "id": message_id, "ok": False, "error": said}


def event(name: str, /, **fields: Any) -> Message:
    """Build an event, which nobody answers."""
    return {"v": VERSION, "event": name, **fields}


def raise_if_error(message: Message) -> Message:
    """Give back a good reply; raise LocalCallFailed with what the other end said otherwise."""
    if message.get("ok") is not False:
        return message
    said = message.get("error")
    if not isinstance(said, dict):
        said = {}
    raise LocalCallFailed(
        remote_code=str(said.get("code", "MIR-303")),
        remote_sentence=str(said.get("sentence", "refused without a reason (MIR-303)")),
        remote_exit_code=int(said.get("exit_code", LocalCallFailed.exit_code)),
        remote_facts=said.get("facts"),
    )


class Decoder:
    """One direction of one stream. Not shared between threads."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._refused = False

    @property
    def is_between_messages(self) -> bool:
        """True when the stream may end here without a message being torn."""
        return not self._buffer

    def feed(self, chunk: bytes | memoryview) -> list[Message]:
        """Take bytes as they came; return the messages now whole, in order of arrival.

        Returns: [] when none is whole yet, which is normal.
        Raises: LocalMessageRefused (MIR-301), once; the stream is then to be closed.
        """
        assert not self._refused, "a refused stream stays closed"
        self._buffer += chunk
        messages: list[Message] = []
        while (body := self._take_body()) is not None:
            messages.append(self._parse(body))
        return messages

    def _take_body(self) -> bytes | None:
        if len(self._buffer) < LENGTH_PREFIX_BYTES:
            return None
        length = int.from_bytes(self._buffer[:LENGTH_PREFIX_BYTES], "big")
        if length > MESSAGE_BYTES_MAX:
            raise self._refuse("length", f"{length} bytes announced, {MESSAGE_BYTES_MAX} allowed")
        end = LENGTH_PREFIX_BYTES + length
        if len(self._buffer) < end:
            return None
        body = bytes(self._buffer[LENGTH_PREFIX_BYTES:end])
        del self._buffer[:end]
        return body

    def _parse(self, body: bytes) -> Message:
        try:
            message = msgpack.unpackb(body, raw=False, strict_map_key=True)
        except (ValueError, msgpack.UnpackException, RecursionError) as error:
            raise self._refuse("body", f"not msgpack ({type(error).__name__})") from error
        if not isinstance(message, dict) or not all(isinstance(key, str) for key in message):
            raise self._refuse("body", "not a map with names as keys")
        if message.get("v") != VERSION:
            raise self._refuse("version", f"{message.get('v')!r} received, {VERSION} known")
        return message

    def _refuse(self, what: str, observed: str) -> LocalMessageRefused:
        self._refused = True
        return LocalMessageRefused(what=what, observed=observed)

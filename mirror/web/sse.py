"""Server-sent events, text to events and back. Pure. Source: the HTML standard, 9.2."""

import json
from collections.abc import Mapping
from typing import Any

BUFFER_BYTES_MAX = 16 * 1024 * 1024


def written(name: str, data: Mapping[str, Any], event_id: str = "") -> bytes:
    """Write one event; without an id the reader keeps the one before."""
    lines = [f"id: {event_id}"] if event_id else []
    # JSON has no bare line ends, so one data line is enough.
    lines += [f"event: {name}", f"data: {json.dumps(data, separators=(',', ':'))}", "", ""]
    return "\n".join(lines).encode()


class Parser:
    """One stream of events as this program writes it: a line feed ends a line."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, chunk: bytes) -> list[tuple[str, str, str]]:
        """Take bytes as they came; return (id, name, data) of events now whole.

        Raises: ValueError when an event is too long.
        """
        self._buffer += chunk
        if len(self._buffer) > BUFFER_BYTES_MAX:
            raise ValueError("an event without end")
        *whole, rest = bytes(self._buffer).split(b"\n\n")
        self._buffer = bytearray(rest)
        events = []
        for block in whole:
            fields: dict[str, str] = {}
            for line in block.decode("utf-8", "replace").split("\n"):
                field, _, value = line.partition(":")
                fields[field] = value.removeprefix(" ")
            if "data" in fields:
                events.append((fields.get("id", ""), fields.get("event", ""), fields["data"]))
        return events

"""One line of trace a message: `-> Write seq=41 id=7c02 offset_bytes=8192 data_bytes=4096`.

Content never appears, only its size; names and texts are escaped, so that a file name can neither
forge a line nor colour a terminal.
"""

from typing import Any

from mirror.wire.codec import Decoded
from mirror.wire.fields import MESSAGE_FIELDS, Field

SENT, RECEIVED = "->", "<-"
# Enough to follow an object through a trace of some thousand lines by eye.
ID_BYTES_SHOWN = 2


def line(direction: str, sequence: int, message: Decoded) -> str:
    """direction: SENT or RECEIVED, as seen by the node that writes the trace."""
    shown = [_show(field, message[field.name]) for field in MESSAGE_FIELDS[message.name]]
    return " ".join([direction, message.name, f"seq={sequence}", *shown])


def _show(field: Field, value: Any) -> str:  # noqa: ANN401  the table knows the type
    match field.type:
        case "id":
            return f"{field.name}={value[:ID_BYTES_SHOWN].hex() if any(value) else 'none'}"
        case "bytes":
            return f"{field.name}_bytes={len(value)}"
        case "list":
            return f"{field.name}_count={len(value)}"
        case "name":
            return f"{field.name}={_escape(value.decode('utf-8', 'surrogateescape'))}"
        case "text":
            return f"{field.name}={_escape(value)}"
        case _:
            return f"{field.name}={value}"


def _escape(text: str) -> str:
    """The text as it is when it is one plain word, as a Python string otherwise."""
    plain = text.isprintable() and text.isascii() and not set(text) & {" ", "'", '"', "\\", "="}
    return text if plain and text else ascii(text)

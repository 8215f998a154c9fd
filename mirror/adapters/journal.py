"""One line of a module log in the journal, with its fields; in syslog where there is no journal.

`journalctl -t mirror MIRROR_MODULE=web MIRROR_ROW=S5` finds what a table row did. In syslog the
fields stand behind the text, as RFC 5424 writes them. Nothing is said where neither listens.
Source: systemd's native journal protocol, one datagram of NAME=value lines.
"""

import contextlib
import socket
import syslog
from collections.abc import Iterator, Mapping
from typing import Any

JOURNAL_SOCKET = "/run/systemd/journal/socket"
IDENT = "mirror"
VALUE_LETTERS_MAX = 1000
FIELDS_MAX = 32
# SafeKit's levels of the module log, as syslog's: Critical Event User Script Info Warning Debug.
LEVELS: Mapping[str, int] = {
    "C": syslog.LOG_CRIT,
    "E": syslog.LOG_NOTICE,
    "U": syslog.LOG_NOTICE,
    "S": syslog.LOG_INFO,
    "I": syslog.LOG_INFO,
    "W": syslog.LOG_WARNING,
    "D": syslog.LOG_DEBUG,
}


def say(
    module: str,
    level: str,
    source: str,
    text: str,
    fields: Mapping[str, Any],
    *,
    journal: str = JOURNAL_SOCKET,
) -> None:
    """Say it. May block while the reader is full: not for an event loop."""
    priority = LEVELS.get(level, syslog.LOG_INFO)
    # A line break would let a text of the application look like a line of ours.
    line = f"{module} | {source} | {' '.join(text.split())}"
    own = {"module": module, "source": source, "level": level}
    named = dict(_named({**fields, **own}))
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as to:
        to.connect(journal)
        lines = [f"MESSAGE={line}", f"PRIORITY={priority}", f"SYSLOG_IDENTIFIER={IDENT}"]
        lines += [f"MIRROR_{name.upper()}={value}" for name, value in named.items()]
        to.send("\n".join([*lines, ""]).encode())
        return
    syslog.syslog(priority, line + structured(dict(_named(fields))))


def structured(fields: Mapping[str, str]) -> str:
    """The fields as structured data of RFC 5424, with a space before; "" without any."""
    if not fields:
        return ""
    pairs = " ".join(f'{name}="{_escaped(value)}"' for name, value in fields.items())
    return f" [mirror {pairs}]"


def _named(fields: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Names and values that a line can hold, FIELDS_MAX at most."""
    for name, value in list(fields.items())[:FIELDS_MAX]:
        if name.isascii() and name.isidentifier() and value not in (None, ""):
            yield name, " ".join(str(value).split())[:VALUE_LETTERS_MAX]


def _escaped(value: str) -> str:
    return "".join("\\" + letter if letter in '"\\]' else letter for letter in value)

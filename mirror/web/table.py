"""A row of the table of routes, and finding the row of a request. Pure."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from mirror.web.identity import Access

BODY_BYTES_MAX = 2 * 1024 * 1024
UPLOAD_BYTES_MAX = 64 * 1024 * 1024
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_PARAMETER = re.compile(r"\{(\w+)(:path)?\}")


class Kind(StrEnum):
    """What is special about a route."""

    PLAIN = "plain"
    UPLOAD = "upload"  # the body is a file, read as it comes
    WATCH = "watch"  # keeps no session alive: a page asks by itself, not a person
    CHECK = "check"  # what is sent is looked at, and nothing changes


@dataclass(frozen=True, slots=True)
class Row:
    """One route. what: its summary, and what the audit says that was done."""

    method: str
    path: str
    access: Access
    function: Callable[..., Any]
    what: str
    kind: Kind = Kind.PLAIN
    pattern: re.Pattern[str] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        parts, position = [], 0
        for found in _PARAMETER.finditer(self.path):
            parts.append(re.escape(self.path[position : found.start()]))
            parts.append(f"(?P<{found[1]}>{'.+' if found[2] else '[^/]+'})")
            position = found.end()
        parts.append(re.escape(self.path[position:]))
        object.__setattr__(self, "pattern", re.compile("".join(parts)))

    @property
    def changes(self) -> bool:
        """True when a request of this route may change something."""
        return self.method not in SAFE_METHODS

    @property
    def audited(self) -> bool:
        """True for what a person changes: what a page asks by itself would hide it."""
        return self.changes and self.kind in {Kind.PLAIN, Kind.UPLOAD}

    @property
    def bytes_max(self) -> int:
        """How long a body may be."""
        return UPLOAD_BYTES_MAX if self.kind is Kind.UPLOAD else BODY_BYTES_MAX


def find(rows: Sequence[Row], method: str, path: str) -> tuple[Row, Mapping[str, str]] | None:
    """The row of a request with its parameters, or None."""
    wanted = "GET" if method == "HEAD" else method
    for row in rows:
        if row.method == wanted and (found := row.pattern.fullmatch(path)):
            return row, found.groupdict()
    return None

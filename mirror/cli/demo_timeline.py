"""Module logs -> the moments of a failover, as a person wants to read them. Pure.

Every moment is a line that a node wrote when it happened; one that no line tells of is left out,
never guessed.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a module log. wall_us: microseconds since 1970; the lab has one clock."""

    node: str
    wall_us: int
    text: str
    fields: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Moment:
    """Something that happened, for the timeline."""

    wall_us: int
    what: str


@dataclass(frozen=True, slots=True)
class Copied:
    """What one reintegration moved, from its closing line, which both log; -1: it does not say."""

    bytes_copied: int
    bytes_compared: int
    text: str


# The first line after the fault that matches is the moment. {node} is the survivor.
_MOMENTS = (
    (r"no heartbeat|remote state unknown|peer is dead|peer lost|is out\b", "detection: {text}"),
    (r"local state ALONE", "takeover: {node} goes on alone"),
    (r"script start_prim", "start_prim begins"),
    (r"accepts connections", "start_prim: the application answers"),
    (r"local state ALONE \(?ready", "takeover complete"),
)
_REINTEGRATION_END = re.compile(r"reintegration ended|^copied", re.IGNORECASE)
_BYTES = re.compile(
    r"([\d.,]+)\s*(bytes|[KMGT]i?B)?\s*(?:bytes\s*)?(copied|compared)", re.IGNORECASE
)
_UNITS = {"": 1, "bytes": 1, "kib": 2**10, "mib": 2**20, "gib": 2**30, "tib": 2**40}


def lines_of(node: str, entries: Iterable[Mapping[str, Any]]) -> list[Line]:
    """Lines of `mirror log --json` of one node, oldest first."""
    return [
        Line(node, _wall_us(entry), str(entry.get("text", "")), entry.get("fields") or {})
        for entry in entries
    ]


def failover(lines: Iterable[Line], survivor: str, since_us: int) -> list[Moment]:
    """The moments of a takeover by `survivor` after a fault, in order of time."""
    after = [line for line in lines if line.node == survivor and line.wall_us >= since_us]
    moments = []
    for pattern, what in _MOMENTS:
        found = next(
            (line for line in after if re.search(pattern, line.text, re.IGNORECASE)), None
        )
        if found is not None:
            moments.append(Moment(found.wall_us, what.format(node=survivor, text=found.text)))
    return sorted(moments, key=lambda moment: moment.wall_us)


def copied(lines: Iterable[Line], since_us: int) -> Copied | None:
    """What the last reintegration after that time moved; None when no line tells of one."""
    ended = [
        line for line in lines if line.wall_us >= since_us and _REINTEGRATION_END.search(line.text)
    ]
    if not ended:
        return None
    line = max(ended, key=lambda one: ("bytes_copied" in one.fields, one.wall_us))
    said = {what.lower(): _number(value, unit) for value, unit, what in _BYTES.findall(line.text)}
    return Copied(
        bytes_copied=int(line.fields.get("bytes_copied", said.get("copied", -1))),
        bytes_compared=int(line.fields.get("bytes_compared", said.get("compared", -1))),
        text=line.text,
    )


def _number(value: str, unit: str) -> int:
    return round(float(value.replace(",", "")) * _UNITS.get(unit.lower(), 1))


def _wall_us(entry: Mapping[str, Any]) -> int:
    """When: as a number, or in the form of SafeKit's logs, which is local time."""
    if "time_us" in entry:
        return int(entry["time_us"])
    moment = datetime.fromisoformat(str(entry["time"])).astimezone()
    return round(moment.timestamp() * 1e6)

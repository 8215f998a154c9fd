"""Durations and sizes as people write them, and as they like to read them.

In the program a duration is a whole number of milliseconds and a size a whole number of bytes; the
unit is in the name of every field that holds one. Source: userconfig.xml, where a bare number has
the unit of its attribute and `d h m s ms us` may follow it.
"""

import re
from typing import Literal, get_args

from mirror.errors import UnitRefused
from mirror.vocabulary.said import say

DurationUnit = Literal["us", "ms", "s", "m", "h", "d"]
DURATION_UNITS: tuple[DurationUnit, ...] = get_args(DurationUnit)
US_PER_UNIT: dict[str, int] = {
    "us": 1,
    "ms": 1_000,
    "s": 1_000_000,
    "m": 60_000_000,
    "h": 3_600_000_000,
    "d": 86_400_000_000,
}
DURATION_MS_MAX = 10 * 366 * 86_400_000  # ten years: above it, somebody mistook the unit

SizeUnit = Literal["B", "K", "M", "G", "T"]
BYTES_PER_UNIT: dict[str, int] = {"B": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}
SIZE_BYTES_MAX = 2**60

_NUMBER_AND_UNIT = re.compile(r"\s*([0-9]{1,18})\s*([A-Za-z]*)\s*", re.ASCII)


def parse_duration_ms(text: str, bare_unit: DurationUnit) -> int:
    """Read "30", "30s", "500 ms" into milliseconds, rounded half up.

    bare_unit: unit of a number that has none. `0` is allowed; what merely rounds to 0 of bare_unit
    is refused, as in SafeKit: "1ms" where seconds are meant is a mistake.
    Raises: UnitRefused (MIR-110).
    """
    what = say("what.duration")
    allowed = say("unit.duration", units=" ".join(reversed(DURATION_UNITS)))
    matched = _NUMBER_AND_UNIT.fullmatch(text)
    unit = (matched[2] or bare_unit) if matched else ""
    if not matched or unit not in US_PER_UNIT:
        raise UnitRefused(what=what, text=text, observed=say("unit.unknown"), allowed=allowed)
    microseconds = int(matched[1]) * US_PER_UNIT[unit]
    if 0 < microseconds * 2 < US_PER_UNIT[bare_unit]:
        observed = say("unit.rounds", unit=bare_unit)
        raise UnitRefused(what=what, text=text, observed=observed, allowed=say("unit.zero"))
    milliseconds = (microseconds + 500) // 1_000
    if milliseconds > DURATION_MS_MAX:
        raise UnitRefused(what=what, text=text, observed=say("unit.years"), allowed=allowed)
    return milliseconds


def parse_size_bytes(text: str, bare_unit: SizeUnit) -> int:
    """Read "2048", "64K", "8 MiB" into bytes; K M G T are powers of 1024.

    bare_unit: unit of a number that has none. Raises: UnitRefused (MIR-110).
    """
    what, allowed = say("what.size"), say("unit.duration", units="B K M G T")
    matched = _NUMBER_AND_UNIT.fullmatch(text)
    unit = ""
    if matched:
        unit = matched[2].upper().removesuffix("B").removesuffix("I") or (
            "B" if matched[2] else ""
        )
        unit = unit or bare_unit
    if not matched or unit not in BYTES_PER_UNIT:
        raise UnitRefused(what=what, text=text, observed=say("unit.unknown"), allowed=allowed)
    size_bytes = int(matched[1]) * BYTES_PER_UNIT[unit]
    if size_bytes > SIZE_BYTES_MAX:
        raise UnitRefused(what=what, text=text, observed=say("unit.exbibyte"), allowed=allowed)
    return size_bytes


def format_duration(duration_ms: int) -> str:
    """Write for people, two units at most: "4 min 12 s", "1.3 s", "40 ms", "6 d 2 h"."""
    assert duration_ms >= 0
    if duration_ms < 1_000:
        return f"{duration_ms} ms"
    if duration_ms < 10_000:
        tenths = duration_ms // 100
        return f"{tenths // 10}.{tenths % 10} s" if tenths % 10 else f"{tenths // 10} s"
    seconds = duration_ms // 1_000
    for size, name, smaller_size, smaller_name in (
        (86_400, "d", 3_600, "h"),
        (3_600, "h", 60, "min"),
        (60, "min", 1, "s"),
    ):
        if seconds >= size:
            rest = seconds % size // smaller_size
            return f"{seconds // size} {name}" + (f" {rest} {smaller_name}" if rest else "")
    return f"{seconds} s"


def format_size(size_bytes: int) -> str:
    """Write for people: "512 B", "1.3 GiB"."""
    assert size_bytes >= 0
    if size_bytes < 1024:
        return f"{size_bytes} B"
    value = float(size_bytes)
    units = ["PiB", "TiB", "GiB", "MiB", "KiB"]
    value /= 1024
    while round(value, 1) >= 1024 and len(units) > 1:
        value /= 1024
        units.pop()
    return f"{value:.1f}".removesuffix(".0") + f" {units[-1]}"

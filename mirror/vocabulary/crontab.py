"""When a schedule in crontab's notation is due: a pure function of local calendar fields.

Five fields: minute, hour, day of month, month, day of week; each `*`, a number, a name, a range, a
list, with a step. `@hourly` and its like are short for five. As cron does: when both days are
restricted, either is enough. It knows no clock: whoever asks gives the minute.
"""

from dataclasses import dataclass
from typing import NamedTuple

from mirror.vocabulary.said import Misread, Said, say

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
SHORT = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}


class Minute(NamedTuple):
    """One minute of a local calendar. weekday: 0 is Sunday."""

    minute: int
    hour: int
    day: int
    month: int
    weekday: int


class _Field(NamedTuple):
    said: Said
    first: int
    last: int
    names: tuple[str, ...] = ()


FIELDS = (
    _Field(say("crontab.minute"), 0, 59),
    _Field(say("crontab.hour"), 0, 23),
    _Field(say("crontab.day"), 1, 31),
    _Field(say("crontab.month"), 1, 12, MONTHS),
    _Field(say("crontab.weekday"), 0, 7, DAYS),
)
LONGEST_MONTH = {2: 29, 4: 30, 6: 30, 9: 30, 11: 30}


@dataclass(frozen=True, slots=True)
class Crontab:
    """A schedule. any_day, any_weekday: the field was `*`, so the other one alone decides."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    any_day: bool
    any_weekday: bool

    @classmethod
    def parse(cls, text: str) -> "Crontab":
        """Read a schedule. Raises: Misread with a sentence that names the field."""
        words = SHORT.get(text.strip().lower(), text).split()
        if len(words) != len(FIELDS):
            short = ", ".join(sorted(SHORT))
            raise Misread(say("crontab.fields", text=text.strip(), count=len(words), short=short))
        values = [_values(field, word) for field, word in zip(FIELDS, words, strict=True)]
        minutes, hours, days, months, weekdays = values
        weekdays = frozenset(day % 7 for day in weekdays)
        any_day, any_weekday = words[2].startswith("*"), words[4].startswith("*")
        never = all(min(days) > LONGEST_MONTH.get(month, 31) for month in months)
        if never and any_weekday:
            raise Misread(say("crontab.never", text=text.strip()))
        return cls(minutes, hours, days, months, weekdays, any_day, any_weekday)

    def matches(self, at: Minute) -> bool:
        """Tell whether the schedule is due in this minute."""
        if (
            at.minute not in self.minutes
            or at.hour not in self.hours
            or at.month not in self.months
        ):
            return False
        day, weekday = at.day in self.days, at.weekday in self.weekdays
        if self.any_day or self.any_weekday:
            return day and weekday
        return day or weekday


def _values(field: _Field, word: str) -> frozenset[int]:
    found: set[int] = set()
    for part in word.split(","):
        span, _, step_text = part.partition("/")
        step = _number(field, step_text, part) if "/" in part else 1
        if step < 1:
            raise Misread(say("crontab.step", field=field.said, part=part))
        if span == "*":
            first, last = field.first, field.last
        else:
            low, dash, high = span.partition("-")
            first = _value(field, low, part)
            last = _value(field, high, part) if dash else first
            if not dash and "/" in part:
                last = field.last
        if last < first:
            raise Misread(say("crontab.backwards", field=field.said, part=part))
        found.update(range(first, last + 1, step))
    return frozenset(found)


def _value(field: _Field, text: str, part: str) -> int:
    name = text.lower()
    if name in field.names:
        return field.names.index(name) + field.first
    value = _number(field, text, part)
    if not field.first <= value <= field.last:
        bounds = {"minimum": field.first, "maximum": field.last}
        raise Misread(say("crontab.outside", field=field.said, part=part, **bounds))
    return value


def _number(field: _Field, text: str, part: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise Misread(say("crontab.word", field=field.said, part=part))
    return int(text)

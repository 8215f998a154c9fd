"""Schedules in crontab's notation."""

import pytest

from mirror.vocabulary.crontab import Crontab, Minute

# 2026-03-01 is a Sunday.
SUNDAY, MONDAY = Minute(30, 4, 1, 3, 0), Minute(30, 4, 2, 3, 1)


@pytest.mark.parametrize(
    ("text", "sunday", "monday"),
    [
        ("* * * * *", True, True),
        ("30 4 * * *", True, True),
        ("31 4 * * *", False, False),
        ("*/15 * * * *", True, True),
        ("*/7 * * * *", False, False),
        ("0-29,30 4-6 * * *", True, True),
        ("30 4 * * 0", True, False),
        ("30 4 * * 7", True, False),
        ("30 4 * * mon", False, True),
        ("30 4 2 * *", False, True),
        ("30 4 1 * mon", True, True),  # either day is enough
        ("30 4 * MAR Sun", True, False),
        ("30 4 * 4-12 *", False, False),
        ("30 4 * 3/2 *", True, True),
        ("@hourly", False, False),
    ],
)
def test_when_it_is_due(text: str, sunday: bool, monday: bool) -> None:
    schedule = Crontab.parse(text)
    assert (schedule.matches(SUNDAY), schedule.matches(MONDAY)) == (sunday, monday)


def test_short_names_stand_for_five_fields() -> None:
    assert Crontab.parse("@daily") == Crontab.parse("0 0 * * *")
    assert Crontab.parse(" @weekly ").matches(Minute(0, 0, 1, 3, 0))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "has 0 fields"),
        ("* * * *", "has 4 fields"),
        ("@often", "@hourly"),
        ("60 * * * *", 'minute: "60": allowed is 0 to 59'),
        ("* 24 * * *", "hour"),
        ("* * 0 * *", "day of month"),
        ("* * * foo *", "month"),
        ("* * * * 8", "day of week"),
        ("5-1 * * * *", "backwards"),
        ("*/0 * * * *", "a step is 1 or more"),
        ("1,,2 * * * *", "not a number"),
        ("-1 * * * *", "not a number"),
        ("0 0 31 2 *", "never due"),
    ],
)
def test_what_is_no_schedule_is_refused_by_field(text: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        Crontab.parse(text)

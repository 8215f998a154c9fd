"""Durations and sizes, as written in userconfig.xml and as shown on every surface."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirror.errors import UnitRefused
from mirror.vocabulary.units import (
    DURATION_UNITS,
    US_PER_UNIT,
    DurationUnit,
    SizeUnit,
    format_duration,
    format_size,
    parse_duration_ms,
    parse_size_bytes,
)


@pytest.mark.parametrize(
    ("text", "bare_unit", "expected_ms"),
    [
        ("700", "ms", 700),
        ("30000ms", "ms", 30_000),
        ("30s", "ms", 30_000),
        ("24", "h", 86_400_000),
        ("1d", "h", 86_400_000),
        ("10m", "m", 600_000),
        ("0", "s", 0),
        ("0ms", "s", 0),
        (" 5 s ", "ms", 5_000),
        ("1500us", "ms", 2),
        ("500us", "ms", 1),
        ("700ms", "s", 700),
    ],
)
def test_durations(text: str, bare_unit: DurationUnit, expected_ms: int) -> None:
    assert parse_duration_ms(text, bare_unit) == expected_ms


@pytest.mark.parametrize(
    "text", ["", "s", "-1", "1.5s", "1h30m", "3 weeks", "9" * 19, "\u0661", "1S"]
)
def test_durations_refused(text: str) -> None:
    with pytest.raises(UnitRefused):
        parse_duration_ms(text, "ms")


@pytest.mark.parametrize(("text", "bare_unit"), [("1ms", "s"), ("499us", "ms"), ("29s", "m")])
def test_what_rounds_to_zero_is_refused(text: str, bare_unit: DurationUnit) -> None:
    with pytest.raises(UnitRefused, match="rounds to 0"):
        parse_duration_ms(text, bare_unit)


@given(st.integers(1, 3_600), st.sampled_from(DURATION_UNITS))
def test_a_unit_that_is_written_out_means_the_same_as_the_bare_one(
    number: int, unit: DurationUnit
) -> None:
    assert parse_duration_ms(f"{number}{unit}", unit) == parse_duration_ms(str(number), unit)
    assert parse_duration_ms(str(number), unit) == (number * US_PER_UNIT[unit] + 500) // 1000


@pytest.mark.parametrize(
    ("text", "bare_unit", "expected_bytes"),
    [
        ("2048", "K", 2 * 2**20),
        ("8388608", "B", 8 * 2**20),
        ("64K", "B", 65_536),
        ("8 MiB", "B", 8 * 2**20),
        ("1gb", "B", 2**30),
        ("5B", "K", 5),
    ],
)
def test_sizes(text: str, bare_unit: SizeUnit, expected_bytes: int) -> None:
    assert parse_size_bytes(text, bare_unit) == expected_bytes


@pytest.mark.parametrize("text", ["", "K", "-1", "1.5K", "3X", "999999999T"])
def test_sizes_refused(text: str) -> None:
    with pytest.raises(UnitRefused):
        parse_size_bytes(text, "B")


@pytest.mark.parametrize(
    ("duration_ms", "text"),
    [
        (0, "0 ms"),
        (40, "40 ms"),
        (1_000, "1 s"),
        (1_399, "1.3 s"),
        (59_999, "59 s"),
        (252_000, "4 min 12 s"),
        (3_600_000, "1 h"),
        (526_000_000, "6 d 2 h"),
    ],
)
def test_durations_for_people(duration_ms: int, text: str) -> None:
    assert format_duration(duration_ms) == text


@pytest.mark.parametrize(
    ("size_bytes", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1 KiB"),
        (1_395_864_371, "1.3 GiB"),
        (2**20 - 1, "1 MiB"),
    ],
)
def test_sizes_for_people(size_bytes: int, text: str) -> None:
    assert format_size(size_bytes) == text

"""Clocks agree with the kernel's, and what is printed sorts and reads as SafeKit's."""

import re
import time

import pytest

from mirror.adapters import clock


def test_boottime_is_the_clock_that_counts_a_suspend() -> None:
    before = time.clock_gettime(time.CLOCK_BOOTTIME) * 1000
    assert before - 1 <= clock.boottime_ms() <= time.clock_gettime(time.CLOCK_BOOTTIME) * 1000
    assert clock.monotonic_ms() <= clock.boottime_ms()


def test_wall_text_is_as_in_safekit_logs() -> None:
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.000042", clock.wall_text(42))


def test_file_stamps_sort_as_time_goes() -> None:
    now_us = clock.wall_us()
    earlier, later = clock.wall_file_stamp(now_us), clock.wall_file_stamp(now_us + 1000)
    assert earlier < later
    assert "/" not in earlier


def test_a_minute_of_the_local_calendar(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Europe/Paris")
    time.tzset()
    try:
        assert clock.local_minute(1_772_325_000_000_000) == (30, 1, 1, 3, 0)  # a Sunday
    finally:
        monkeypatch.undo()
        time.tzset()

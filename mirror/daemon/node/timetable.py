"""Calls something at the times of a schedule, while a task runs. Decides nothing.

A minute counts once, also when the clock is set back within it; minutes that passed while the host
slept, or that a clock set forward left out, are not made up for.
"""

import asyncio
from collections.abc import Callable

from mirror.adapters import clock
from mirror.vocabulary.crontab import Crontab, Minute

MINUTE_US = 60_000_000


async def at_times(schedule: Crontab, act: Callable[[], None]) -> None:
    """Call `act` in every minute that the schedule names, until cancelled."""
    last = clock.wall_us() // MINUTE_US
    while True:
        now_us = clock.wall_us()
        minute = now_us // MINUTE_US
        if minute != last and schedule.matches(Minute(*clock.local_minute(now_us))):
            act()
        last = minute
        await asyncio.sleep((MINUTE_US - now_us % MINUTE_US) / 1_000_000 + 0.01)

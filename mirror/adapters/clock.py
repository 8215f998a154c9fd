"""The only reader of time for daemon and core, which get it as a value.

Three clocks, because they answer three questions: how long a step took, how long the host was
really away, and what to print. Nothing is ever decided by wall time: it jumps.
"""

import time
from datetime import UTC, datetime

_NS_PER_MS = 1_000_000
_NS_PER_US = 1_000
_CLOCK_REALTIME_COARSE = 5  # linux/time.h; Python has no name for it


def monotonic_ms() -> int:
    """Milliseconds that never jump and stop during a suspend. For durations of our own work."""
    return time.monotonic_ns() // _NS_PER_MS


def boottime_ms() -> int:
    """Milliseconds that never jump and count a suspend. For silence, timeouts and stalls.

    A host that slept for a minute must find its minute gone, or it would believe itself PRIM
    while its peer took over long ago.
    """
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // _NS_PER_MS


def boottime_us() -> int:
    """As boottime_ms, in microseconds: for jitter."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // _NS_PER_US


def boottime_us_of(wall_ns: int) -> int:
    """When that was by the boot clock, in microseconds: for what the kernel stamps by wall time.

    wall_ns: a moment just now, in nanoseconds since 1970. Who decides by it bounds it: wall time
    may have jumped since.
    """
    return boottime_us() - (time.time_ns() - wall_ns) // _NS_PER_US


def wall_us() -> int:
    """Microseconds since 1970, for people and logs only."""
    return time.time_ns() // _NS_PER_US


def file_ns() -> int:
    """The kernel's present stamp for ctime, nanoseconds since 1970: to compare with a ctime only.

    A change that comes later cannot have a lower one, unless somebody set the clock back.
    """
    return time.clock_gettime_ns(_CLOCK_REALTIME_COARSE)


def wall_text(time_us: int) -> str:
    """Local wall time as SafeKit's logs print it: `2021-08-06 08:40:20.909224`."""
    moment = datetime.fromtimestamp(time_us // 1_000_000, tz=UTC).astimezone()
    return f"{moment:%Y-%m-%d %H:%M:%S}.{time_us % 1_000_000:06d}"


def wall_file_stamp(time_us: int) -> str:
    """Local wall time for a file name: `2021-08-06T084020.909`, sorting as time goes."""
    moment = datetime.fromtimestamp(time_us // 1_000_000, tz=UTC).astimezone()
    return f"{moment:%Y-%m-%dT%H%M%S}.{time_us % 1_000_000 // 1000:03d}"


def local_minute(time_us: int) -> tuple[int, int, int, int, int]:
    """Minute, hour, day, month and weekday (0: Sunday) of a wall time, in this host's zone."""
    moment = datetime.fromtimestamp(time_us // 1_000_000, tz=UTC).astimezone()
    return moment.minute, moment.hour, moment.day, moment.month, moment.isoweekday() % 7

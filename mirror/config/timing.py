"""Heartbeat timing, resolved in one place: profile, then what is written out.

`fast` and `standard` are ours. A file without profile, pulse and timeout gets SafeKit's, so that a
configuration that was copied from a SafeKit cluster behaves as it did there.
"""

from dataclasses import dataclass

from mirror.config.models import Profile

# At least this many packets must be missed, or one lost packet would be a lost node.
PULSES_PER_TIMEOUT_MIN = 2


@dataclass(frozen=True, slots=True)
class HeartTiming:
    """pulse_ms: between two packets; timeout_ms: silence after which the peer is lost."""

    pulse_ms: int
    timeout_ms: int


PROFILES: dict[Profile, HeartTiming] = {
    "fast": HeartTiming(pulse_ms=100, timeout_ms=1_000),
    "standard": HeartTiming(pulse_ms=500, timeout_ms=5_000),
    "safekit": HeartTiming(pulse_ms=700, timeout_ms=30_000),
}


def resolve_heart_timing(
    profile: Profile | None, pulse_ms: int | None, timeout_ms: int | None
) -> HeartTiming:
    """What is written wins over the profile; no profile is SafeKit's."""
    base = PROFILES[profile or "safekit"]
    return HeartTiming(
        pulse_ms=base.pulse_ms if pulse_ms is None else pulse_ms,
        timeout_ms=base.timeout_ms if timeout_ms is None else timeout_ms,
    )

"""In which profile of heartbeats a life goes: what follows from a timeout takes as long as it.

Pauses between faults, and how long a fault lasts, are in proportion to the timeout, or as short as
in the fast profile: so a fault meets the waiting for a timeout as well as what takes milliseconds.
"""

from dataclasses import dataclass

from mirror.config.models import Profile
from mirror.config.timing import PROFILES

TICKS_PER_TIMEOUT, TICK_MS_MAX = 10, 500  # as module_runner.py has them
LOOK_S_MAX = 0.5
PING_S_MAX = 3.0
# Seeds before are all fast: what failed once is told by them, and they are what the tests run.
MIXED_FROM = 10_000
MIXED: tuple[Profile, ...] = ("fast", "standard", *("safekit",) * 4)


@dataclass(frozen=True)
class Timing:
    """timeout_ms: silence after which a peer is lost; the rest goes by it."""

    pulse_s: float
    timeout_ms: int
    tick_ms: int

    @property
    def slower(self) -> float:
        """How many times slower than the fast profile: 1, 5 or 30."""
        return self.timeout_ms / PROFILES["fast"].timeout_ms

    @property
    def ping_s(self) -> float:
        """Between two signs of life of a data link."""
        return min(0.1 * self.slower, PING_S_MAX)

    @property
    def look_s(self) -> float:
        """Between two looks of those who wait for a state."""
        return min(0.05 * self.slower, LOOK_S_MAX)


def timing(profile: Profile) -> Timing:
    """Give the timing of a profile; fast ones tick twice as often as real ones."""
    heart = PROFILES[profile]
    tick_ms = min(heart.timeout_ms // TICKS_PER_TIMEOUT, TICK_MS_MAX)
    return Timing(heart.pulse_ms / 1000, heart.timeout_ms, 50 if profile == "fast" else tick_ms)


def profile_of(seed: int) -> Profile:
    """Give the profile of a seed; most mixed ones have SafeKit's, as files without one do."""
    return "fast" if seed < MIXED_FROM else MIXED[seed // 2 % len(MIXED)]

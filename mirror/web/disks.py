"""How full the disks of the modules are, and when they will be full at the rate of late.

Looked at now and then by a program, because a replicated directory may not answer; then the last
figures stay, with their time.
"""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mirror.adapters import clock
from mirror.errors import MirrorError
from mirror.web.command_line import CommandLine
from mirror.web.models.state import DiskSpace

LOOK_S = 5.0
SAMPLES_MAX = 60
# A rate over less than this is a moment's, and would cry wolf.
RATE_OVER_US_MIN = 5 * 60 * 1_000_000
AHEAD_US_MAX = 30 * 24 * 3600 * 1_000_000


@dataclass(frozen=True, slots=True)
class Sample:
    """One look. time_us: wall time, for people only."""

    time_us: int
    used_bytes: int
    total_bytes: int


class Disks:
    """Used by one event loop."""

    def __init__(self, command_line: CommandLine) -> None:
        self._command_line = command_line
        self._samples: dict[str, deque[Sample]] = {}

    async def look(self, directories: Sequence[str]) -> None:
        """Look at these directories; what does not answer in time is not noted."""
        wanted = list(dict.fromkeys(directories))
        for gone in set(self._samples) - set(wanted):
            del self._samples[gone]
        if not wanted:
            return
        try:
            found = await self._command_line.program(
                "mirror.adapters.disk_space", *wanted, what="free space", timeout_s=LOOK_S
            )
        except MirrorError:
            return
        now_us = clock.wall_us()
        for directory, (used, total) in found.items():
            samples = self._samples.setdefault(directory, deque(maxlen=SAMPLES_MAX))
            samples.append(Sample(now_us, used, total))

    def fullest(self, directories: Sequence[str]) -> DiskSpace | None:
        """The fullest of the disks that these directories lie on; None when none was seen."""
        seen = [(one, self._samples[one]) for one in directories if self._samples.get(one)]
        if not seen:
            return None
        directory, samples = max(seen, key=lambda one: _part(one[1][-1]))
        last = samples[-1]
        return DiskSpace(
            directory=directory,
            used_bytes=last.used_bytes,
            total_bytes=last.total_bytes,
            full_at_us=full_at_us(samples),
            time_us=last.time_us,
        )

    def of_modules(self, modules: Mapping[str, Sequence[str]]) -> dict[str, DiskSpace | None]:
        """The fullest disk of each module, by its name."""
        return {name: self.fullest(directories) for name, directories in modules.items()}


def full_at_us(samples: Sequence[Sample]) -> int | None:
    """When the disk will be full, if it goes on as it did; None: not soon, or not known."""
    first, last = samples[0], samples[-1]
    if last.time_us - first.time_us < RATE_OVER_US_MIN:
        return None
    # The slower half counts: one large file that was copied is no trend.
    half_us = (first.time_us + last.time_us) // 2
    middle = min(samples, key=lambda one: abs(one.time_us - half_us))
    free = last.total_bytes - last.used_bytes
    ahead_us = 0
    for begun, ended in ((first, middle), (middle, last)):
        over_us, grown = ended.time_us - begun.time_us, ended.used_bytes - begun.used_bytes
        if grown <= 0 or over_us <= 0:
            return None
        ahead_us = max(ahead_us, free * over_us // grown)
    return last.time_us + ahead_us if ahead_us <= AHEAD_US_MAX else None


def _part(sample: Sample) -> float:
    return sample.used_bytes / sample.total_bytes if sample.total_bytes else 0.0

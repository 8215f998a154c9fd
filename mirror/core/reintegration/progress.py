"""How far a reintegration is: a value for every surface, and the closing line (design 10.3)."""

import json
from collections import deque
from dataclasses import asdict, dataclass
from enum import StrEnum

PENDING_SHOWN_MAX = 20
RATE_OVER_MS = 10_000  # long enough to be calm, short enough to follow a change


class Phase(StrEnum):
    """Phases, in order."""

    CHECKING = "checking"  # what was changed while nothing watched is looked for
    NAMES = "names"
    KEEPING = "keeping"  # what the target would lose is compared, and kept aside there
    DATA = "data"
    ATTRIBUTES = "attributes"
    END = "end"


@dataclass(frozen=True, slots=True)
class Progress:
    """What is done and left. Bytes are those of files looked at: equal ones count as done.

    rate_bytes_s: over the last ten seconds. eta_s: None when nobody can know.
    pending: the first names that are waited for.
    """

    phase: Phase
    files_done: int
    files_left: int
    bytes_done: int
    bytes_left: int
    bytes_copied: int
    rate_bytes_s: int
    eta_s: int | None
    pending: tuple[str, ...]

    def as_fields(self) -> dict[str, object]:
        """Plain values, for an event."""
        return asdict(self) | {"phase": self.phase.value, "pending": list(self.pending)}


@dataclass(frozen=True, slots=True)
class Outcome:
    """A reintegration that has ended well."""

    files: int
    bytes_copied: int
    bytes_compared: int
    seconds: float

    def to_bytes(self) -> bytes:
        """The figures as EndSync carries them, for SECOND's module log."""
        return json.dumps(asdict(self)).encode()

    @classmethod
    def from_bytes(cls, data: bytes) -> "Outcome":
        """Read them. Raises: ValueError, TypeError for anything else."""
        values = json.loads(data)
        return cls(
            int(values["files"]),
            int(values["bytes_copied"]),
            int(values["bytes_compared"]),
            float(values["seconds"]),
        )


class Meter:
    """Counts, and makes a Progress of it. Time is an input; guarded by its owner."""

    def __init__(self, now_ms: int) -> None:
        self.phase = Phase.NAMES
        self.files_total = 0
        self.files_done = 0
        self.bytes_total = 0
        self.bytes_done = 0
        self.bytes_copied = 0
        self._samples: deque[tuple[int, int]] = deque([(now_ms, 0)])

    def begin(self, phase: Phase, files_total: int, bytes_total: int, now_ms: int) -> None:
        """A phase that counts anew."""
        self.phase, self.files_total, self.bytes_total = phase, files_total, bytes_total
        self.files_done = self.bytes_done = self.bytes_copied = 0
        self._samples = deque([(now_ms, 0)])

    def show(self, now_ms: int, pending: tuple[str, ...]) -> Progress:
        """What stands now; each call is a sample of the rate."""
        self._samples.append((now_ms, self.bytes_done))
        while len(self._samples) > 2 and now_ms - self._samples[1][0] >= RATE_OVER_MS:
            self._samples.popleft()
        then_ms, then_bytes = self._samples[0]
        elapsed_ms = now_ms - then_ms
        rate = (self.bytes_done - then_bytes) * 1_000 // elapsed_ms if elapsed_ms > 0 else 0
        left = max(0, self.bytes_total - self.bytes_done)
        return Progress(
            phase=self.phase,
            files_done=self.files_done,
            files_left=max(0, self.files_total - self.files_done),
            bytes_done=self.bytes_done,
            bytes_left=left,
            bytes_copied=self.bytes_copied,
            rate_bytes_s=rate,
            eta_s=self._eta_s(left, rate),
            pending=pending[:PENDING_SHOWN_MAX],
        )

    def _eta_s(self, left: int, rate: int) -> int | None:
        if self.phase in (Phase.CHECKING, Phase.NAMES):
            return None  # how much data there is, the names will tell
        if left == 0:
            return 0
        return -(-left // rate) if rate > 0 else None

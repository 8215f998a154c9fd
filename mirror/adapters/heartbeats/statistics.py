"""What is known of one heartbeat network: counters, jitter, ages. The thread fills it."""

from collections import Counter, deque
from dataclasses import dataclass, field

from mirror.adapters.heartbeats.settings import Lan

_QUANTILES_EVERY_US = 500_000
SAMPLES_MAX = 1024  # about twelve minutes at the default pulse


@dataclass(frozen=True, slots=True)
class LanStatistics:
    """A copy for whoever asks.

    last_heard_ms: age of the last believed packet with this module in it, -1 never; heard_count
    counts those. All other counters are of the datagrams of this network, which the modules of a
    node share. peer_heard_ms: by its own word, how long ago the peer heard us here when it sent
    its last packet, -1 never: a one-way cut shows as a small last_heard_ms beside a great
    peer_heard_ms. peer_loop_ms: age of the last turn of the peer's control loop. Jitter: how much
    later or earlier than the one before a packet arrived here, by the kernel's word. Late: for how
    long packets then waited to be read.
    """

    lan: str
    silent: bool
    last_heard_ms: int
    peer_heard_ms: int
    peer_loop_ms: int
    heard_count: int
    lost_count: int
    sent_count: int
    send_failed_count: int
    jitter_p50_us: int
    jitter_p99_us: int
    jitter_max_us: int
    late_p99_us: int
    late_max_us: int
    refused: dict[str, int]


@dataclass(slots=True)
class LanHearing:
    """How one module is heard on one network, and when its next pulse is due there."""

    lan: Lan
    next_pulse_us: int
    last_heard_us: int | None = None
    silent_since_us: int | None = None
    heard_count: int = 0


@dataclass(slots=True)
class LanRecord:
    """The thread's own counters of one network. One writer; read through `copy` under its lock."""

    last_heard_us: int | None = None
    last_sent_by_peer_us: int = 0
    last_seq: int = 0
    peer_heard_ms: int = -1
    peer_loop_ms: int = -1
    lost_count: int = 0
    sent_count: int = 0
    send_failed_count: int = 0
    jitter_max_us: int = 0
    late_max_us: int = 0
    jitter_us: deque[int] = field(default_factory=lambda: deque(maxlen=SAMPLES_MAX))
    late_us: deque[int] = field(default_factory=lambda: deque(maxlen=SAMPLES_MAX))
    refused: Counter[str] = field(default_factory=Counter)
    _quantiles: tuple[int, ...] = (0, 0, 0, 0)  # when reckoned; jitter's p50, p99; late's p99

    def note_heard(self, seq: int, sent_us: int, arrived_us: int) -> None:
        """Count a believed packet that was sent at the peer's sent_us."""
        if self.last_seq and seq < self.last_seq:
            self.lost_count -= 1  # it was only late
            return
        if self.last_heard_us is not None and self.last_seq:
            self.lost_count += seq - self.last_seq - 1
            travelled_us = arrived_us - self.last_heard_us
            jitter_us = abs(travelled_us - (sent_us - self.last_sent_by_peer_us))
            self.jitter_us.append(jitter_us)
            self.jitter_max_us = max(self.jitter_max_us, jitter_us)
        self.last_seq = seq
        self.last_sent_by_peer_us = sent_us
        self.last_heard_us = arrived_us

    def note_read(self, late_us: int) -> None:
        """Count how long it waited."""
        self.late_us.append(late_us)
        self.late_max_us = max(self.late_max_us, late_us)

    def copy(self, hearing: LanHearing, now_us: int) -> LanStatistics:
        """Counters as they are now, for one module."""
        if now_us - self._quantiles[0] > _QUANTILES_EVERY_US:  # one sort for all modules
            ordered = sorted(self.jitter_us)
            p50_us, p99_us = _quantile(ordered, 50), _quantile(ordered, 99)
            self._quantiles = now_us, p50_us, p99_us, _quantile(sorted(self.late_us), 99)
        _, p50_us, p99_us, late_p99_us = self._quantiles
        heard = hearing.last_heard_us
        return LanStatistics(
            lan=hearing.lan.name,
            silent=hearing.silent_since_us is not None,
            last_heard_ms=-1 if heard is None else (now_us - heard) // 1000,
            peer_heard_ms=self.peer_heard_ms,
            peer_loop_ms=self.peer_loop_ms,
            heard_count=hearing.heard_count,
            lost_count=self.lost_count,
            sent_count=self.sent_count,
            send_failed_count=self.send_failed_count,
            jitter_p50_us=p50_us,
            jitter_p99_us=p99_us,
            jitter_max_us=self.jitter_max_us,
            late_p99_us=late_p99_us,
            late_max_us=self.late_max_us,
            refused=dict(self.refused),
        )


def _quantile(ordered: list[int], percent: int) -> int:
    """Smallest sample that is not below `percent` of all; 0 without samples."""
    if not ordered:
        return 0
    return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)]

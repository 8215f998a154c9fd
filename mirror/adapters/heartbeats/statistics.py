"""What is known of one heartbeat network: counters, jitter, ages. The thread fills it."""

from collections import Counter, deque
from dataclasses import dataclass, field

JITTER_SAMPLES_MAX = 1024  # about twelve minutes at the default pulse


@dataclass(frozen=True, slots=True)
class LanStatistics:
    """A copy for whoever asks.

    last_heard_ms: age of the last believed packet, -1 never. peer_heard_ms: by its own word, how
    long ago the peer heard us here when it sent that packet, -1 never: a one-way cut shows as a
    small last_heard_ms beside a great peer_heard_ms. peer_loop_ms: age of the last turn of the
    peer's control loop. Jitter: how much later or earlier than the one before a packet came.
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
    refused: dict[str, int]


@dataclass(slots=True)
class LanRecord:
    """The thread's own counters of one network. One writer; read through `copy` under its lock."""

    lan: str
    last_heard_us: int | None = None
    silent_since_us: int | None = None
    last_sent_by_peer_us: int = 0
    last_seq: int = 0
    peer_heard_ms: int = -1
    peer_loop_ms: int = -1
    heard_count: int = 0
    lost_count: int = 0
    sent_count: int = 0
    send_failed_count: int = 0
    jitter_max_us: int = 0
    jitter_us: deque[int] = field(default_factory=lambda: deque(maxlen=JITTER_SAMPLES_MAX))
    refused: Counter[str] = field(default_factory=Counter)

    def note_heard(self, seq: int, sent_us: int, now_us: int, *, same_incarnation: bool) -> None:
        """Count a believed packet that was sent at the peer's sent_us and read at now_us."""
        if same_incarnation and self.last_heard_us is not None and self.last_seq:
            self.lost_count += seq - self.last_seq - 1
            travelled_us = now_us - self.last_heard_us
            jitter_us = abs(travelled_us - (sent_us - self.last_sent_by_peer_us))
            self.jitter_us.append(jitter_us)
            self.jitter_max_us = max(self.jitter_max_us, jitter_us)
        self.last_seq = seq
        self.last_sent_by_peer_us = sent_us
        self.last_heard_us = now_us
        self.heard_count += 1

    def copy(self, now_us: int) -> LanStatistics:
        """Counters as they are now."""
        ordered = sorted(self.jitter_us)
        heard = self.last_heard_us
        return LanStatistics(
            lan=self.lan,
            silent=self.silent_since_us is not None,
            last_heard_ms=-1 if heard is None else (now_us - heard) // 1000,
            peer_heard_ms=self.peer_heard_ms,
            peer_loop_ms=self.peer_loop_ms,
            heard_count=self.heard_count,
            lost_count=self.lost_count,
            sent_count=self.sent_count,
            send_failed_count=self.send_failed_count,
            jitter_p50_us=_quantile(ordered, 50),
            jitter_p99_us=_quantile(ordered, 99),
            jitter_max_us=self.jitter_max_us,
            refused=dict(self.refused),
        )


def _quantile(ordered: list[int], percent: int) -> int:
    """Smallest sample that is not below `percent` of all; 0 without samples."""
    if not ordered:
        return 0
    return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)]

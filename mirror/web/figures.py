"""Rates of replication, from counters that only rise: for the page, for graphs, for /metrics.

Kept in memory: each second for a while, each quarter of a minute for a day. A counter that fell
belongs to a new data plane; the step across it has no rate.
"""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mirror.web.models.figures import Figures, History, Sample

FINE_STEP_MS, FINE_MAX = 1000, 900
COARSE_STEP_MS, COARSE_MAX = 15_000, 5760
US_PER_MS = 1000
TOLD_EVERY_MS = 1000  # by a data plane to the control plane
AT_REST = {"writes_s": 0.0, "bytes_s": 0.0, "latency_us": 0.0}
_RISING = ("changes", "replicated_bytes", "waits_ns", "waits")

PROMISES = {
    ("write", "second"): "Every change waits until the second server has it.",
    ("write", "none"): "Every change waits for the second server, fsync for both disks.",
    ("fsync", "second"): "fsync, close and changes of names wait for the second server.",
    ("fsync", "none"): "fsync and close wait for both disks.",
}
ASYNCHRONOUS = "Copies are asynchronous: the second server follows a little behind."


@dataclass(slots=True)
class _Track:
    """One module of this node."""

    counters: dict[str, int] = field(default_factory=dict)
    counted_ms: int = 0
    unchanged_ms: int = 0  # the last look since then that found all as it was; 0: there was none
    checkpoint: int = -1
    checkpoint_ms: int = 0
    shown: Figures | None = None
    fine: deque[Sample] = field(default_factory=lambda: deque(maxlen=FINE_MAX))
    coarse: deque[Sample] = field(default_factory=lambda: deque(maxlen=COARSE_MAX))
    pending: list[Sample] = field(default_factory=list)


class FigureBook:
    """The figures of each module of this node. Used by one event loop."""

    def __init__(self) -> None:
        self._tracks: dict[str, _Track] = {}

    def note(
        self, module: str, replication: Mapping[str, Any], promise: str, now_ms: int, now_us: int
    ) -> Figures | None:
        """Take what the data plane last said; give the figures of now, None when none runs.

        now_ms: the boot clock; now_us: wall time, for the graphs only.
        """
        if not replication:
            self._tracks.pop(module, None)
            return None
        track = self._tracks.setdefault(module, _Track())
        counters = {name: _whole(replication.get(name)) for name in _RISING}
        told_ms = now_ms - _whole(replication.get("age_ms"))
        checkpoint = _whole(replication.get("checkpoint"))
        if checkpoint != track.checkpoint:
            track.checkpoint, track.checkpoint_ms = checkpoint, told_ms
        elapsed_ms = told_ms - track.counted_ms
        if track.unchanged_ms:
            # The data plane is asked once a second; at the last such moment before, nothing had
            # moved, so all that did moved since then.
            steps = -(-(told_ms - track.unchanged_ms) // TOLD_EVERY_MS)
            elapsed_ms = TOLD_EVERY_MS * max(1, steps)
        if track.shown is None or elapsed_ms >= FINE_STEP_MS * 9 // 10:
            rates = _rates(track.counters, counters, elapsed_ms)
            track.counters, track.counted_ms, track.unchanged_ms = counters, told_ms, 0
            track.shown = Figures(
                **rates,
                waiting=_whole(replication.get("parked")),
                pending_places=_whole(replication.get("index")),
                recent_places=_whole(replication.get("recent")),
                unsynced_ms=max(0, told_ms - track.checkpoint_ms),
                lag_ms=(replication.get("watch") or {}).get("lag_ms"),
                promise=promise,
                age_ms=0,
            )
            _keep(track, track.shown, now_us)
        age_ms = _whole(replication.get("age_ms"))
        return track.shown.model_copy(update={"age_ms": age_ms, "promise": promise})

    def note_unchanged(self, now_ms: int, now_us: int) -> None:
        """Take it that no counter moved since the last look: graphs show that, too."""
        for track in self._tracks.values():
            last_ms = max(track.counted_ms, track.unchanged_ms)
            if track.shown is None or now_ms - last_ms < FINE_STEP_MS * 9 // 10:
                continue
            track.unchanged_ms = now_ms
            track.shown = track.shown.model_copy(update=AT_REST)
            _keep(track, track.shown, now_us)

    def history(self, module: str, node: str, since_us: int, now_us: int) -> History:
        """Samples since then: each second if it is short ago, else averages."""
        track = self._tracks.get(module, _Track())
        fine = now_us - since_us <= FINE_STEP_MS * FINE_MAX * US_PER_MS
        samples = track.fine if fine else track.coarse
        return History(
            module=module,
            node=node,
            step_ms=FINE_STEP_MS if fine else COARSE_STEP_MS,
            samples=[one for one in samples if one.time_us >= since_us],
        )


def promise_of(barrier: str, acknowledge: str, capture: str) -> str:
    """What an application may rely on, in a sentence; "" when the configuration is unknown."""
    if capture == "watch":
        return ASYNCHRONOUS
    return PROMISES.get((barrier, acknowledge), "")


def _rates(before: Mapping[str, int], now: Mapping[str, int], elapsed_ms: int) -> dict[str, float]:
    steps = {name: now[name] - before[name] for name in _RISING} if before else {}
    if not steps or elapsed_ms <= 0 or min(steps.values()) < 0:
        return dict(AT_REST)
    waits = steps["waits"]
    return {
        "writes_s": round(steps["changes"] * 1000 / elapsed_ms, 1),
        "bytes_s": round(steps["replicated_bytes"] * 1000 / elapsed_ms, 1),
        "latency_us": round(steps["waits_ns"] / waits / 1000, 1) if waits else 0.0,
    }


def _keep(track: _Track, shown: Figures, now_us: int) -> None:
    sample = Sample(
        time_us=now_us,
        **shown.model_dump(include={"writes_s", "bytes_s", "latency_us", "waiting"}),
        pending_places=shown.pending_places,
    )
    track.fine.append(sample)
    track.pending.append(sample)
    if now_us - track.pending[0].time_us >= COARSE_STEP_MS * US_PER_MS:
        track.coarse.append(_mean(track.pending))
        track.pending.clear()


def _mean(samples: Sequence[Sample]) -> Sample:
    count = len(samples)
    busy = [one.latency_us for one in samples if one.latency_us] or [0.0]
    return Sample(
        time_us=samples[-1].time_us,
        writes_s=round(sum(one.writes_s for one in samples) / count, 1),
        bytes_s=round(sum(one.bytes_s for one in samples) / count, 1),
        latency_us=round(sum(busy) / len(busy), 1),
        waiting=max(one.waiting for one in samples),
        pending_places=samples[-1].pending_places,
    )


def _whole(value: object) -> int:
    return int(value) if isinstance(value, int | float) else 0

"""Figures for Prometheus, from the same state as the pages. Pure: states in, text out.

The names and labels are a promise: the shipped dashboard and alert rules (mirror/web/operations/)
and those of users are written against them. What is not known is left out, never shown as 0.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from mirror.web.models.cluster import CertificateView
from mirror.web.models.state import ModuleState, NodeState
from mirror.web.notices import different_count, is_split

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
STATES = ("STOP", "WAIT", "ALONE", "UP", "PRIM", "SECOND", "UNKNOWN", "NOT_CONFIGURED")
US_PER_S = 1_000_000
NS_PER_S = 1_000_000_000
MS_PER_S = 1000
LABELS = ("node", "module")
JITTER = {"0.5": "jitter_p50_us", "0.99": "jitter_p99_us", "1": "jitter_max_us"}
LATE = {"0.99": "late_p99_us", "1": "late_max_us"}


@dataclass(frozen=True, slots=True)
class Counts:
    """What the console counts of itself. sent: (channel, result) -> notifications."""

    requests: Mapping[tuple[str, int], int] = field(default_factory=dict)
    streams: int = 0
    sent: Mapping[tuple[str, str], int] = field(default_factory=dict)


def metrics_text(
    nodes: Iterable[NodeState], certificates: Sequence[CertificateView], counts: Counts
) -> bytes:
    """Write the figures in Prometheus' text format."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_States(tuple(nodes), certificates, counts))
    return generate_latest(registry)


class _States(Collector):
    """A collector over one moment's states."""

    def __init__(
        self,
        nodes: Sequence[NodeState],
        certificates: Sequence[CertificateView],
        counts: Counts,
    ) -> None:
        self._nodes = nodes
        self._certificates = certificates
        self._counts = counts

    def collect(self) -> Iterator[Metric]:
        """Yield every family."""
        yield from self._of_nodes()
        yield from self._of_modules()
        yield from self._of_replication()
        yield from self._of_heartbeats()
        yield from self._of_the_console()

    def _each(self) -> Iterator[tuple[list[str], NodeState, ModuleState]]:
        for node in self._nodes:
            for name, module in node.modules.items():
                yield [node.node, name], node, module

    def _of_nodes(self) -> Iterator[Metric]:
        reachable = _gauge("node_reachable", "1: the console of the node answers", "node")
        control = _gauge("control_plane_up", "1: the control plane of the node answers", "node")
        seen = _gauge("node_seen_timestamp_seconds", "When the node's state was known", "node")
        for one in self._nodes:
            reachable.add_metric([one.node], int(one.reachable))
            control.add_metric([one.node], int(one.reachable and one.control_plane.reachable))
            seen.add_metric([one.node], one.time_us / US_PER_S)
        yield from (reachable, control, seen)
        ends = _gauge(
            "certificate_expiry_timestamp_seconds", "When a certificate ends", "node", "what"
        )
        for certificate in self._certificates:
            if certificate.not_after_us is not None:
                key = [certificate.node, certificate.what]
                ends.add_metric(key, certificate.not_after_us / US_PER_S)
        yield ends

    def _of_modules(self) -> Iterator[Metric]:
        state = _gauge("module_state", "1 for the state it is in", *LABELS, "state")
        ready = _gauge("module_ready", "1: the state is Ready", *LABELS)
        serves = _gauge("module_serves", "1: the application runs here, Ready", *LABELS)
        safe = _gauge("module_redundant", "1: both nodes hold everything", *LABELS)
        split = _gauge("module_split_brain", "1: both nodes changed data alone", *LABELS)
        left = _gauge("reintegration_left_bytes", "What is still to be looked at", *LABELS)
        used = _gauge("disk_used_bytes", "Of its fullest disk", *LABELS)
        total = _gauge("disk_total_bytes", "Of its fullest disk", *LABELS)
        full = _gauge("disk_full_timestamp_seconds", "When that disk will be full", *LABELS)
        different = _gauge("verification_different", "Of the last verification", *LABELS)
        for key, node, module in self._each():
            known = module.state if node.reachable else "UNKNOWN"
            for word in STATES:
                state.add_metric([*key, word], int(known == word))
            is_ready = node.reachable and module.ready == "Ready"
            ready.add_metric(key, int(is_ready))
            serves.add_metric(key, int(is_ready and module.state in {"PRIM", "ALONE", "UP"}))
            safe.add_metric(key, int(is_ready and module.state in {"PRIM", "SECOND"}))
            split.add_metric(key, int(is_split(module)))
            left.add_metric(key, _left(module))
            found = different_count(module)
            if found is not None:
                different.add_metric(key, found)
            disk = module.local.disk
            if disk is not None:
                used.add_metric(key, disk.used_bytes)
                total.add_metric(key, disk.total_bytes)
                if disk.full_at_us is not None:
                    full.add_metric(key, disk.full_at_us / US_PER_S)
        yield from (state, ready, serves, safe, split, left, used, total, full, different)

    def _of_replication(self) -> Iterator[Metric]:
        for name, help_text, source, scale in (
            ("replication_changes", "Changes acknowledged", "changes", 1),
            ("replication_bytes", "Bytes sent to the other node", "replicated_bytes", 1),
            ("replication_waits", "Waits for the other node's answer", "waits", 1),
            ("replication_wait_seconds", "Time waited for it", "waits_ns", NS_PER_S),
        ):
            counter = CounterMetricFamily(f"mirror_{name}", help_text, labels=LABELS)
            for key, _, module in self._each():
                value = module.replication.get(source)
                if isinstance(value, int | float):
                    counter.add_metric(key, value / scale)
            yield counter
        waiting = _gauge("replication_waiting", "Changes held back now", *LABELS)
        pending = _gauge("replication_pending_places", "Places the other node has not", *LABELS)
        unsynced = _gauge("replication_unsynced_seconds", "Since the last checkpoint", *LABELS)
        for key, _, module in self._each():
            if module.figures is not None:
                waiting.add_metric(key, module.figures.waiting)
                pending.add_metric(key, module.figures.pending_places)
                unsynced.add_metric(key, module.figures.unsynced_ms / MS_PER_S)
        yield from (waiting, pending, unsynced)

    def _of_heartbeats(self) -> Iterator[Metric]:
        labels = (*LABELS, "network")
        heard = _gauge("heartbeat_heard", "1: the other node is heard on it", *labels)
        age = _gauge("heartbeat_age_seconds", "Since the last one heard", *labels)
        jitter = _gauge("heartbeat_jitter_seconds", "How unevenly they come", *labels, "quantile")
        late = _gauge("heartbeat_late_seconds", "How long they wait unread", *labels, "quantile")
        lost = CounterMetricFamily(
            "mirror_heartbeat_lost", "Heartbeats that never came", labels=labels
        )
        for key, _, module in self._each():
            if not isinstance(module.heartbeats, Mapping):
                continue
            for network, values in module.heartbeats.items():
                if not isinstance(values, Mapping) or "silent" not in values:
                    continue
                place = [*key, str(network)]
                heard.add_metric(place, int(not values["silent"]))
                last_ms = values.get("last_heard_ms", -1)
                if last_ms >= 0:
                    age.add_metric(place, last_ms / MS_PER_S)
                for quantile, name in JITTER.items():
                    jitter.add_metric([*place, quantile], values.get(name, 0) / US_PER_S)
                for quantile, name in LATE.items():
                    late.add_metric([*place, quantile], values.get(name, 0) / US_PER_S)
                lost.add_metric(place, values.get("lost", 0))
        yield from (heard, age, jitter, late, lost)

    def _of_the_console(self) -> Iterator[Metric]:
        answered = CounterMetricFamily(
            "mirror_console_requests",
            "Requests that the console answered",
            labels=["method", "status"],
        )
        for (method, status), count in sorted(self._counts.requests.items()):
            answered.add_metric([method, str(status)], count)
        sent = CounterMetricFamily(
            "mirror_notifications",
            "Notifications, by what came of them",
            labels=["channel", "result"],
        )
        for (channel, result), count in sorted(self._counts.sent.items()):
            sent.add_metric([channel, result], count)
        yield from (answered, sent)
        yield GaugeMetricFamily(
            "mirror_console_streams", "Event streams that are open", value=self._counts.streams
        )


def _gauge(name: str, help_text: str, *labels: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"mirror_{name}", help_text, labels=labels)


def _left(module: ModuleState) -> float:
    progress = module.progress or {}
    total, done = progress.get("bytes_total"), progress.get("bytes_done")
    if isinstance(total, int | float) and isinstance(done, int | float):
        return max(0.0, float(total) - float(done))
    return 0.0

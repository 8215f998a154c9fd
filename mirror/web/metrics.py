"""Figures for Prometheus, from the same state as the pages. Pure: states in, text out."""

from collections.abc import Iterable, Iterator, Mapping

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from mirror.web.models.state import ModuleState, NodeState

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
STATES = ("STOP", "WAIT", "ALONE", "UP", "PRIM", "SECOND", "UNKNOWN", "NOT_CONFIGURED")
READINESS = ("NotReady", "Transient", "Ready")
US_PER_S = 1_000_000


class _States(Collector):
    """A collector over one moment's states."""

    def __init__(
        self, nodes: Iterable[NodeState], requests: Mapping[tuple[str, int], int], streams: int
    ) -> None:
        self._nodes = tuple(nodes)
        self._requests = requests
        self._streams = streams

    def collect(self) -> Iterator[Metric]:
        """Yield every family."""
        yield from self._of_nodes()
        yield from self._of_modules()
        answered = CounterMetricFamily(
            "mirror_console_requests",
            "Requests that the console answered",
            labels=["method", "status"],
        )
        for (method, status), count in sorted(self._requests.items()):
            answered.add_metric([method, str(status)], count)
        yield answered
        yield GaugeMetricFamily(
            "mirror_console_streams", "Event streams that are open", value=self._streams
        )

    def _of_nodes(self) -> Iterator[Metric]:
        reachable = GaugeMetricFamily(
            "mirror_node_reachable", "1: the console of the node answers", labels=["node"]
        )
        control = GaugeMetricFamily(
            "mirror_control_plane_up", "1: the control plane of the node answers", labels=["node"]
        )
        seen = GaugeMetricFamily(
            "mirror_node_seen_timestamp_seconds",
            "When the state of the node was last known",
            labels=["node"],
        )
        for one in self._nodes:
            reachable.add_metric([one.node], int(one.reachable))
            control.add_metric([one.node], int(one.reachable and one.control_plane.reachable))
            seen.add_metric([one.node], one.time_us / US_PER_S)
        yield from (reachable, control, seen)

    def _of_modules(self) -> Iterator[Metric]:
        labels = ["node", "module"]
        state = GaugeMetricFamily(
            "mirror_module_state", "1 for the state it is in", labels=[*labels, "state"]
        )
        ready = GaugeMetricFamily("mirror_module_ready", "1: the state is Ready", labels=labels)
        serves = GaugeMetricFamily(
            "mirror_module_serves", "1: the application runs here, Ready", labels=labels
        )
        safe = GaugeMetricFamily(
            "mirror_module_redundant", "1: both nodes hold everything", labels=labels
        )
        left = GaugeMetricFamily(
            "mirror_reintegration_left_bytes", "What is still to be copied", labels=labels
        )
        figures = GaugeMetricFamily(
            "mirror_replication", "What the data plane measures", labels=[*labels, "figure"]
        )
        used = GaugeMetricFamily("mirror_disk_used_bytes", "Of its fullest disk", labels=labels)
        total = GaugeMetricFamily("mirror_disk_total_bytes", "Of its fullest disk", labels=labels)
        for node in self._nodes:
            for name, module in node.modules.items():
                key = [node.node, name]
                known = module.state if node.reachable else "UNKNOWN"
                for word in STATES:
                    state.add_metric([*key, word], int(known == word))
                is_ready = node.reachable and module.ready == "Ready"
                ready.add_metric(key, int(is_ready))
                serving = is_ready and module.state in {"PRIM", "ALONE", "UP"}
                serves.add_metric(key, int(serving))
                redundant = is_ready and module.state in {"PRIM", "SECOND"}
                safe.add_metric(key, int(redundant))
                left.add_metric(key, _left(module))
                if module.local.disk is not None:
                    used.add_metric(key, module.local.disk.used_bytes)
                    total.add_metric(key, module.local.disk.total_bytes)
                for figure, value in _numbers(module.replication, ""):
                    figures.add_metric([*key, figure], value)
        yield from (state, ready, serves, safe, left, used, total, figures)


def metrics_text(
    nodes: Iterable[NodeState], requests: Mapping[tuple[str, int], int], streams: int
) -> bytes:
    """Write the figures in Prometheus' text format."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_States(nodes, requests, streams))
    return generate_latest(registry)


def _left(module: ModuleState) -> float:
    progress = module.progress or {}
    total, done = progress.get("bytes_total"), progress.get("bytes_done")
    if isinstance(total, int | float) and isinstance(done, int | float):
        return max(0.0, float(total) - float(done))
    return 0.0


def _numbers(values: Mapping[str, object], prefix: str) -> Iterator[tuple[str, float]]:
    """Every number in a map, with the names that lead to it."""
    for name, value in values.items():
        match value:
            case bool():
                yield f"{prefix}{name}", float(value)
            case int() | float():
                yield f"{prefix}{name}", float(value)
            case dict():
                yield from _numbers(value, f"{prefix}{name}.")
            case _:
                pass

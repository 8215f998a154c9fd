"""The shipped dashboard and alert rules, on the distribution's own Prometheus and real figures."""

import json
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from importlib import resources
from pathlib import Path
from typing import Any

import httpx
import pytest

from mirror.adapters.console.roles import Role
from mirror.config.module_store import ModuleStore
from tests.free_port import free_port

from .conftest import Pair
from .world import Browser

OPERATIONS = resources.files("mirror.web") / "operations"
RULES = "prometheus-rules.yml"
DASHBOARD: dict[str, Any] = json.loads((OPERATIONS / "grafana-dashboard.json").read_text())
REPLICATING = {
    "link": True,
    "changes": 12,
    "replicated_bytes": 4096,
    "waits": 12,
    "waits_ns": 600_000,
    "parked": 0,
    "index": 0,
    "recent": 3,
    "checkpoint": 7,
    "age_ms": 3,
}
BEATS = {
    "default": {"silent": False, "last_heard_ms": 40, "lost": 1, "jitter_p50_us": 80}
    | {"jitter_p99_us": 300, "jitter_max_us": 900}
    | {"late_p99_us": 400, "late_max_us": 700}
}
START_S = 180.0
# Every name that users may build on; a change here breaks their dashboards.
NAMES = {
    "mirror_certificate_expiry_timestamp_seconds",
    "mirror_console_requests_total",
    "mirror_console_streams",
    "mirror_control_plane_up",
    "mirror_disk_full_timestamp_seconds",
    "mirror_disk_total_bytes",
    "mirror_disk_used_bytes",
    "mirror_heartbeat_age_seconds",
    "mirror_heartbeat_heard",
    "mirror_heartbeat_jitter_seconds",
    "mirror_heartbeat_late_seconds",
    "mirror_heartbeat_lost_total",
    "mirror_module_ready",
    "mirror_module_redundant",
    "mirror_module_serves",
    "mirror_module_split_brain",
    "mirror_module_state",
    "mirror_node_reachable",
    "mirror_node_seen_timestamp_seconds",
    "mirror_notifications_total",
    "mirror_reintegration_left_bytes",
    "mirror_replication_bytes_total",
    "mirror_replication_changes_total",
    "mirror_replication_pending_places",
    "mirror_replication_unsynced_seconds",
    "mirror_replication_wait_seconds_total",
    "mirror_replication_waiting",
    "mirror_replication_waits_total",
    "mirror_verification_different",
}


@pytest.fixture(scope="module")
def figures(pair: Pair, tmp_path_factory: pytest.TempPathFactory) -> Pair:
    """A pair that replicates."""
    root = tmp_path_factory.mktemp("figures")
    for node, plane in ((pair.n1, pair.plane1), (pair.n2, pair.plane2)):
        data = root / f"data-{node.name}"
        data.mkdir()
        store = ModuleStore(node.layout)
        store.install("web", node.write_module(root / node.name, data), replace=True)
        store.apply("web", store.stage("web"))
        plane.states["web"] |= {"replication": REPLICATING, "heartbeats": BEATS}
    return pair


@pytest.fixture(scope="module")
def prometheus(figures: Pair, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A Prometheus that scrapes the console of n1 with a token, and has our rules."""
    root: Path = tmp_path_factory.mktemp("prometheus")
    (root / "token").write_text(figures.n1.token(Role.MONITOR))
    (root / RULES).write_bytes((OPERATIONS / RULES).read_bytes())
    (root / "prometheus.yml").write_text(
        "global: {scrape_interval: 1s, evaluation_interval: 1s}\n"
        f"rule_files: [{RULES}]\n"
        "scrape_configs:\n"
        "  - job_name: mirror\n"
        "    authorization: {credentials_file: token}\n"
        f"    static_configs: [{{targets: ['127.0.0.1:{figures.n1.http_port}']}}]\n"
    )
    port = free_port()
    program = shutil.which("prometheus")
    assert program, "make setup installs it"
    with (root / "log").open("wb") as log:
        process = subprocess.Popen(
            [
                program,
                f"--config.file={root}/prometheus.yml",
                f"--storage.tsdb.path={root}/data",
                f"--web.listen-address=127.0.0.1:{port}",
            ],
            stdout=log,
            stderr=log,
            env={"PATH": os.environ["PATH"], "GOMAXPROCS": "1"},
        )
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=START_S) as client:
            _await_samples(client, root / "log")
            yield client
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(START_S) == 0


def _await_samples(client: httpx.Client, log: Path) -> None:
    """Two scrapes at least, so that rates have something to count."""
    end = time.monotonic() + START_S
    while True:
        try:
            found = ask(client, "count_over_time(mirror_node_reachable[1m])")
            if found and float(found[0]["value"][1]) >= 3:
                return
        except httpx.TransportError:
            pass
        assert time.monotonic() < end, log.read_text()[-3000:]
        time.sleep(0.2)


def eventually(what: Callable[[], object]) -> None:
    """A scrape has a second; one that comes too late takes every figure away until the next."""
    end = time.monotonic() + START_S
    while not what():
        assert time.monotonic() < end
        time.sleep(0.2)


def ask(client: httpx.Client, query: str) -> list[dict[str, Any]]:
    answer = client.get("/api/v1/query", params={"query": query})
    assert answer.status_code == 200, answer.text
    return list(answer.json()["data"]["result"])


def expressions() -> list[tuple[str, str]]:
    found = [
        (panel["title"], target["expr"])
        for panel in DASHBOARD["panels"]
        for target in panel["targets"]
    ]
    found += [(one["name"], one["expr"]) for one in DASHBOARD["annotations"]["list"]]
    return found


EMPTY_WHEN_ALL_IS_WELL = {"Outages", "Notifications"}


@pytest.mark.parametrize(("title", "expression"), expressions())
def test_each_query_of_the_dashboard_finds_something(
    prometheus: httpx.Client, title: str, expression: str
) -> None:
    query = expression.replace("$node", ".*").replace("$module", ".*")
    query = query.replace("$__rate_interval", "1m")
    if title == "Mean wait for the other node":
        query = query.partition(" / ")[0]  # nothing was written: 0 / 0
    if title in EMPTY_WHEN_ALL_IS_WELL:
        ask(prometheus, query)
    else:
        eventually(lambda: ask(prometheus, query))


def test_the_variables_of_the_dashboard_have_values(prometheus: httpx.Client) -> None:
    for variable in DASHBOARD["templating"]["list"][1:]:
        name, label = re.findall(r"label_values\((\w+), (\w+)\)", variable["definition"])[0]
        expected = {"n1", "n2"} if label == "node" else {"web"}
        eventually(lambda: {one["metric"][label] for one in ask(prometheus, name)} == expected)  # noqa: B023


def test_no_alert_fires_while_all_is_well_and_one_does_in_a_split_brain(
    prometheus: httpx.Client, figures: Pair
) -> None:
    groups = prometheus.get("/api/v1/rules").json()["data"]["groups"]
    assert {one["health"] for group in groups for one in group["rules"]} <= {"ok", "unknown"}

    def alerts() -> dict[str, str]:
        found = prometheus.get("/api/v1/alerts").json()["data"]["alerts"]
        return {one["labels"]["alertname"]: one["annotations"]["summary"] for one in found}

    eventually(lambda: not alerts())  # a scrape that a busy machine lost is one for a moment
    before = figures.plane1.states["web"]["reason"]
    figures.plane1.states["web"]["reason"] = "split brain: both went on alone; this node stays"
    told = "web: both nodes changed data alone"
    eventually(lambda: alerts().get("MirrorSplitBrain") == told)
    figures.plane1.states["web"]["reason"] = before


def test_what_is_named_is_what_is_told(figures: Pair) -> None:
    monitor = figures.n1.browser(Role.MONITOR)
    text = monitor.get("/metrics").text
    told = set(re.findall(r"^# TYPE (\S+) (?:gauge|counter)$", text, re.MULTILINE))
    assert told == NAMES
    used = set(re.findall(r"mirror_\w+", (OPERATIONS / RULES).read_text()))
    used |= {name for _, one in expressions() for name in re.findall(r"mirror_\w+", one)}
    assert used <= NAMES


def test_the_rules_are_what_promtool_accepts_and_served(figures: Pair, tmp_path: Path) -> None:
    monitor: Browser = figures.n1.browser(Role.MONITOR)
    answer = monitor.get(f"/api/v1/operations/{RULES}")
    assert answer.headers["content-disposition"] == 'attachment; filename="mirror-' + RULES + '"'
    file = tmp_path / RULES
    file.write_bytes(answer.content)
    checked = subprocess.run(
        ["promtool", "check", "rules", str(file)], capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert monitor.json("/api/v1/operations/grafana-dashboard.json") == DASHBOARD
    assert monitor.get("/api/v1/operations/other").status_code == 422


def test_alerts_come_and_go_as_a_takeover_does(tmp_path: Path) -> None:
    (tmp_path / RULES).write_bytes((OPERATIONS / RULES).read_bytes())
    shutil.copy(Path(__file__).with_name("takeover_alerts.yml"), tmp_path / "test.yml")
    tested = subprocess.run(
        ["promtool", "test", "rules", "test.yml"],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert tested.returncode == 0, tested.stdout + tested.stderr

"""How soon a page shows what is so: after a change of a node, and after it is opened.

A change is timed by its own line in the module log, in the time of that node; the lab has one
clock with this program, which reads each node's stream of events as a page does. A first page is
timed by Chromium itself, from the request until its list of modules stands, with nothing kept.
"""

import json
import secrets
import threading
import time
from collections.abc import Iterator
from statistics import median
from typing import Any

import httpx

from bench.failover import MODULE, Cluster
from bench.hosts import Hosts
from bench.row import Row
from mirror.adapters.lab import plan
from mirror.adapters.lab.client import Lab

TIMES_SHORT, TIMES_FULL = 5, 50
SHOWN_MS_MAX, READY_MS_MAX = 500.0, 1_000.0
CHROMIUM = "/usr/bin/chromium"
SAID = "Local state "


class Page:
    """The events of one node's console, with the time when each arrived."""

    def __init__(self, lab: Lab, node: str) -> None:
        token = lab.exec(node, ["mirror", "console", "token", "bench"]).stdout.strip()
        self._http = httpx.Client(
            base_url=lab.facts()["consoles"][node],
            headers={"authorization": f"Bearer {token}"},
            timeout=30.0,
        )
        self._seen: list[tuple[float, str, dict[str, Any]]] = []
        self._ending = False
        self._open, self._thread = threading.Event(), threading.Thread(target=self._read)
        self._thread.start()
        self._open.wait(30.0)

    def _read(self) -> None:
        with self._http.stream("GET", "/api/v1/events") as answer:
            name = ""
            for line in answer.iter_lines():
                if line.startswith("event: "):
                    name = line.removeprefix("event: ")
                elif line.startswith("data: "):
                    self._seen.append((time.time() * 1e3, name, json.loads(line[6:])))
                    self._open.set()
                    if name == "beat" and self._ending:
                        return

    def close(self) -> None:
        """Read to the next sign of life, and no further."""
        self._ending = True
        self._thread.join()
        self._http.close()

    def after_ms(self) -> Iterator[tuple[str, float]]:
        """(node, how long after its line in the log a state was told) of every change."""
        lines = [
            (one["node"], one["entry"]["text"].removeprefix(SAID), one["entry"]["time_us"] / 1e3)
            for _, name, one in self._seen
            if name == "log" and one["entry"]["text"].startswith(SAID)
        ]
        for node, said, said_ms in lines:
            told = (
                at_ms
                for at_ms, name, one in self._seen
                if name == "state" and one["node"] == node and at_ms >= said_ms
                if one["state"] and f"{one['state']['state']} {one['state']['ready']}" == said
            )
            if (at_ms := next(told, None)) is not None:
                yield node, at_ms - said_ms


def shown(cluster: Cluster, times: int) -> list[Row]:
    """The secondary is stopped and started; each of its states, at each node's page."""
    viewed = {node: Page(cluster.lab, node) for node in plan.NODES}
    second = next(node for node in plan.NODES if node != cluster.primary())
    for _ in range(times):
        for verb in ("stop", "start"):
            cluster.lab.exec(second, ["mirror", verb, "-m", MODULE])
            if verb == "start":
                cluster.await_pair()
            else:
                time.sleep(1.0)  # its last state is looked for, not its way there
    for page in viewed.values():
        page.close()
    rows = []
    for viewer, page in viewed.items():
        found = [ms for node, ms in page.after_ms() if node == second]
        where = "of that node" if viewer == second else "of the other node"
        rows.append(_row(f"a state, until the page {where} is told, ms", found, SHOWN_MS_MAX))
    return rows


def ready(cluster: Cluster, times: int) -> list[Row]:
    """The first page, by a browser that keeps nothing; no row where there is no Chromium."""
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - heavy, and for this alone

    node = cluster.primary()
    url = cluster.lab.facts()["consoles"][node]
    found = []
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        for _ in range(times):
            page = browser.new_context(locale="en-GB").new_page()
            page.goto(f"{url}/")
            page.get_by_label("Password", exact=True).wait_for()
            found.append(float(page.evaluate("performance.now()")))
            page.context.close()
        browser.close()
    return [_row("the first page, until it can be typed in, ms", found, READY_MS_MAX)]


def _row(what: str, ms: list[float], ms_max: float) -> Row:
    ordered = sorted(ms)
    p90 = ordered[round(0.9 * (len(ordered) - 1))]
    figures = {
        "n": float(len(ordered)),
        "median": median(ordered),
        "p90": p90,
        "max": ordered[-1],
    }
    return Row("q", what, figures, p90 / ms_max, f"{ms_max:g} ms", 1.0)


def pages(hosts: Hosts, _rounds: int) -> list[Row]:
    """(q) Pages: a change until it is shown, and the first page until it is ready."""
    times = TIMES_FULL if hosts.full else TIMES_SHORT
    name = f"bench-{secrets.token_hex(3)}"
    with Lab.up(name, bound=True) as lab:
        cluster = Cluster(lab, hosts.directory / name)
        return [*shown(cluster, times), *ready(cluster, times)]

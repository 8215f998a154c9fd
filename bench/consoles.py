"""What open consoles cost: heartbeats and a failover without them, and with 50 on each node.

A console is what a page holds open: the stream of events of its node, read as it comes, and the
figures of availability asked for once a minute. They run in a program of their own beside the lab,
which leaves the processors to the nodes, since a person's browser takes none of theirs.
"""

import asyncio
import contextlib
import os
import secrets
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from statistics import median

import httpx

from bench.failover import MODULE, Cluster, host
from bench.hosts import Hosts
from bench.row import Row
from mirror.adapters.lab import plan, status
from mirror.adapters.lab.client import Lab
from mirror.adapters.local_client import LocalClient

COUNT = 50
# A turn takes half a minute, and longer on a machine that has other work: none begins after the
# second figure, so the measure ends however slow it is.
TIMES_SHORT, SHORT_S = 3, 120.0
TIMES_FULL, FULL_S = 20, 1_800.0
# How long a node that came back hears heartbeats before it is asked.
WATCHED_S = 10
AVAILABILITY_EVERY_S = 60.0
OPENED_S = 60.0
AGAIN_S = 0.2


@contextlib.contextmanager
def open_consoles(lab: Lab) -> Iterator[None]:
    """COUNT consoles on each node, until the block ends."""
    arguments = []
    for node in plan.NODES:
        token = lab.exec(node, ["mirror", "console", "token", "bench"]).stdout.strip()
        arguments += [lab.facts()["consoles"][node], token]
    command = ["nice", "-n", "19", sys.executable, "-m", "bench.consoles", *arguments]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as pages:
        assert pages.stdout is not None
        # Ended by the clock, a page that cannot be opened is the end of its output here.
        clock = threading.Timer(OPENED_S, pages.kill)
        clock.start()
        for number in range(COUNT * len(plan.NODES)):
            if pages.stdout.readline() != "open\n":
                raise RuntimeError(f"bench: {number} consoles open after {OPENED_S:g} s, no more")
        clock.cancel()
        yield
        pages.communicate(timeout=OPENED_S)


def share(lab: Lab, node: str) -> float:
    """What part of a processor the console of a node takes, while it is watched, in percent."""
    own = _console(lab, node)
    before = _ticks(own)
    time.sleep(WATCHED_S)
    return 100 * (_ticks(own) - before) / os.sysconf("SC_CLK_TCK") / WATCHED_S


def _console(lab: Lab, node: str) -> Path:
    """Its process; a node that just came back starts it after the module is ready."""
    root = Path(f"/proc/{lab.pid(node)}/root/proc")
    deadline = time.monotonic() + OPENED_S
    while time.monotonic() < deadline:
        for comm in root.glob("[0-9]*/comm"):
            if _name(comm) == "mirror-console":
                return comm.parent
        time.sleep(AGAIN_S)
    raise RuntimeError(f"bench: {node} starts no console")


def _name(file: Path) -> str:
    with contextlib.suppress(OSError):
        return file.read_text().strip()
    return ""


def _ticks(process: Path) -> int:
    fields = (process / "stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def worst(lab: Lab, node: str, what: str) -> float:
    """The worst network's p99 of what a node hears since it was started, in milliseconds."""
    with LocalClient(status.layout_of(lab.pid(node)).control_socket, timeout_s=5) as client:
        state = client.call("state")["modules"][MODULE]
    return max(float(one[f"{what}_p99_us"]) for one in state["heartbeats"].values()) / 1000


def consoles(hosts: Hosts, _rounds: int) -> list[Row]:
    """(o) 50 open consoles on each node: a failover, and jitter of heartbeats, against none."""
    times, within_s = (TIMES_FULL, FULL_S) if hosts.full else (TIMES_SHORT, SHORT_S)
    name = f"bench-{secrets.token_hex(3)}"
    with Lab.up(name, bound=True) as lab:
        cluster = Cluster(lab, hosts.directory / name)
        ways: dict[str, Callable[[], AbstractContextManager[None]]] = {
            "no console": contextlib.nullcontext,
            f"{COUNT} consoles on each node": lambda: open_consoles(lab),
        }
        lost: dict[str, list[float]] = {what: [] for what in ways}
        used: dict[str, list[float]] = {what: [] for what in ways}
        heard: dict[str, list[float]] = {what: [] for what in ways}
        read: dict[str, list[float]] = {what: [] for what in ways}
        ends = time.monotonic() + within_s
        for turn in range(times):  # in turns, for this machine may have other work too
            if turn and time.monotonic() > ends:
                break
            for what, around in ways.items():
                with around():
                    old = cluster.primary()
                    lost[what].append(host(cluster, 1).figures["median_ms"])
                    used[what].append(share(lab, old))
                    heard[what].append(worst(lab, old, "jitter"))
                    read[what].append(worst(lab, old, "late"))
    figures = (
        ("host lost, ms", lost),
        ("jitter of heartbeats, p99 ms", heard),
        ("heartbeats read after, p99 ms", read),
        ("its console, % of a processor", used),
    )
    return [row for of, found in figures for row in _beside(of, found)]


def _beside(of: str, found: dict[str, list[float]]) -> Iterator[Row]:
    """One row a way, the later ones against the first."""
    (first, alone), *_ = found.items()
    for what, all_ in found.items():
        values = {"median": median(all_), "min": min(all_), "max": max(all_), "turns": len(all_)}
        compared = what != first and median(alone) > 0
        ratio = median(all_) / median(alone) if compared else None
        yield Row("o", f"{what}: {of}", values, ratio, first if compared else "")


async def _page(http: httpx.AsyncClient) -> None:
    """One open page, for ever; it comes back when its node does."""
    said = False
    while True:
        with contextlib.suppress(httpx.HTTPError):
            async with http.stream("GET", "/api/v1/events") as answer:
                if not said and answer.status_code == httpx.codes.OK:
                    print("open", flush=True)
                    said = True
                asked = time.monotonic()
                async for _ in answer.aiter_lines():
                    if time.monotonic() - asked > AVAILABILITY_EVERY_S:
                        asked = time.monotonic()
                        await http.get(f"/api/v1/modules/{MODULE}/availability")
        await asyncio.sleep(AGAIN_S)


async def _pages(arguments: list[str]) -> None:
    async with contextlib.AsyncExitStack() as stack, asyncio.TaskGroup() as group:
        tasks = []
        for url, token in zip(arguments[::2], arguments[1::2], strict=True):
            for _ in range(COUNT):
                http = httpx.AsyncClient(
                    base_url=url,
                    headers={"authorization": f"Bearer {token}"},
                    timeout=httpx.Timeout(10.0, read=5.0),
                )
                await stack.enter_async_context(http)
                tasks.append(group.create_task(_page(http)))
        await asyncio.to_thread(sys.stdin.read)
        for task in tasks:
            task.cancel()


if __name__ == "__main__":
    asyncio.run(_pages(sys.argv[1:]))

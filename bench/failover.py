"""How long a failover takes, in the lab with the `fast` profile: a distribution each.

    swap         a planned swap: the client's outage, without the application's own stop and start
    data plane   kill -9 on PRIM: until the other node begins to take over
    host         PRIM loses its power: the client's outage, without the application's start
    load         every processor and both disks at work: nobody may take over

The application is a process that answers one byte; its scripts write down when they began and
ended. The client asks at the virtual address every few milliseconds. The lab has one clock.
"""

import json
import re
import secrets
import shutil
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from statistics import median

from bench.hosts import Hosts
from bench.row import Figures, Row
from mirror.adapters.lab import module_setup, plan, status
from mirror.adapters.lab.client import Lab

MODULE = "mirror"
TIMES = "/var/lib/bench.times"
READY_S = 120.0
TIMES_SHORT, TIMES_FULL = 3, 20
LOAD_S_SHORT, LOAD_S_FULL = 30, 1_800
LEAD_S = 0.3  # the client answers before and after
SWAP_MS_MAX, DATA_PLANE_MS_MAX, HOST_MS_MAX = 300.0, 200.0, 1_500.0
_POLL_S = 0.02

_SERVER = """
import os, socket
listener = socket.create_server(("", 7777))
if os.fork():
    os._exit(0)
os.setsid()
open("/run/bench.pid", "w").write(str(os.getpid()))
while True:
    try:
        listener.accept()[0].sendall(b"!")
    except OSError:
        pass
"""
_SCRIPT = """#!/bin/sh
echo {script} begin $(date +%s%N) >>{times}
{act}
echo {script} end $(date +%s%N) >>{times}
exit 0
"""
_START = f"python3 - <<'END'\n{_SERVER}END"
_STOP = "kill -9 $(cat /run/bench.pid); rm -f /run/bench.pid"
_CLIENT = f"""
import json, socket, sys, threading, time
ended = threading.Event()
threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
seen = []
while not ended.is_set():
    try:
        with socket.create_connection(("{plan.VIRTUAL_IP}", 7777), timeout=0.05) as server:
            server.settimeout(0.05)
            if server.recv(1) == b"!":
                seen.append(time.time_ns())
    except OSError:
        pass
    time.sleep(0.002)
print(json.dumps(max((later - before, before, later) for before, later in zip(seen, seen[1:]))))
"""
# One processor each; and a file rewritten and synced without end.
_BUSY = "while :; do :; done & while :; do :; done & while :; do dd if=/dev/zero of=/var/tmp/busy bs=1M count=64 conv=fsync 2>/dev/null; done"  # noqa: E501


@dataclass(frozen=True, slots=True)
class Outage:
    """The longest time without an answer, in nanoseconds since 1970."""

    ns: int
    from_ns: int
    until_ns: int


class Cluster:
    """A lab that runs the small application."""

    def __init__(self, lab: Lab, directory: Path) -> None:
        self.lab = lab
        module = directory / MODULE
        shutil.copytree(module_setup.find_module(MODULE), module)
        for script, act in (("start_prim", _START), ("stop_prim", _STOP)):
            text = _SCRIPT.format(script=script, act=act, times=TIMES)
            (module / "bin" / script).write_text(text)
        module_setup.set_up(lab, module)

    def primary(self) -> str:
        """The node that serves now."""
        for host in plan.NODES:
            state = status.module_states(self.lab, host).get(MODULE)
            if state is not None and state.state in ("PRIM", "ALONE"):
                return host
        raise RuntimeError("bench: nobody serves")

    def await_pair(self) -> None:
        """Both ready."""
        module_setup.await_ready(self.lab, MODULE, READY_S)

    def outage(self, fault: Callable[[], None]) -> Outage:
        """What the client sees of a fault, until both nodes are ready again."""
        client = self.lab.popen(
            plan.CLIENT,
            ["python3", "-c", _CLIENT],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        time.sleep(LEAD_S)
        fault()
        time.sleep(LEAD_S)
        self.await_pair()
        time.sleep(LEAD_S)
        said, _ = client.communicate(timeout=READY_S)
        return Outage(*json.loads(said))

    def application_ns(self, host: str, script: str, within: Outage) -> int:
        """How long a script of the application ran during that outage."""
        text = self.lab.exec(host, ["cat", TIMES], check=False).stdout
        lines = re.findall(rf"^{script} (begin|end) (\d+)$", text, re.MULTILINE)
        slack = int(LEAD_S * 1e9)
        at = [
            (what, int(ns))
            for what, ns in lines
            if within.from_ns - slack < int(ns) < within.until_ns + slack
        ]
        begins = [ns for what, ns in at if what == "begin"]
        ends = [ns for what, ns in at if what == "end"]
        # stop_prim comes twice, the second time as `force`.
        return ends[-1] - begins[0] if begins and ends else 0

    def takeover_ns(self, host: str, since_ns: int) -> int:
        """When a node's log first tells, after that time, that it leaves SECOND."""
        command = ["mirror", "log", "-m", MODULE, "-s", "2000", "-A", "--json"]
        for entry in json.loads(self.lab.exec(host, command).stdout)["entries"]:
            ns = _ns_of(entry)
            if ns >= since_ns and re.search(r"local state ALONE", entry["text"], re.IGNORECASE):
                return ns - since_ns
        raise RuntimeError(f"bench: {host} did not take over")


def _ns_of(entry: dict[str, str]) -> int:
    if "time_us" in entry:
        return int(entry["time_us"]) * 1_000
    return round(datetime.fromisoformat(entry["time"]).astimezone().timestamp() * 1e9)


def _other(host: str) -> str:
    return next(node for node in plan.NODES if node != host)


def _row(what: str, ms: list[float], ms_max: float, **more: float) -> Row:
    ordered = sorted(ms)
    figures: Figures = {
        "median_ms": median(ordered),
        "p90_ms": ordered[round(0.9 * (len(ordered) - 1))],
        "max_ms": ordered[-1],
        **more,
    }
    return Row("i", what, figures, ordered[-1] / ms_max, f"{ms_max:g} ms", 1.0)


def swap(cluster: Cluster, times: int) -> Row:
    """Planned swaps, there and back."""
    own, application = [], []
    command = ["mirror", "swap", "-m", MODULE]
    for _ in range(times):
        old = cluster.primary()

        def ask(old: str = old) -> None:
            cluster.lab.exec(old, command, timeout_s=READY_S)

        outage = cluster.outage(ask)
        apart = cluster.application_ns(old, "stop_prim", outage)
        apart += cluster.application_ns(_other(old), "start_prim", outage)
        own.append((outage.ns - apart) / 1e6)
        application.append(apart / 1e6)
    return _row("planned swap", own, SWAP_MS_MAX, application_ms=median(application))


def data_plane(cluster: Cluster, times: int) -> Row:
    """Death of PRIM's data plane."""
    begins, outages = [], []
    for _ in range(times):
        old = cluster.primary()
        killed: list[int] = []

        def kill(old: str = old, killed: list[int] = killed) -> None:
            killed.append(time.time_ns())
            cluster.lab.kill(old, "data")

        outages.append(cluster.outage(kill).ns / 1e6)
        begins.append(cluster.takeover_ns(_other(old), killed[0]) / 1e6)
    what = "data plane killed: takeover begins"
    return _row(what, begins, DATA_PLANE_MS_MAX, outage_ms=median(outages))


def host(cluster: Cluster, times: int) -> Row:
    """Loss of the host."""
    own, application = [], []
    for _ in range(times):
        old = cluster.primary()

        def lose(old: str = old) -> None:
            cluster.lab.power_off(old)
            while cluster_state(cluster, _other(old)) != "ALONE":
                time.sleep(_POLL_S)
            cluster.lab.boot(old)

        outage = cluster.outage(lose)
        apart = cluster.application_ns(_other(old), "start_prim", outage)
        own.append((outage.ns - apart) / 1e6)
        application.append(apart / 1e6)
    return _row("host lost, fast profile", own, HOST_MS_MAX, application_ms=median(application))


def cluster_state(cluster: Cluster, host: str) -> str:
    """The state of the module on one node."""
    state = status.module_states(cluster.lab, host).get(MODULE)
    return state.state if state is not None else ""


def load(cluster: Cluster, seconds: int) -> Row:
    """Processors and disks at work, on both nodes."""
    before = cluster.primary()
    busy = [
        cluster.lab.popen(host, ["timeout", str(seconds), "sh", "-c", _BUSY])
        for host in plan.NODES
    ]
    others: Counter[str] = Counter()
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        for host, wanted in ((before, "PRIM"), (_other(before), "SECOND")):
            state = cluster_state(cluster, host)
            if state != wanted:
                others[f"{host} {state or 'does not answer'}"] += 1
        time.sleep(0.5)
    for process in busy:
        process.wait()
    figures: Figures = {"count": others.total(), **others}
    return Row("i", f"{seconds} s at full load: other states seen", figures)


def failover(hosts: Hosts, _rounds: int) -> list[Row]:
    """(i) How long a failover takes: swap, data plane killed, host lost; none under load."""
    times, seconds = (TIMES_FULL, LOAD_S_FULL) if hosts.full else (TIMES_SHORT, LOAD_S_SHORT)
    name = f"bench-{secrets.token_hex(3)}"
    with Lab.up(name, bound=True) as lab:
        cluster = Cluster(lab, hosts.directory / name)
        return [
            swap(cluster, times),
            data_plane(cluster, times),
            host(cluster, times),
            load(cluster, seconds),
        ]

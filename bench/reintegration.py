"""What a node costs that comes back: real PostgreSQL in the lab, its data directory about 4 GiB.

    made alone      the database is made while SECOND is stopped: all of it is copied
    crash           PRIM loses its power under pgbench, which goes on for a while; it is booted
    nothing         SECOND is stopped and started again; nobody writes meanwhile
    swap            a planned swap, without a load; PostgreSQL writes when it ends and starts

BENCH_SCALE: pgbench's scale, 15 MiB each. Bytes are counted at the returning host's interface of
the replication network, both directions, whatever else flows there included.
"""

import json
import os
import re
import secrets
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from bench.hosts import Hosts
from bench.row import Row
from mirror.adapters.lab import module_setup, plan, status
from mirror.adapters.lab.client import Lab
from mirror.cli import demo_timeline

SCALE = 280
LOADED_S = 10
ALONE_S = 5
RATE_PER_S = 100  # as the demo
READY_S = 600.0
MODULE = "postgresql"
DISK_BYTES = 24 << 30
INTERFACE = "eth0"
TARGET_OF_DIRECTORY = 0.02
_POLL_S = 0.05
_MB = 1e6
_SQL = ("psql", "-XAtq", f"--host={plan.VIRTUAL_IP}", "--username=postgres", "postgres")
_PLANE_LOG = "data-plane.log"
_FROZEN = re.compile(r"\bfrozen\b.*\bms=(\d+)")


@dataclass(slots=True)
class Database:
    """A lab that runs PostgreSQL. scale: of pgbench."""

    lab: Lab
    scale: int

    def sql(self, command: str) -> str:
        """Ask through the virtual IP."""
        return self.lab.exec(plan.CLIENT, [*_SQL, "-c", command], timeout_s=READY_S).stdout

    def fill(self) -> None:
        """Make the tables, and leave nothing to be done later by the database itself."""
        target = (f"--host={plan.VIRTUAL_IP}", "--username=postgres", "postgres")
        steps = ("--init-steps=dtGvp", f"--scale={self.scale}", "--quiet")
        self.lab.exec(plan.CLIENT, ["pgbench", "-i", *steps, *target], timeout_s=READY_S)
        self.sql("CHECKPOINT")

    def load(self, seconds: int) -> subprocess.Popen[str]:
        """Start pgbench for so long; it ends sooner when its server does."""
        where = f"host={plan.VIRTUAL_IP} user=postgres dbname=postgres tcp_user_timeout=2000"
        how = ("--no-vacuum", "--client=2", f"--rate={RATE_PER_S}", f"--time={seconds}")
        return self.lab.popen(
            plan.CLIENT,
            ["pgbench", *how, where],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def directory_bytes(self) -> int:
        """Size of the replicated directory on the node that serves."""
        host = self.roles()["PRIM"]
        directory = status.configured(self.lab.pid(host))[MODULE]["directories"][0]
        said = self.lab.exec(host, ["du", "-s", "--block-size=1", directory], timeout_s=READY_S)
        return int(said.stdout.split()[0])

    def roles(self) -> dict[str, str]:
        """State -> host, of the nodes that answer."""
        states = {host: status.module_states(self.lab, host).get(MODULE) for host in plan.NODES}
        return {state.state: host for host, state in states.items() if state is not None}

    def await_answer(self) -> None:
        """Wait until the virtual IP serves again."""
        deadline = time.monotonic() + READY_S
        while self.lab.exec(
            plan.CLIENT, ["env", "PGCONNECT_TIMEOUT=1", *_SQL, "-c", "SELECT 1"], check=False
        ).returncode:
            if time.monotonic() > deadline:
                raise RuntimeError("bench: no answer at the virtual IP")
            time.sleep(_POLL_S)

    def at_interface(self, host: str) -> int:
        """Bytes that the host's interface has received and sent since its boot."""
        for line in Path(f"/proc/{self.lab.pid(host)}/net/dev").read_text().splitlines():
            name, _, counters = line.partition(":")
            if name.strip() == INTERFACE:
                values = counters.split()
                return int(values[0]) + int(values[8])
        raise RuntimeError(f"bench: {host} has no {INTERFACE}")

    def freezes(self, host: str) -> list[float]:
        """How long changes were parked on that node at each try so far, in ms."""
        file = status.layout_of(self.lab.pid(host)).module(MODULE).working / _PLANE_LOG
        return [float(ms) for ms in _FROZEN.findall(file.read_text())]

    def told(self, since_us: int) -> demo_timeline.Copied | None:
        """What the closing line of the module log says."""
        lines: list[demo_timeline.Line] = []
        for host in plan.NODES:
            command = ["mirror", "log", "-m", MODULE, "-s", "2000", "-A", "--json"]
            entries = json.loads(self.lab.exec(host, command).stdout)["entries"]
            lines += demo_timeline.lines_of(host, entries)
        return demo_timeline.copied(lines, since_us)

    def await_ready(self, second: str) -> None:
        """Wait until that node is SECOND (Ready), the other PRIM."""
        deadline = time.monotonic() + READY_S
        while True:
            seen = {host: status.module_states(self.lab, host).get(MODULE) for host in plan.NODES}
            ready = {each.state: host for host, each in seen.items() if each and each.ready}
            if ready.get("SECOND") == second and "PRIM" in ready:
                return
            if time.monotonic() > deadline:
                raise RuntimeError(f"bench: {second} is not SECOND (Ready): {seen}")
            time.sleep(_POLL_S)


def measured(database: Database, what: str, second: str, comes_back: Callable[[], None]) -> Row:
    """Let `second` come back, and wait until it is ready. Returns: what that took."""
    lab = database.lab
    source = next(host for host in plan.NODES if host != second)
    known = database.freezes(source)
    bytes_before = database.at_interface(second) if lab.pid(second) else 0
    since_us = time.time_ns() // 1000
    started = time.monotonic()
    comes_back()
    database.await_ready(second)
    seconds = time.monotonic() - started
    moved = database.at_interface(second) - bytes_before
    told = database.told(since_us)
    size = database.directory_bytes()
    figures = {
        "s": seconds,
        "moved_mb": moved / _MB,
        "copied_mb": told.bytes_copied / _MB if told else -1.0,
        "compared_mb": told.bytes_compared / _MB if told else -1.0,
        "frozen_ms": max(database.freezes(source)[len(known) :], default=-1.0),
        "directory_mb": size / _MB,
    }
    return Row("g", what, figures, moved / size, "directory", TARGET_OF_DIRECTORY)


def made_alone(database: Database) -> Row:
    """Fill the database while SECOND is stopped."""
    second = database.roles()["SECOND"]
    database.lab.exec(second, ["mirror", "stop", "-m", MODULE], timeout_s=READY_S)
    database.fill()
    row = measured(database, "all was made alone", second, lambda: _start(database, second))
    return replace(row, target=None)


def crash(database: Database) -> Row:
    """PRIM loses its power under load."""
    roles = database.roles()
    dead = roles["PRIM"]
    with _ended(database.load(LOADED_S + ALONE_S)) as before:
        time.sleep(LOADED_S)
        database.lab.power_off(dead)
        before.kill()
    database.await_answer()
    with _ended(database.load(ALONE_S)) as after:
        said, _ = after.communicate(timeout=READY_S)
    alone = re.search(r"actually processed: (\d+)", said)
    row = measured(
        database, "PRIM lost its power under load", dead, lambda: database.lab.boot(dead)
    )
    return replace(row, figures={**row.figures, "alone": float(alone[1]) if alone else -1.0})


def nothing(database: Database) -> Row:
    """Stop and start SECOND."""
    second = database.roles()["SECOND"]
    database.sql("CHECKPOINT")
    database.lab.exec(second, ["mirror", "stop", "-m", MODULE], timeout_s=READY_S)
    return measured(
        database, "SECOND was stopped and started", second, lambda: _start(database, second)
    )


def swap(database: Database) -> Row:
    """Exchange the roles."""
    primary = database.roles()["PRIM"]
    command = ["mirror", "swap", "-m", MODULE]
    return measured(
        database,
        "a planned swap",
        primary,
        lambda: _discard(database.lab.exec(primary, command, timeout_s=READY_S)),
    )


def reintegration(_hosts: Hosts, _rounds: int) -> list[Row]:
    """(g) What moves when a node comes back: PostgreSQL in the lab, once."""
    scale = int(os.environ.get("BENCH_SCALE", SCALE))
    with Lab.up(f"bench-{secrets.token_hex(3)}", bound=True, disk_bytes=DISK_BYTES) as lab:
        module_setup.set_up(lab, module_setup.find_module(MODULE))
        database = Database(lab, scale)
        return [way(database) for way in (made_alone, crash, nothing, swap)]


def _start(database: Database, host: str) -> None:
    database.lab.exec(host, ["mirror", "start", "-m", MODULE], timeout_s=READY_S)


def _discard(_: object) -> None:
    """Only its effect was wanted."""


@contextmanager
def _ended(process: subprocess.Popen[str]) -> Iterator[subprocess.Popen[str]]:
    """Kill the process at the end, whatever happens, if it still runs."""
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()

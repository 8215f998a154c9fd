"""What is measured: each measure sets its mounts up and returns rows, medians of ROUNDS.

What is compared is measured in turns, round by round, so that whatever else this machine does
meets all of it alike.
"""

import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

from bench.busy import beside_busy_tasks
from bench.consoles import consoles
from bench.failover import failover
from bench.gluster import gluster
from bench.hosts import ADDRESSES, Hosts
from bench.hot import hot
from bench.many_modules import many_modules
from bench.pages import pages
from bench.reintegration import reintegration
from bench.returning import returning
from bench.row import Figures, Row
from bench.single_pages import single_pages
from bench.turns import in_turns, on_each
from bench.unpacking import stdlib_archive, timed, unpacked_stdlib

ROUNDS = 5
WRITES = 8_000
BUFFERED_WRITES = 4_000
CACHED_READS = 50_000
BUSY_WRITES = 1_000
SYNCS = 60
THREAD_COUNTS = (1, 2, 4, 8)
STREAM_BYTES = 256 << 20
ASK_ATTEMPTS = 100


def load(hosts: Hosts, path: Path, *arguments: object) -> Figures:
    """Run bench/native/load.c on a file; `read` or `write` first, then as its head says."""
    kind, *rest = arguments
    command = [hosts.load, kind, path, *rest]
    done = subprocess.run([str(part) for part in command], check=True, stdout=subprocess.PIPE)
    figures: Figures = json.loads(done.stdout)
    return figures


def ping(hosts: Hosts, way: str, size: int = 4096, count: int = WRITES) -> Figures:
    """Round trips from n1 to n2."""
    with hosts.ping_server():
        ask = ("ask", hosts.keys, ADDRESSES["n2"], "7000", str(count), str(size), way)
        command = hosts.inside("n1", hosts.ping, *ask)
        # The server listens within milliseconds; whoever asks earlier asks again.
        for _ in range(ASK_ATTEMPTS):
            done = subprocess.run(command, check=False, capture_output=True)
            if done.returncode == 0:
                figures: Figures = json.loads(done.stdout)
                return figures
    raise RuntimeError(f"bench: no answer to {way}: {done.stderr.decode()}")


@contextmanager
def three(hosts: Hosts, **options: object) -> Iterator[dict[str, Path]]:
    """A directory on the local disk, one served alone, and one mirrored."""
    with ExitStack() as stack:
        local = hosts.disk("n1") / f"local{time.monotonic_ns()}"
        local.mkdir()
        alone = stack.enter_context(hosts.mount(mirrored=False, **options))
        mirrored = stack.enter_context(hosts.mount(mirrored=True, **options))
        yield {"local": local, "alone": alone, "mirrored": mirrored}


def write_latency(hosts: Hosts, rounds: int) -> list[Row]:
    """(a) A 4 KiB write, barrier="write", against what it is made of."""
    with three(hosts) as at:
        figures = in_turns(
            rounds,
            local=lambda: load(hosts, at["local"] / "f", "write", WRITES, 4096, 1, "none"),
            alone=lambda: load(hosts, at["alone"] / "f", "write", WRITES, 4096, 1, "none"),
            tcp=lambda: ping(hosts, "tcp"),
            link=lambda: ping(hosts, "link"),
            mirrored=lambda: load(hosts, at["mirrored"] / "f", "write", WRITES, 4096, 1, "none"),
        )
    names = {
        "local": "local ext4",
        "alone": "FUSE alone",
        "tcp": "TCP round trip, 4 KiB and 16 bytes",
        "link": "link round trip, TLS on",
        "mirrored": "mirrored, barrier=write",
    }
    expected = figures["alone"]["median_us"] + figures["tcp"]["median_us"]
    ratio = figures["mirrored"]["median_us"] / expected
    rows = [Row("a", names[key], figures[key]) for key in names if key != "mirrored"]
    rows.append(Row("a", names["mirrored"], figures["mirrored"], ratio, "FUSE + TCP", 1.5))
    return rows


def _against_local(
    measure: str, what: str, figures: dict[str, Figures], key: str, target: float | None = None
) -> list[Row]:
    local = figures["local"][key]
    rows = []
    for name, seen in figures.items():
        slower = seen[key] / local if key.endswith("us") or key == "s" else local / seen[key]
        last = name == "mirrored"
        rows.append(
            Row(measure, f"{what}: {name}", seen, slower, "local", target if last else None)
        )
    return rows


def buffered_latency(hosts: Hosts, rounds: int) -> list[Row]:
    """(b) A buffered 4 KiB write with barrier="fsync"."""

    def measure(path: Path) -> Figures:
        return load(hosts, path / "f", "write", BUFFERED_WRITES, 4096, 1, "none")

    with three(hosts, writeback=True) as at:
        figures = on_each(at, rounds, measure)
    return _against_local("b", "write 4 KiB, barrier=fsync", figures, "median_us", 1.5)


def sync_latency(hosts: Hosts, rounds: int) -> list[Row]:
    """(c) A 4 KiB write and its fsync."""

    def measure(path: Path) -> Figures:
        return load(hosts, path / "f", "write", SYNCS, 4096, 1, "fsync")

    rows = []
    for sync_both, kind in ((False, "second"), (True, "none")):
        with three(hosts, sync_both=sync_both) as at:
            figures = on_each(at, rounds, measure)
        rows += _against_local("c", f"write and fsync, async={kind}", figures, "median_us")
    return rows


def _stream(path: Path) -> Figures:
    block = os.urandom(1 << 20)
    file = path / "stream"
    file.unlink(missing_ok=True)
    started = time.perf_counter()
    fd = os.open(file, os.O_WRONLY | os.O_CREAT)
    for _ in range(STREAM_BYTES // len(block)):
        os.write(fd, block)
    written = time.perf_counter() - started
    os.fsync(fd)
    synced = time.perf_counter() - started
    os.close(fd)
    return {
        "mb_per_s": STREAM_BYTES / written / 1e6,
        "with_fsync_mb_per_s": STREAM_BYTES / synced / 1e6,
    }


def throughput(hosts: Hosts, rounds: int) -> list[Row]:
    """(d) Sequential writes of 1 MiB, and their fsync on both disks."""
    rows = []
    for writeback, kind in ((False, "write"), (True, "fsync")):
        with three(hosts, writeback=writeback, sync_both=True) as at:
            figures = on_each(at, min(rounds, 3), _stream)
        rows += _against_local("d", f"1 MiB writes, barrier={kind}", figures, "mb_per_s")
    return rows


def metadata(hosts: Hosts, rounds: int) -> list[Row]:
    """(e) Unpacking a tree, finding in it, reading from the cache."""
    unpack = partial(unpacked_stdlib, stdlib_archive(hosts))

    def find(path: Path) -> Figures:
        return timed("find", path / "stdlib", "-size", "+1")

    def read(path: Path) -> Figures:
        return load(hosts, path / "f", "read", CACHED_READS, 4096, 1, "none")

    with three(hosts, writeback=True) as at:
        unpacked = on_each(at, min(rounds, 3), unpack)
        rows = _against_local("e", "unpack, barrier=fsync", unpacked, "s", 4.0)
    with three(hosts) as at:
        unpacked = on_each(at, min(rounds, 3), unpack)
        rows += _against_local("e", "unpack, barrier=write", unpacked, "s", 6.0)
        on_each(at, 1, find)
        rows += _against_local("e", "find, warm", on_each(at, rounds, find), "s", 1.5)
        rows += _cached(hosts, at, rounds, read)
    return rows


def _cached(
    hosts: Hosts, at: dict[str, Path], rounds: int, read: Callable[[Path], Figures]
) -> list[Row]:
    what, alike = "read 4 KiB from cache", "local, in single pages"
    with single_pages(hosts) as pages:
        ways = {alike: pages, **at}
        on_each(ways, 1, read)
        seen = on_each(ways, rounds, read)
    rows = _against_local("e", what, seen, "mean_us", 1.05)
    ratio = seen["mirrored"]["mean_us"] / seen[alike]["mean_us"]
    return [*rows, Row("e", f"{what}: mirrored", seen["mirrored"], ratio, alike, 1.05)]


def threads(hosts: Hosts, rounds: int) -> list[Row]:
    """(f) 4 KiB writes by several threads, barrier="write"."""

    def measure(path: Path, count: int) -> Figures:
        return load(hosts, path / "g", "write", WRITES // count, 4096, count, "none")

    rows = []
    with three(hosts) as at:
        for count in THREAD_COUNTS:
            figures = on_each(at, min(rounds, 3), partial(measure, count=count))
            rows += _against_local("f", f"4 KiB writes, {count} threads", figures, "per_s")
    return rows


def busy(hosts: Hosts, rounds: int) -> list[Row]:
    """(k) 4 KiB writes beside tasks that want every processor, barrier="write"."""

    def measure(path: Path) -> Figures:
        return load(hosts, path / "f", "write", BUSY_WRITES, 4096, 1, "none")

    with three(hosts) as at:
        return beside_busy_tasks(at, rounds, measure)


LONG = "dgjmoq"  # only with --full, or by name
MEASURES: dict[str, Callable[[Hosts, int], list[Row]]] = {
    "a": write_latency,
    "b": buffered_latency,
    "c": sync_latency,
    "d": throughput,
    "e": metadata,
    "f": threads,
    "g": reintegration,
    "h": returning,
    "i": failover,
    "j": gluster,
    "k": busy,
    "m": many_modules,
    "o": consoles,
    "p": hot,
    "q": pages,
}

"""What a return costs, side by side with rsync on the same change, over the same pair of cables.

    first copy      small files, and one large file, onto an empty node
    few changed     a tree of many files, some of them rewritten while the node was away
    regions         one large file, one 64 KiB region in a hundred rewritten

Bytes are those of the interface, both directions. rsync runs as a daemon in n2 and has a copy of
its own on the same disk; `-a --inplace --no-whole-file`, which is its best for all of these. The
reference of the large file is bench/same_io.py, with caches cold and warm, in turns. The tree of
many files is made once and its disk copied (bench/alike.py): the nodes were joined before.
`FULL` is what the README speaks of; `SHORT` ends within minutes.
"""

import json
import os
import random
import resource
import secrets
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.alike import alike
from bench.hosts import ADDRESSES, Hosts, end, run
from bench.row import Figures, Row
from bench.same_io import REGION, STATES, prepare, rewritten

TURNS = 3
TREE_BYTES_PER_FILE = 3 * 4096
FILES_A_DIRECTORY = 500
SMALL_BYTES = 1_000
SLACK_BYTES = 1 << 20
READY_S_MAX = 2.0
MEMORY_MIB_MAX = 256.0
IDLE_S = 5.0
PORT = 7300


@dataclass(frozen=True, slots=True)
class Scale:
    """How large everything is."""

    files: int
    changed: int
    dirty: int
    large_bytes: int
    copied_files: int


SHORT = Scale(20_000, 100, 5_000, 1 << 30, 10_000)
FULL = Scale(1_000_000, 100, 100_000, 10 << 30, 100_000)


class Node:
    """A process of bench/returning_node.py."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process

    def ask(self, do: str, **fields: object) -> dict[str, Any]:
        """Send one line, wait for its answer."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        print(json.dumps({"do": do, **fields}), file=self.process.stdin, flush=True)
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"bench: no answer to {do}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def memory_mib(self, what: str) -> float:
        """Now: VmRSS for all that is resident, RssAnon for what is nobody else's."""
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith(f"{what}:"):
                return int(line.split()[1]) / 1024
        raise RuntimeError("bench: a node has gone")

    def descriptor_count(self) -> int:
        """Open now."""
        return sum(1 for _ in Path(f"/proc/{self.process.pid}/fd").iterdir())

    def processor_s(self) -> float:
        """Time used so far."""
        return processor_s(self.process.pid)


def processor_s(pid: int) -> float:
    """Time that a process, with all its threads, has used so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Returns:
    """A source that serves `mount`, a target that comes and goes, and rsync beside them."""

    def __init__(self, hosts: Hosts, name: str) -> None:
        self._hosts = hosts
        self.lower = hosts.disk("n1") / name / "lower"
        self.other = hosts.disk("n2") / name / "lower"
        self.beside = hosts.disk("n2") / name / "rsync"
        self.mount = hosts.directory / f"{name}.mount"
        for directory in (self.lower, self.other, self.beside, self.mount):
            directory.mkdir(parents=True)
        self._common = {"identity": secrets.token_hex(16), "port": PORT}
        self._name = name
        self.source: Node | None = None
        self.target: Node | None = None

    def start(self) -> None:
        """The tree is there: serve it."""
        module = "bench.returning_node"
        for role, host in (("target", "n2"), ("source", "n1")):
            options = {**self._common, "peer_address": ADDRESSES["n2"] if host == "n1" else ""}
            at = self._hosts.disk(host) / self._name
            settings = self._hosts.settings(host, at, self.mount, **options)
            setattr(self, role, Node(self._hosts.start(role, host, settings, module)))

    def returns(self, *, full: bool = False) -> Figures:
        """The target comes back. Returns: what that took, counted outside of both."""
        assert self.source is not None
        assert self.target is not None
        os.sync()
        self.target.ask("begin")
        used = self._processor_s()
        before = self._hosts.interface_bytes("n2")
        answer = self.source.ask("return", full=full)
        moved = self._hosts.interface_bytes("n2") - before
        return {
            "s": answer["seconds"],
            "processor_s": self._processor_s() - used,
            "moved_mb": moved / 1e6,
            "files": answer["files"],
        }

    def _processor_s(self) -> float:
        return sum(node.processor_s() for node in (self.source, self.target) if node)

    def part(self) -> None:
        """The target goes away; the source goes on alone."""
        assert self.source is not None
        assert self.target is not None
        self.source.ask("part")
        self.target.ask("end")

    def rsync(self) -> Figures:
        """The same change by rsync, onto its own copy, synced."""
        os.sync()
        how = ("-a", "--inplace", "--no-whole-file", "--delete", "--exclude=/.mirror")
        to = f"rsync://{ADDRESSES['n2']}/copy/"
        with _daemon(self._hosts, self.beside):
            used = _children_s()
            before = self._hosts.interface_bytes("n2")
            started = time.monotonic()
            run(*self._hosts.inside("n1", "rsync", *how, f"{self.lower}/", to))
            run("sync", "-f", self.beside)
            seconds = time.monotonic() - started
            moved = self._hosts.interface_bytes("n2") - before
        used = _children_s() - used  # the daemon counts when it has ended
        return {"s": seconds, "processor_s": used, "moved_mb": moved / 1e6}

    def end(self) -> None:
        """End both nodes."""
        for node in (self.source, self.target):
            if node is not None:
                end(node.process)

    def close(self) -> None:
        """End both nodes and remove the trees."""
        self.end()
        for host in ADDRESSES:
            shutil.rmtree(self._hosts.disk(host) / self._name, ignore_errors=True)
            run("fstrim", self._hosts.disk(host))  # the image of the disk gives its room back


def _children_s() -> float:
    """Processor time of the children that have ended, and of theirs."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@contextmanager
def _daemon(hosts: Hosts, copy: Path) -> Iterator[None]:
    configuration = hosts.directory / "rsyncd.conf"
    configuration.write_text(
        f"use chroot = no\nuid = root\ngid = root\n[copy]\npath = {copy}\nread only = no\n"
    )
    command = ("rsync", "--daemon", "--no-detach", f"--config={configuration}")
    with subprocess.Popen(hosts.inside("n2", *command), stdout=subprocess.DEVNULL) as daemon:
        try:
            # It listens within milliseconds; whoever asks earlier asks again.
            while subprocess.run(
                hosts.inside("n1", "rsync", f"rsync://{ADDRESSES['n2']}/"),
                check=False,
                capture_output=True,
            ).returncode:
                pass
            yield
        finally:
            daemon.terminate()


@contextmanager
def _opened(hosts: Hosts) -> Iterator[Returns]:
    returns = Returns(hosts, f"returns{secrets.token_hex(3)}")
    try:
        yield returns
    finally:
        returns.close()


def fill(top: Path, count: int) -> list[Path]:
    """Make small files; return their paths beneath top."""
    content = os.urandom(SMALL_BYTES)
    paths = []
    for at in range(count):
        if at % FILES_A_DIRECTORY == 0:
            directory = Path(f"d{at // FILES_A_DIRECTORY // 1000}/{at // FILES_A_DIRECTORY}")
            (top / directory).mkdir(parents=True)
        path = directory / f"file{at}"
        with (top / path).open("wb", buffering=0) as file:
            file.write(content)
        paths.append(path)
    return paths


def _fill_large(file: Path, size: int) -> None:
    block = os.urandom(1 << 20)
    with file.open("wb", buffering=0) as out:
        for at in range(size >> 20):
            out.write(at.to_bytes(8) + block[8:])


def _beside(what: str, ours: Figures, theirs: Figures, target: float | None) -> list[Row]:
    """Ours against rsync; the ratio is of times: below 1 is faster than rsync."""
    ratio = ours["s"] / theirs["s"]
    return [
        Row("h", f"{what}: rsync", theirs),
        Row("h", f"{what}: mirror", ours, ratio, "rsync", target),
    ]


def first_copies(hosts: Hosts, count: int) -> tuple[Figures, Figures]:
    """The first copy of many small files. Returns: rsync's, ours."""
    with _opened(hosts) as returns:
        fill(returns.lower, count)
        theirs = returns.rsync()
        returns.start()
        ours = returns.returns(full=True)
        returns.part()
    return theirs, ours


def small_files(hosts: Hosts, scale: Scale) -> list[Row]:
    """First copy of many small files."""
    theirs, ours = first_copies(hosts, scale.copied_files)
    return _beside(f"first copy of {scale.copied_files:,} files", ours, theirs, 1 / 1.5)


def few_changed(hosts: Hosts, scale: Scale) -> list[Row]:
    """Some files of a large tree are rewritten while the node is away."""
    with _opened(hosts) as returns:
        tops = (returns.lower, returns.other, returns.beside)
        size = max(1 << 30, scale.files * TREE_BYTES_PER_FILE)
        with alike(hosts, tops, lambda top: fill(top, scale.files), size) as paths:
            try:
                return _few_changed(returns, paths, scale)
            finally:
                returns.end()


def _few_changed(returns: Returns, paths: list[Path], scale: Scale) -> list[Row]:
    returns.start()
    assert returns.source is not None
    rows = [Row("h", f"{scale.files:,} equal files joined", returns.returns())]
    run("find", returns.mount, "-newer", "/")  # the kernel asks for every object
    rows.append(Row("h", f"{scale.files:,} equal files: rsync", returns.rsync()))
    rows += _at_rest(returns, scale)
    returns.part()
    chance = random.Random(1)
    for path in chance.sample(paths, scale.changed):
        (returns.mount / path).write_bytes(os.urandom(SMALL_BYTES))
    ours = returns.returns()
    changed_mb = scale.changed * 4096 / 1e6
    what = f"{scale.changed} of {scale.files:,} files changed"
    rows += _beside(what, ours, returns.rsync(), None)
    rows.append(Row("h", f"{what}: ready", {"s": ours["s"]}, ours["s"], "s", READY_S_MAX))
    allowed = 1.2 * changed_mb + SLACK_BYTES / 1e6
    rows.append(
        Row("h", f"{what}: moved", ours, ours["moved_mb"] / allowed, "changed + 1 MiB", 1.0)
    )
    returns.part()
    dirty = chance.sample(paths, scale.dirty)
    for path in dirty:
        os.truncate(returns.lower / path, SMALL_BYTES + 1)
    returns.source.ask("note", paths=[str(path) for path in dirty])
    what = f"{scale.files:,} known, {scale.dirty:,} dirty"
    rows.append(_memory(returns, f"{what}, alone"))
    rows.append(Row("h", f"{scale.dirty:,} of {scale.files:,} files changed", returns.returns()))
    rows.append(_memory(returns, f"{what}, mirrored again"))
    return rows


def _at_rest(returns: Returns, scale: Scale) -> list[Row]:
    """Memory, descriptors and processor of a pair that has nothing to do."""
    assert returns.source is not None
    assert returns.target is not None
    before = returns.source.processor_s() + returns.target.processor_s()
    time.sleep(IDLE_S)
    used = returns.source.processor_s() + returns.target.processor_s() - before
    idle = {"percent": 100 * used / IDLE_S}
    return [
        _memory(returns, f"{scale.files:,} known, mirrored"),
        Row("h", "both idle, processor", idle, idle["percent"], "percent", 1.0),
    ]


def _memory(returns: Returns, what: str) -> Row:
    assert returns.source is not None
    assert returns.target is not None
    nodes = {"source": returns.source, "target": returns.target}
    figures: Figures = {f"{name}_mib": node.memory_mib("VmRSS") for name, node in nodes.items()}
    worst = max(figures.values())
    figures |= {f"{name}_own_mib": node.memory_mib("RssAnon") for name, node in nodes.items()}
    figures |= {f"{name}_fds": node.descriptor_count() for name, node in nodes.items()}
    return Row("h", f"memory: {what}", figures, worst, "MiB", MEMORY_MIB_MAX)


def large_file(hosts: Hosts, scale: Scale) -> list[Row]:
    """First copy of one large file, then one region in a hundred."""
    name = f"{scale.large_bytes >> 30} GiB"
    with _opened(hosts) as returns:
        file, to = returns.lower / "large", returns.other.parent / "disk"
        _fill_large(file, scale.large_bytes)
        disk = _copied(file, to, scale.large_bytes)
        theirs = returns.rsync()
        returns.start()
        ours = returns.returns(full=True)
        rows = _beside(f"first copy of {name}", ours, theirs, None)
        rows.append(_against_disk(f"first copy of {name}", ours, disk))
        turns: dict[str, list[tuple[Figures, Figures]]] = {state: [] for state in STATES}
        for turn in range(TURNS * len(STATES)):
            state = STATES[turn % len(STATES)]
            ours, disk = _regions(hosts, returns, state, random.Random(turn))
            turns[state].append((ours, disk))
            if turn == 0:
                rows += _beside(f"1 % of {name}, {state}", ours, returns.rsync(), None)
        for state, each in turns.items():
            each.sort(key=lambda pair: pair[0]["s"] / pair[1]["s"])
            ours, disk = each[len(each) // 2]
            what = f"1 % of {name}, {state}"
            rows.append(Row("h", f"{what}: mirror", ours))
            rows.append(_against_disk(what, ours, disk))
    return rows


def _regions(
    hosts: Hosts, returns: Returns, state: str, chance: random.Random
) -> tuple[Figures, Figures]:
    """One region in a hundred is rewritten while the target is away. Returns: ours, the disks'."""
    files = (returns.lower / "large", returns.other / "large", returns.other.parent / "disk")
    count = files[0].stat().st_size // REGION
    places = chance.sample(range(count), count // 100)
    images = tuple(hosts.directory.glob("*.img"))
    returns.part()
    with (returns.mount / "large").open("r+b", buffering=0) as out:
        for place in places:
            os.pwrite(out.fileno(), os.urandom(REGION), place * REGION)
    prepare(state, files, images, places)
    ours = returns.returns()
    prepare(state, files, images, places)
    return ours, rewritten(files[0], files[2], places)


def _against_disk(what: str, ours: Figures, disk: Figures) -> Row:
    """At 80 % of what the disks allow, or better."""
    return Row("h", f"{what}: disk alone", disk, ours["s"] / disk["s"], "disk", 1.25)


def _copied(file: Path, to: Path, size: int) -> Figures:
    """What the disks allow: copy and sync."""
    os.sync()
    started = time.monotonic()
    shutil.copyfile(file, to)
    run("sync", to)
    seconds = time.monotonic() - started
    return {"s": seconds, "mb_per_s": size / seconds / 1e6}


def returning(hosts: Hosts, _rounds: int) -> list[Row]:
    """(h) A node returns, beside rsync: small files, few changed, a large file."""
    scale = FULL if hosts.full else SHORT
    rows: list[Row] = []
    for way in (small_files, large_file, few_changed):
        rows += way(hosts, scale)
    return rows

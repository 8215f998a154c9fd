"""Where the benchmarks run: two hosts as network namespaces, each with a disk of its own.

    n1, n2     network namespaces joined by a veth pair
    disks      ext4 in a sparse file on a loop device, one a host
    nodes      a data plane in each (bench/node.py), and one alone, in n1

Everything bears the name of the run, so that what a killed run leaves is found (tests/reaper.py).
"""

import contextlib
import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from bench.node import NodeSettings
from mirror.adapters.pki import create_cluster, issue_node
from tests.reaper import Run, reap_the_dead

HERE = Path(__file__).parent
NATIVE = HERE.parent / "native"
DISK_BYTES = 48 << 30  # sparse
BYTES_PER_INODE = 8192  # a tree of a million files twice
ADDRESSES = {"n1": "10.213.7.1", "n2": "10.213.7.2"}
LINK_SOURCES = ("link/connection.c", "link/stream.c", "link/tls.c", "wire/frame.c", "hash/hash.c")


def run(*command: str | Path) -> str:
    """Run a command that must succeed; return its output."""
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def build(directory: Path, name: str, *sources: Path) -> Path:
    """Compile one program of bench/native."""
    fixed = ("gcc", "-std=c11", "-D_GNU_SOURCE", "-O2", "-pthread", f"-I{NATIVE}")
    program = directory / name
    run(*fixed, "-o", program, HERE / "native" / f"{name}.c", *sources, "-lssl", "-lcrypto")
    return program


class Hosts:
    """See the module. Everything is made when asked for; `opened` ends it."""

    def __init__(self, name: str, directory: Path, *, full: bool) -> None:
        """Make networks and disks. full: measures take their full size."""
        self._name = name
        self.full = full
        self.directory = directory
        self._processes: list[subprocess.Popen[str]] = []
        directory.mkdir(parents=True, exist_ok=True)
        link = [NATIVE / source for source in (*LINK_SOURCES, "wire/wire_messages.c")]
        self.load = build(directory, "load")
        self.ping = build(directory, "ping", *link)
        self._make_keys()
        self._make_network()
        for host in ADDRESSES:
            self._make_disk(host)

    def _make_keys(self) -> None:
        self.keys = self.directory / "keys"
        cluster = create_cluster(self.directory / "cluster")
        for node in ADDRESSES:
            files = issue_node(self.directory / "cluster", node, (), self.directory / "pki" / node)
            self.keys.mkdir(exist_ok=True)
            files.node_certificate.rename(self.keys / f"{node}.crt")
            files.node_key.rename(self.keys / f"{node}.key")
        cluster.ca_certificate.rename(self.keys / "ca.crt")

    def _make_network(self) -> None:
        spaces = {host: f"{self._name}{host}" for host in ADDRESSES}
        for space in spaces.values():
            run("ip", "netns", "add", space)
        pair = ("ip", "link", "add", "veth0", "netns", spaces["n1"], "type", "veth")
        run(*pair, "peer", "name", "veth0", "netns", spaces["n2"])
        for host, space in spaces.items():
            run("ip", "-n", space, "address", "add", f"{ADDRESSES[host]}/24", "dev", "veth0")
            run("ip", "-n", space, "link", "set", "veth0", "up")
            run("ip", "-n", space, "link", "set", "lo", "up")

    def _make_disk(self, host: str) -> None:
        image, disk = self.directory / f"{host}.img", self.disk(host)
        with image.open("wb") as file:
            file.truncate(DISK_BYTES)
        now = ("-E", "lazy_itable_init=0,lazy_journal_init=0")
        run("mkfs.ext4", "-q", *now, "-i", str(BYTES_PER_INODE), image)
        disk.mkdir()
        run("mount", "-o", "loop", image, disk)

    def disk(self, host: str) -> Path:
        """Return where the disk of a host is mounted; no replication there."""
        return self.directory / f"{host}.disk"

    def inside(self, host: str, *command: str | Path) -> tuple[str | Path, ...]:
        """Return a command that runs in a host's network, and sees the mounts of this process."""
        return ("nsenter", f"--net=/run/netns/{self._name}{host}", *command)

    def interface_bytes(self, host: str) -> int:
        """Return what a host's interface has received and sent so far."""
        counters = run(*self.inside(host, "cat", "/proc/net/dev"))
        for line in counters.splitlines():
            name, _, values = line.partition(":")
            if name.strip() == "veth0":
                return int(values.split()[0]) + int(values.split()[8])
        raise RuntimeError(f"bench: {host} has no veth0")

    def start(
        self, role: str, host: str, settings: NodeSettings, module: str = "bench.node"
    ) -> subprocess.Popen[str]:
        """Start a node; return when it says that it is ready."""
        path = self.directory / f"{secrets.token_hex(4)}.json"
        settings.write(path)
        command = self.inside(host, sys.executable, "-m", module, role, path)
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._processes.append(process)
        assert process.stdout is not None
        if process.stdout.readline() != "ready\n":
            raise RuntimeError(f"bench: {role} did not start")
        return process

    def settings(self, host: str, at: Path, mount: Path, **options: object) -> NodeSettings:
        values: dict[str, object] = {
            "lower": str(at / "lower"),
            "mount": str(mount),
            "index": str(at / "index"),
            "ca": str(self.keys / "ca.crt"),
            "certificate": str(self.keys / f"{host}.crt"),
            "key": str(self.keys / f"{host}.key"),
            **options,
        }
        (at / "lower").mkdir(parents=True, exist_ok=True)
        return NodeSettings(**values)  # type: ignore[arg-type]

    @contextlib.contextmanager
    def mount(self, *, mirrored: bool, **options: object) -> Iterator[Path]:
        """Serve a new directory, alone or mirrored, and give its mount.

        options: of NodeSettings, such as writeback, sync_both, workers.
        """
        name = secrets.token_hex(4)
        mount = self.directory / f"{name}.mount"
        mount.mkdir()
        identity = secrets.token_hex(16)
        common = {**options, "identity": identity, "port": 7100}
        left = self.settings("n1", self.disk("n1") / name, mount, **common)
        processes = []
        try:
            if mirrored:
                right = self.settings("n2", self.disk("n2") / name, mount, **common)
                processes.append(self.start("secondary", "n2", right))
                left = NodeSettings(
                    **{key: getattr(left, key) for key in left.__slots__}
                    | {"peer_address": ADDRESSES["n2"]}
                )
            processes.append(self.start("primary" if mirrored else "alone", "n1", left))
            yield mount
        finally:
            for process in reversed(processes):
                end(process)
            for host in ADDRESSES:
                shutil.rmtree(self.disk(host) / name, ignore_errors=True)

    @contextlib.contextmanager
    def ping_server(self) -> Iterator[None]:
        """Answer one client of bench/native/ping.c in n2."""
        command = self.inside("n2", self.ping, "serve", self.keys, ADDRESSES["n2"], "7000")
        with subprocess.Popen(command) as server:
            try:
                yield
            finally:
                server.terminate()

    def end(self) -> None:
        """End what a measure left."""
        for process in self._processes:
            end(process)


def end(process: subprocess.Popen[str]) -> None:
    """Let a node clean up and go."""
    if process.poll() is None and process.stdin is not None:
        process.stdin.close()
        process.wait(30)


@contextlib.contextmanager
def opened(*, full: bool = False) -> Iterator[Hosts]:
    """Make the hosts, and take them away whatever happens."""
    reap_the_dead()
    this_run = Run()
    try:
        hosts = Hosts(this_run.name, this_run.directory, full=full)
        try:
            yield hosts
        finally:
            hosts.end()
    finally:
        this_run.end()
        for image in this_run.directory.glob("*.img"):
            image.unlink()
        os.sync()

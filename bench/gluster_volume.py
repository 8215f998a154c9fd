"""A GlusterFS volume of two replicas on the bench's two hosts, mounted in n1.

Each host has a glusterd in its network, with /var/lib/glusterd, /var/log/glusterfs and /run of
its own in a mount namespace: a GlusterFS that this machine runs is neither seen nor touched.
A brick lies on each host's disk, where our lower directories lie. Whatever a glusterd starts
inherits the mark of this volume in its environment, by which it is counted and ended.
"""

import contextlib
import os
import secrets
import select
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from xml.etree import ElementTree as ET

from bench.hosts import ADDRESSES, Hosts, run
from bench.returning import processor_s
from bench.row import Figures

MARK = "MIRROR_BENCH_GLUSTER"
NAME = "bench"
CLIENTS = 3  # of each brick: the mount and both self-heal daemons
WAIT_S = 120.0
LOOK_S = 0.1
STALL_S = 10.0
HEAL_INFO = ("volume", "heal", NAME, "info")
OPTIONS = {
    # The self-heal daemons: more than one file at a time, files whole, and no fsync a file, since
    # the disk is synced once at the end, as for rsync and for us.
    "cluster.shd-max-threads": "8",
    "cluster.shd-wait-qlength": "65536",
    "cluster.self-heal-window-size": "1024",
    "cluster.data-self-heal-algorithm": "full",
    "cluster.ensure-durability": "off",
    # With their requests in the lowest class, of one thread, a brick's other threads spin: 2,000
    # files took 46 and 60 s of processor time that way, and 20 s this way (GlusterFS 10.3).
    "performance.enable-least-priority": "off",
    "performance.least-prio-threads": "16",
    # The mount: what its documentation advises for small files (its group "metadata-cache",
    # negative lookups, event threads). The rest are its defaults: write-behind is on.
    "client.event-threads": "4",
    "server.event-threads": "4",
    "features.cache-invalidation": "on",
    "features.cache-invalidation-timeout": "600",
    "performance.cache-invalidation": "on",
    "performance.stat-prefetch": "on",
    "performance.md-cache-timeout": "600",
    "performance.nl-cache": "on",
    "performance.nl-cache-timeout": "600",
    "network.inode-lru-limit": "200000",
    # A line for each healed file is not what is measured.
    "diagnostics.client-log-level": "WARNING",
    "diagnostics.brick-log-level": "WARNING",
}
# Arguments: the directory of the host. Its /run has the sockets and the pid files.
ENTER = """
mount --bind "$1/lib" /var/lib/glusterd
mount --bind "$1/log" /var/log/glusterfs
mount --bind "$1/run" /run
echo ready
exec glusterd --no-daemon
"""


def installed() -> bool:
    """Whether this machine has a GlusterFS server; `make setup` does not install it."""
    return shutil.which("glusterd") is not None


class Volume:
    """Started and mounted, both bricks connected; `opened` makes it and takes it away."""

    def __init__(self, hosts: Hosts) -> None:
        self._hosts = hosts
        self._name = f"gluster{secrets.token_hex(3)}"
        mark = hosts.directory.name + self._name
        self._mark, self._environment = f"{MARK}={mark}", {**os.environ, MARK: mark}
        self.mount = hosts.directory / f"{self._name}.mount"
        self._daemons: dict[str, subprocess.Popen[str]] = {}

    def start(self) -> None:
        """Bring everything up."""
        for host in ADDRESSES:
            self.brick(host).mkdir(parents=True)
            self._start_daemon(host)
        for host in ADDRESSES:
            _await(partial(self._knows, host, peers=0))
        self._ask("peer", "probe", ADDRESSES["n2"])
        for host in ADDRESSES:
            _await(partial(self._knows, host, peers=1))
        bricks = [f"{address}:{self.brick(host)}" for host, address in ADDRESSES.items()]
        self._ask("volume", "create", NAME, "replica", "2", *bricks, "force")
        self._ask("volume", "set", NAME, *(part for pair in OPTIONS.items() for part in pair))
        self._ask("volume", "start", NAME)
        self.mount.mkdir()
        log = self._hosts.directory / f"{self._name}.log"
        options = (f"--volfile-id={NAME}", f"--log-file={log}", "--log-level=WARNING")
        mount = ("glusterfs", f"--volfile-server={ADDRESSES['n1']}", *options, self.mount)
        subprocess.run(self._hosts.inside("n1", *mount), check=True, env=self._environment)
        _await(self._connected)

    def _start_daemon(self, host: str) -> None:
        top = self._hosts.directory / self._name / host
        for directory in ("lib", "log", "run"):
            (top / directory).mkdir(parents=True)
        # What is unmounted here is unmounted there too, so that no disk of others is kept busy.
        enter = ("unshare", "--mount", "--propagation", "slave", "sh", "-ec", ENTER, "sh", top)
        self._daemons[host] = daemon = subprocess.Popen(
            self._hosts.inside(host, *enter),
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert daemon.stdout is not None
        if daemon.stdout.readline() != "ready\n":
            raise RuntimeError(f"bench: no glusterd on {host}")

    def brick(self, host: str) -> Path:
        """Where a host keeps its replica; GlusterFS's own things are in .glusterfs there."""
        return self._hosts.disk(host) / self._name / "brick"

    def _asked(self, *words: str, host: str = "n1") -> str | None:
        """Ask the glusterd of a host. Returns: what it says, or None when it refuses."""
        inside = ("nsenter", f"--target={self._daemons[host].pid}", "--mount", "--net")
        command = (*inside, "gluster", "--mode=script", *words)
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        return None if done.returncode else done.stdout

    def _ask(self, *words: str) -> None:
        if self._asked(*words) is None:
            raise RuntimeError(f"bench: gluster {' '.join(words)}: refused; see its logs")

    def _counts(self, tag: str, *words: str, host: str = "n1") -> list[int] | None:
        """Ask for something that is counted. Returns: every count of that name in the answer."""
        answer = self._asked("--xml", *words, host=host)
        if answer is None:
            return None
        texts = [each.text or "" for each in ET.fromstring(answer).iter(tag)]
        return [int(text) for text in texts if text.isdecimal()]

    def _knows(self, host: str, *, peers: int) -> bool:
        """Whether the glusterd of a host answers, and is connected to so many others."""
        return self._counts("connected", "peer", "status", host=host) == [1] * peers

    def _connected(self) -> bool:
        """Whether the mount and both self-heal daemons reach both bricks."""
        return self._counts("clientCount", "volume", "status", NAME, "clients") == [
            CLIENTS,
            CLIENTS,
        ]

    def first_copy(self) -> Figures:
        """n2's replica is put back to an empty one, and healed, until all is on its disk.

        The time begins when the empty brick serves and everybody has connected to it. A full heal:
        it makes a directory before it looks at what is in it. An index of what was written while
        a brick was away is read in no order, and most of it again and again.
        """
        brick = f"{ADDRESSES['n2']}:{self.brick('n2')}"
        self._ask("volume", "set", NAME, "cluster.self-heal-daemon", "off")
        self._ask("volume", "reset-brick", NAME, brick, "start")
        shutil.rmtree(self.brick("n2"))
        self.brick("n2").mkdir()
        self._ask("volume", "reset-brick", NAME, brick, brick, "commit", "force")
        _await(self._connected)
        os.sync()
        used = self.processor_s()
        before = self._hosts.interface_bytes("n2")
        started = time.monotonic()
        self._ask("volume", "set", NAME, "cluster.self-heal-daemon", "on")
        # Refused until a self-heal daemon knows that it is on.
        _await(lambda: self._asked("volume", "heal", NAME, "full") is not None)
        self._await_healed()
        run("sync", "-f", self.brick("n2"))
        seconds = time.monotonic() - started
        moved = self._hosts.interface_bytes("n2") - before
        used = self.processor_s() - used
        if _content(self.brick("n1")) != _content(self.brick("n2")):
            raise RuntimeError("bench: GlusterFS says that it has healed, and the bricks differ")
        return {"s": seconds, "processor_s": used, "moved_mb": moved / 1e6}

    def _await_healed(self) -> None:
        """Wait until nothing is left to heal, by the index of what is pending and `heal info`.

        What could not be healed waits ten minutes for the next look through the index, unless it
        is asked for: it is, when nothing has moved for STALL_S.
        """
        index = self.brick("n1") / ".glusterfs/indices/xattrop"
        bases: list[Path] = []
        seen, moved, asked = (0, 0), time.monotonic(), time.monotonic()
        while True:
            # An entry of the index is a hard link to a file that bears the name of the index; when
            # that has 65,000 there is another one. To list all of them each time would cost.
            if not (left := _links(bases)):
                bases = list(index.glob("xattrop-*"))
                left = _links(bases)
            if not left and self._counts("numberOfEntries", *HEAL_INFO) == [0, 0]:
                return
            now, state = time.monotonic(), (left, os.statvfs(self.brick("n2")).f_ffree)
            if state != seen:
                seen, moved = state, now
            if now - moved > WAIT_S:
                raise RuntimeError(f"bench: GlusterFS does not heal the last {left:,} entries")
            if now - max(moved, asked) > STALL_S:
                self._asked("volume", "heal", NAME)
                asked = now
            time.sleep(LOOK_S)  # nothing tells it

    def processor_s(self) -> float:
        """Time that everything of GlusterFS has used so far."""
        return sum(processor_s(pid) for pid in self._processes())

    def _processes(self) -> Iterator[int]:
        wanted = self._mark.encode()
        for entry in Path("/proc").iterdir():
            with contextlib.suppress(OSError):
                environment = (entry / "environ").read_bytes() if entry.name.isdecimal() else b""
                if wanted in environment.split(b"\0"):
                    yield int(entry.name)

    def close(self) -> None:
        """Unmount, end every process, remove the replicas."""
        subprocess.run(("umount", "--lazy", self.mount), check=False, capture_output=True)
        # A glusterd may start something while it dies.
        while pids := list(self._processes()):
            for pid in pids:
                _kill(pid)
        for daemon in self._daemons.values():
            daemon.wait()
        for host in ADDRESSES:
            shutil.rmtree(self._hosts.disk(host) / self._name, ignore_errors=True)
            run("fstrim", self._hosts.disk(host))


def _await(condition: Callable[[], bool]) -> None:
    """Ask until it is so. Raises: RuntimeError, when it is not within WAIT_S."""
    until = time.monotonic() + WAIT_S
    while not condition():
        if time.monotonic() > until:
            raise RuntimeError("bench: GlusterFS does not come up; see its logs")


def _kill(pid: int) -> None:
    """End a process that is not our child, and wait for its end."""
    with contextlib.suppress(ProcessLookupError):
        fd = os.pidfd_open(pid)
        try:
            signal.pidfd_send_signal(fd, signal.SIGKILL)
            ended = select.poll()
            ended.register(fd, select.POLLIN)
            ended.poll(WAIT_S * 1e3)
        finally:
            os.close(fd)


def _links(bases: list[Path]) -> int:
    """How many other names they have."""
    return sum(base.stat().st_nlink - 1 for base in bases)


def _content(brick: Path) -> dict[str, int]:
    """Every file of a replica and its size; directories too."""
    found = {}
    for top, directories, files in os.walk(brick):
        directories[:] = [name for name in directories if not name.startswith(".glusterfs")]
        for name in (*directories, *files):
            path = Path(top, name)
            found[str(path.relative_to(brick))] = 0 if path.is_dir() else path.stat().st_size
    return found


@contextlib.contextmanager
def opened(hosts: Hosts) -> Iterator[Volume]:
    """Make a volume, and take it away whatever happens."""
    volume = Volume(hosts)
    try:
        volume.start()
        yield volume
    finally:
        volume.close()

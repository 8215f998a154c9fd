"""Two planes in one process, joined over loopback TLS: one mount, two lower directories.

No control plane: the test turns gate and session itself. Everything else is real: FUSE, TLS, both
disks.
"""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from mirror.adapters import native, pki
from mirror.adapters.native import Connection, Plane, Tls
from mirror.daemon.plane.exclusions import Rule, add_rules

SESSION = bytes(range(16))
LIVE, COPY = 1, 2
AWAIT_MS = 180_000  # a machine that does other work too is no link that is lost


@cache
def make_tls() -> tuple[Tls, Tls]:
    """Certificates of two nodes of one cluster, the same ones for every test."""
    made = []
    with TemporaryDirectory() as name:
        directory = Path(name)
        pki.create_cluster(directory / "cluster")
        for node in ("n1", "n2"):
            files = pki.issue_node(directory / "cluster", node, ["127.0.0.1"], directory / node)
            made.append(
                Tls(str(files.ca_certificate), str(files.node_certificate), str(files.node_key))
            )
    return made[0], made[1]


def make_plane(directory: Path, index_entries_max: int = 100_000) -> Plane:
    """A plane with one root, `directory/lower`, which is made when missing."""
    (directory / "lower").mkdir(parents=True, exist_ok=True)
    return Plane(
        str(directory / "index"),
        index_bytes=64 << 20,
        index_entries_max=index_entries_max,
        recent_places_max=100_000,
    )


class Pair:
    """See the module. mount: what the application sees; left, right: the lower directories."""

    def __init__(
        self, directory: Path, *, writeback: bool, sync_both: bool, rules: Sequence[Rule] = ()
    ) -> None:
        self.mount = directory / "mount"
        self.left = directory / "n1" / "lower"
        self.right = directory / "n2" / "lower"
        self.mount.mkdir(parents=True)
        self._tls = make_tls()
        self.primary = make_plane(directory / "n1")
        self.secondary = make_plane(directory / "n2")
        identity = self.primary.identity_new()
        for plane, lower in ((self.primary, self.left), (self.secondary, self.right)):
            plane.root_add(str(lower))
            plane.root_adopt(0, identity)
            add_rules(plane, 0, rules)
        self.primary.capture_create(2, writeback=writeback, sync_both=sync_both)
        self.primary.capture_mount(0, str(self.mount))
        self.connections: list[Connection] = []
        self._workers: list[threading.Thread] = []

    def mirror(self) -> None:
        """Begin a session: both lower directories are equal now."""
        self.secondary.apply_begin()
        self.connections = [self._connect(at) for at in range(self.primary.connections_needed())]
        self.primary.session_begin(self.connections, 1)
        self.primary.open_gate()

    @contextmanager
    def copy_lane(self) -> Iterator[Connection]:
        """One lane of reintegration beside the session's."""
        connection = self._connect(0, COPY)
        try:
            yield connection
        finally:
            connection.shutdown()
            connection.close()

    def _connect(self, index: int, lane: int = LIVE) -> Connection:
        listener = socket.create_server(("127.0.0.1", 0))
        ready = threading.Thread(target=self._serve, args=(listener,), daemon=True)
        ready.start()
        self._workers.append(ready)
        port = listener.getsockname()[1]
        connection = Connection.connect(
            self._tls[0], "127.0.0.1", port, "n2", timeout_ms=AWAIT_MS, io_timeout_ms=AWAIT_MS
        )
        assert connection.offer(lane, index, SESSION, "test", "n1") == ""
        return connection

    def _serve(self, listener: socket.socket) -> None:
        with listener:
            accepted, _ = listener.accept()
        connection = Connection.accept(
            self._tls[1], accepted.detach(), "n1", timeout_ms=AWAIT_MS, io_timeout_ms=AWAIT_MS
        )
        hello = connection.receive_hello()
        connection.answer_hello("n2")
        try:
            self.secondary.apply_serve(connection, hello.lane)
        except OSError:
            connection.close()

    def part(self) -> None:
        """Cut every connection, as a broken cable does to the data planes."""
        for connection in self.connections:
            connection.shutdown()

    def go_alone(self) -> None:
        """Leave the session and go on alone."""
        self.primary.session_lost(104, "test")
        self.primary.session_end(AWAIT_MS)
        for connection in self.connections:
            connection.close()
        self.connections = []
        self.await_workers()
        self.primary.go_alone()

    def await_workers(self) -> None:
        """The connections were shut down: the secondary has finished with each."""
        for worker in self._workers:
            worker.join(AWAIT_MS / 1000)

    def close(self) -> None:
        """Unmount and free everything; whatever a failed test left open gets errors."""
        self.primary.close_gate(AWAIT_MS)
        native.unmount(str(self.mount), lazy=True, force=True)
        self.primary.session_lost(104, "end of the test")
        self.primary.session_end(AWAIT_MS)
        self.primary.capture_mount_end(0)
        for connection in self.connections:
            connection.close()
        for worker in self._workers:
            worker.join(AWAIT_MS / 1000)
        self.primary.destroy()
        self.secondary.destroy()


@contextmanager
def open_pair(
    directory: Path,
    *,
    writeback: bool = False,
    sync_both: bool = False,
    rules: Sequence[Rule] = (),
) -> Iterator[Pair]:
    """Make a pair that is mirrored, and take it away whatever happens."""
    os.umask(0o022)
    pair = Pair(directory, writeback=writeback, sync_both=sync_both, rules=rules)
    try:
        pair.mirror()
        yield pair
    finally:
        pair.close()

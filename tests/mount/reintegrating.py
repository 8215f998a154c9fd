"""A serving node and a returning one in one process: mounts, TLS, both disks.

No control plane: the test parts and joins the two itself.
"""

from __future__ import annotations

import os
import select
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from mirror.adapters import native
from mirror.adapters.compare import Difference, compare_trees
from mirror.adapters.compare.excluded import local_by
from mirror.adapters.native import Connection, Plane
from mirror.core.reintegration.marks import first_epoch
from mirror.core.reintegration.progress import Outcome
from mirror.daemon.plane.checkpoints import Checkpoints
from mirror.daemon.plane.exclusions import Rule, add_rules
from mirror.daemon.plane.marks import read_mark
from mirror.daemon.plane.scan import Scan
from mirror.daemon.plane.source import Reintegration
from mirror.daemon.plane.target import Target
from tests.mount.pair import AWAIT_MS, SESSION, make_plane, make_tls

CONTROL, LIVE, COPY = 0, 1, 2
COPIES = 3
IO_TIMEOUT_MS = AWAIT_MS  # of an answer; a test of what hangs may have less patience
PARTED_BY_TEST = "parted by the test"


class Session:
    """The connections of one session, and the threads that serve them at the target."""

    def __init__(self, nodes: Nodes, *, aside: str) -> None:
        self._nodes = nodes
        self._threads: list[threading.Thread] = []
        self.ended: list[tuple[bytes, int]] = []
        nodes.target.apply_begin()
        self.target = Target(
            nodes.target,
            [str(nodes.right)],
            aside=aside,
            on_end=self._end,
            scan=nodes.target_scan,
            watched=nodes.watched,
        )
        self.control = self._connect(CONTROL, 0)
        self.copies = [self._connect(COPY, at) for at in range(COPIES)]
        self.live = [self._connect(LIVE, at) for at in range(nodes.source.connections_needed())]

    def _end(self, generation: bytes, checkpoint: int, _record: bytes) -> None:
        self.ended.append((generation, checkpoint))
        self.target.confirm()

    def _connect(self, lane: int, index: int) -> Connection:
        listener = socket.create_server(("127.0.0.1", 0))
        thread = threading.Thread(target=self._serve, args=(listener, lane), daemon=True)
        thread.start()
        self._threads.append(thread)
        connection = Connection.connect(
            self._nodes.tls[0],
            "127.0.0.1",
            listener.getsockname()[1],
            "n2",
            timeout_ms=AWAIT_MS,
            io_timeout_ms=IO_TIMEOUT_MS,
        )
        assert connection.offer(lane, index, SESSION, "test", "n1") == ""
        return connection

    def _serve(self, listener: socket.socket, lane: int) -> None:
        with listener:
            accepted, _ = listener.accept()
        connection = Connection.accept(
            self._nodes.tls[1],
            accepted.detach(),
            "n1",
            timeout_ms=AWAIT_MS,
            io_timeout_ms=IO_TIMEOUT_MS,
        )
        connection.receive_hello()
        connection.answer_hello("n2")
        try:
            while (message := self._nodes.target.apply_serve(connection, lane)) is not None:
                connection.send(*self.target.handle(*message))
        except OSError:
            pass
        finally:
            connection.close()

    def all(self) -> list[Connection]:
        """Every connection."""
        return [self.control, *self.copies, *self.live]

    def shutdown(self) -> None:
        """Cut every connection."""
        for connection in self.all():
            connection.shutdown()

    def close(self) -> None:
        """Free the connections; the target's threads have ended then."""
        self.shutdown()
        for thread in self._threads:
            thread.join(2 * AWAIT_MS / 1000)
            assert not thread.is_alive()
        for connection in self.all():
            connection.close()
        self.target.close()


class Nodes:
    """mount: what the application sees; left, right: lower directories of source and target."""

    watched = False  # capture="watch": see watched.py

    def __init__(
        self, directory: Path, rules: Sequence[Rule] = (), index_entries_max: int = 100_000
    ) -> None:
        self.rules = rules
        self.mount = directory / "mount"
        self.left = directory / "n1" / "lower"
        self.right = directory / "n2" / "lower"
        self.mount.mkdir(parents=True)
        self.tls = make_tls()
        self.source = make_plane(directory / "n1", index_entries_max)
        self.target = make_plane(directory / "n2", index_entries_max)
        self.session: Session | None = None
        self.target_scan: Scan | None = None
        self.progress: list[dict[str, object]] = []
        self.generation = os.urandom(16)
        identity = self.source.identity_new()
        for plane, lower in ((self.source, self.left), (self.target, self.right)):
            plane.root_add(str(lower))
            plane.root_adopt(0, identity)
            add_rules(plane, 0, rules)
        self.lost: list[str] = []  # sessions that the capture gave up by itself, and why
        self._told = threading.Event()
        self._closing = False
        self._serve(self.source)
        self._watcher = threading.Thread(target=self._watch, daemon=True)
        self._watcher.start()

    def _watch(self) -> None:
        """What the control plane would decide: changes that wait for ever tell nothing."""
        fd = os.dup(self.source.event_fd())
        while select.select([fd], [], [])[0] and not self._closing:
            os.read(fd, 8)
            while (event := self.source.event_take()) is not None:
                if event.detail != PARTED_BY_TEST:
                    self.lost.append(f"{event.kind} {event.error} {event.detail}")
                    self._told.set()
        os.close(fd)

    def _serve(self, plane: Plane) -> None:
        plane.capture_create(2, writeback=False, sync_both=False)
        plane.capture_mount(0, str(self.mount))
        plane.go_alone()

    def reintegrate(
        self,
        *,
        full: bool = False,
        aside: str = "",
        allowed_bytes_s: int | None = None,
        on_progress: Callable[[dict[str, object]], None] | None = None,
        should_stop: Callable[[], bool] = lambda: False,
        trusts_before_ns: int = 0,
        watched: bool = False,
        checkpoints: Checkpoints | None = None,
    ) -> Outcome:
        """Join the two. The session goes on afterwards, until `part`."""
        assert self.session is None
        self.session = Session(self, aside=aside)
        reintegration = Reintegration(
            self.source,
            self.session.control,
            self.session.copies,
            self.session.live,
            roots=1,
            full=full,
            aside=aside,
            generation=self.generation,
            first_epoch=first_epoch((read_mark(str(self.left)), read_mark(str(self.right)))),
            allowed_bytes_s=allowed_bytes_s,
            on_progress=on_progress or self.progress.append,
            should_stop=should_stop,
            trusts_before_ns=trusts_before_ns,
            watched=watched,
            checkpoints=checkpoints or Checkpoints(self.source),
        )
        try:
            outcome = reintegration.run()
        except OSError as error:
            self._told.wait(2)
            error.add_note(f"sessions lost: {self.lost}")
            raise
        assert self.session.ended[-1][0] == self.generation
        return outcome

    def part(self) -> None:
        """Leave the session; the source goes on alone, the target keeps what it noted.

        Also after a reintegration that failed, at whatever point.
        """
        if self.end_session():
            self.target.index_absorb()
            self.source.go_alone()

    def end_session(self) -> bool:
        """Leave the session, and no more. False: there is none."""
        session, self.session = self.session, None
        if session is None:
            return False
        if self.source.attached():
            self.source.session_lost(104, PARTED_BY_TEST)
        session.shutdown()
        self.source.session_end(AWAIT_MS)
        session.close()
        return True

    def cut(self) -> None:
        """Break every connection of the session, if there is one."""
        if self.session is not None:
            self.session.shutdown()

    def await_loss(self) -> list[str]:
        """Wait until a session was lost, and give those that were."""
        assert self._told.wait(AWAIT_MS / 1000)
        return self.lost

    def forget_losses(self) -> None:
        """The sessions that were lost so far were meant to be."""
        self.lost.clear()

    def differences(self) -> list[Difference]:
        """What differs between the two lower directories, the link being quiet."""
        assert self.lost == [], self.lost
        if self.source.mirrored():
            self.source.checkpoint()
        return compare_trees(self.left, self.right, local_by(self.rules))

    def close(self) -> None:
        """Unmount and free everything."""
        self.end_session()
        self.source.close_gate(AWAIT_MS)
        # A mount namespace made meanwhile by somebody else would hold it for as long as it lives.
        native.unmount(str(self.mount), lazy=True, force=True)
        self.source.capture_mount_end(0)
        self._end()

    def _end(self) -> None:
        self._closing = True
        os.eventfd_write(self.source.event_fd(), 1)
        self._watcher.join(AWAIT_MS / 1000)
        self.source.destroy()
        self.target.destroy()


@contextmanager
def two_nodes(
    directory: Path, rules: Sequence[Rule] = (), index_entries_max: int = 100_000
) -> Iterator[Nodes]:
    """Make a source that serves alone and an empty target; take them away whatever happens."""
    os.umask(0o022)
    nodes = Nodes(directory, rules, index_entries_max)
    try:
        yield nodes
    finally:
        nodes.close()

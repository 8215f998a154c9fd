"""The listener of the data link, and strangers who knock."""

import errno
import queue
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path

import pytest

from mirror.adapters.native import Connection, Hello, Tls
from mirror.adapters.pki import create_cluster, issue_node
from mirror.adapters.pki_files import PkiFiles
from mirror.daemon.plane.lanes import CONTROL, COPY, GREETED_MAX, Listener
from mirror.daemon.plane.link_tls import LinkTls
from mirror.daemon.plane.settings import PlaneSettings
from mirror.wire import codec
from tests.free_port import free_port

from .test_tocheck import settings_in

LOOPBACK, STRANGER = "127.0.0.1", "127.0.0.9"
# For a machine that is slow and at work.
SOON_MS = 20_000
CABLE_MS = 1_000  # more than a handshake takes here
STEP_BLOCKS, BLOCK_BYTES = 16, 64 << 10  # of native/capture/copy.h, MN_COPY_STEP_BYTES


@pytest.fixture
def settings(tmp_path: Path) -> PlaneSettings:
    """Of n1, whose peer is n2; whoever says nothing is borne for long."""
    create_cluster(tmp_path)
    for node in ("n1", "n2"):
        issue_node(tmp_path, node, [LOOPBACK], tmp_path / node)
    own = PkiFiles(tmp_path / "n1")
    return replace(
        settings_in(tmp_path),
        listen_port=free_port(),
        ca=str(own.ca_certificate),
        certificate=str(own.node_certificate),
        key=str(own.node_key),
        connect_timeout_ms=10 * SOON_MS,
    )


@pytest.fixture
def listen(settings: PlaneSettings) -> Iterator[Callable[[], queue.Queue[Hello]]]:
    """Begins to listen; whom it let in."""
    with ExitStack() as ending:

        def begin() -> queue.Queue[Hello]:
            served: queue.Queue[Hello] = queue.Queue()

            def serve(connection: Connection, hello: Hello) -> None:
                connection.close()
                served.put(hello)

            ending.callback(Listener(settings, LinkTls(settings), lambda _: "", serve).close)
            return served

        yield begin


def connection_of(settings: PlaneSettings, root: Path, timeout_ms: int = SOON_MS) -> Connection:
    """n2 connects. timeout_ms: how long the network may lose everything. Raises: OSError."""
    files = PkiFiles(root / "n2")
    tls = Tls(str(files.ca_certificate), str(files.node_certificate), str(files.node_key))
    return Connection.connect(
        tls, LOOPBACK, settings.listen_port, "n1", timeout_ms=timeout_ms, io_timeout_ms=SOON_MS
    )


def come_in(settings: PlaneSettings, root: Path) -> str:
    """n2 connects, and says who it is; "" when it is welcome. Raises: OSError."""
    connection = connection_of(settings, root)
    try:
        return connection.offer(CONTROL, 0, bytes(16), "m", "n2")
    finally:
        connection.close()


def test_the_peer_comes_in_after_the_system_refused_a_connection(
    settings: PlaneSettings,
    listen: Callable[[], queue.Queue[Hello]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Without descriptors for a moment, the link could never be made again."""
    refusals = [errno.EMFILE, errno.ENETDOWN]

    class Refusing(socket.socket):
        def accept(self) -> tuple[socket.socket, object]:
            if refusals:
                raise OSError(refusals.pop(), "not now")
            return super().accept()

    make = socket.create_server

    def made(*arguments: object, **more: object) -> Refusing:
        return Refusing(fileno=make(*arguments, **more).detach())  # type: ignore[arg-type]

    monkeypatch.setattr(socket, "create_server", made)
    served = listen()
    assert come_in(settings, tmp_path) == ""
    assert served.get(timeout=SOON_MS / 1000).node == "n2"


def test_blocks_that_wait_for_a_slow_disk_are_no_cut_cable(
    settings: PlaneSettings, tmp_path: Path
) -> None:
    """A source sends a whole step before it asks for an Ack; the target's disk takes its time."""
    may_read, had = threading.Event(), queue.Queue[int | OSError]()

    def serve(connection: Connection, _: Hello) -> None:
        may_read.wait(SOON_MS / 1000)
        try:
            for _each in range(STEP_BLOCKS):
                had.put(len(connection.receive(idle=False)[1]))
        except OSError as error:
            had.put(error)
        connection.close()

    listener = Listener(settings, LinkTls(settings), lambda _: "", serve)
    with closing(listener), closing(connection_of(settings, tmp_path, CABLE_MS)) as source:
        assert source.offer(COPY, 0, bytes(16), "m", "n2") == ""
        for _ in range(STEP_BLOCKS):
            source.send(codec.code_of("CopyBlock"), bytes(BLOCK_BYTES))
        threading.Timer(5 * CABLE_MS / 1000, may_read.set).start()
        for _ in range(STEP_BLOCKS):
            assert had.get(timeout=SOON_MS / 1000) == BLOCK_BYTES


def test_strangers_who_say_nothing_are_not_let_in_without_end(
    settings: PlaneSettings, listen: Callable[[], queue.Queue[Hello]], tmp_path: Path
) -> None:
    served = listen()
    place = (LOOPBACK, settings.listen_port)
    with ExitStack() as strangers:
        for _ in range(GREETED_MAX + 1):
            last = socket.create_connection(place, SOON_MS / 1000, (STRANGER, 0))
            strangers.enter_context(last)
        assert last.recv(1) == b"", "one too many"
        assert come_in(settings, tmp_path) == "", "the peer is no stranger"
        assert served.get(timeout=SOON_MS / 1000).node == "n2"

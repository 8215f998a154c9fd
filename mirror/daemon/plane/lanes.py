"""Lanes of one session: connecting them as the source, accepting them as the target."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

from mirror.adapters.native import Connection, Hello, Tls
from mirror.daemon.plane.link_tls import LinkTls
from mirror.daemon.plane.rpc import Rpc
from mirror.daemon.plane.settings import PlaneSettings
from mirror.errors import LinkRefused

CONTROL, LIVE, COPY = 0, 1, 2  # Lane of PROTOCOL, as Hello carries it
REFUSE_SESSION = 3
LISTEN_BACKLOG = 64
# Connections of one address that have not shown yet who they are; a session takes some dozens.
GREETED_MAX = 128
AGAIN_S = 0.1
# A source sends 1 MiB of a copy before it asks for an Ack. What the kernel here has no room for
# waits there, and when nothing moves for as long as a cut cable may last (TCP_USER_TIMEOUT), its
# kernel ends the connection: a disk that takes its time must not look like that.
RECEIVE_BYTES = 4 << 20
SO_RCVBUFFORCE = 33  # of asm-generic/socket.h: beyond net.core.rmem_max

log = structlog.get_logger()


@dataclass(slots=True)
class Lanes:
    """The connections of a session, as its source holds them.

    rpc: questions on CONTROL once the reintegration has ended; it had that lane for itself.
    """

    session: bytes
    control: Connection
    live: list[Connection] = field(default_factory=list)
    copy: list[Connection] = field(default_factory=list)
    rpc: Rpc = field(init=False)

    def __post_init__(self) -> None:
        self.rpc = Rpc(self.control)

    def all(self) -> list[Connection]:
        """Every connection."""
        return [self.control, *self.live, *self.copy]

    def shutdown(self) -> None:
        """Make every blocked call on them return."""
        for connection in self.all():
            connection.shutdown()

    def close(self) -> None:
        """Free them; nobody uses them any more, but perhaps somebody who asks on CONTROL."""
        self.shutdown()
        self.rpc.end()
        for connection in self.all():
            connection.close()


def connect_lanes(
    settings: PlaneSettings,
    tls: Tls,
    session: bytes,
    addresses: list[str],
    port: int,
    live_count: int,
) -> Lanes:
    """Connect every lane of a session to the peer, by the first address that answers.

    Raises: OSError when no address answers, LinkRefused (MIR-501) with the peer's sentence.
    """
    opened: list[Connection] = []

    def one(address: str, lane: int, lane_index: int) -> Connection:
        connection = Connection.connect(
            tls,
            address,
            port,
            settings.peer,
            timeout_ms=settings.connect_timeout_ms,
            io_timeout_ms=settings.io_timeout_ms,
        )
        opened.append(connection)
        refusal = connection.offer(lane, lane_index, session, settings.module, settings.node)
        if refusal:
            raise LinkRefused(peer=settings.peer, sentence=refusal)
        return connection

    try:
        address, control = _first_that_answers(addresses, lambda each: one(each, CONTROL, 0))
        lanes = Lanes(session, control)
        lanes.live.extend(one(address, LIVE, at) for at in range(live_count))
        lanes.copy.extend(one(address, COPY, at) for at in range(settings.reintegration_threads))
    except (OSError, LinkRefused):
        for connection in opened:
            connection.close()
        raise
    return lanes


def _first_that_answers(
    addresses: list[str], connect: Callable[[str], Connection]
) -> tuple[str, Connection]:
    failure: OSError | None = None
    for address in addresses:
        try:
            return address, connect(address)
        except OSError as error:
            failure = error
    raise failure or OSError("no address of the peer is known")


def _make_room(listener: socket.socket) -> None:
    """In what it accepts: the window of a connection is agreed when it begins."""
    try:
        listener.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BYTES)
    except PermissionError:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BYTES)


class Listener:
    """Accepts connections of the peer for as long as the process lives.

    Who knocks may be a stranger: none takes more than GREETED_MAX threads, and whatever the
    system refuses meanwhile, the peer is accepted again as soon as it does not.
    admit(hello) -> "" or the sentence of a refusal; then serve(connection, hello) runs in the
    connection's own thread and owns the connection.
    """

    def __init__(
        self,
        settings: PlaneSettings,
        tls: LinkTls,
        admit: Callable[[Hello], str],
        serve: Callable[[Connection, Hello], None],
    ) -> None:
        self._settings = settings
        self._tls = tls
        self._admit = admit
        self._serve = serve
        self._greeted: Counter[str] = Counter()  # by address
        self._greeting = threading.Lock()
        self._ended = threading.Event()
        self._socket = (
            socket.create_server(
                ("", settings.listen_port),
                family=socket.AF_INET6,
                dualstack_ipv6=True,
                backlog=LISTEN_BACKLOG,
                reuse_port=False,
            )
            if socket.has_dualstack_ipv6()
            else socket.create_server(("", settings.listen_port), backlog=LISTEN_BACKLOG)
        )
        _make_room(self._socket)
        threading.Thread(target=self._accept, name="listener", daemon=True).start()

    def close(self) -> None:
        """Accept no more."""
        self._ended.set()
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)  # closed alone, it would go on waiting
        self._socket.close()

    def _accept(self) -> None:
        while not self._ended.is_set():
            try:
                accepted, address = self._socket.accept()
            except OSError as error:
                # Without descriptors, it would fail again at once.
                if not self._ended.wait(AGAIN_S):
                    log.warning("no connection accepted", error=str(error))
                continue
            if not self._may_greet(address[0]):
                accepted.close()
                continue
            lane = threading.Thread(
                target=self._greet, args=(accepted, address[0]), name="lane", daemon=True
            )
            try:
                lane.start()
            except RuntimeError as error:  # no room for a thread
                log.warning("no connection accepted", address=address[0], error=str(error))
                accepted.close()
                self._greeted_one(address[0])

    def _may_greet(self, address: str) -> bool:
        with self._greeting:
            if self._greeted[address] >= GREETED_MAX:
                return False
            self._greeted[address] += 1
            return True

    def _greeted_one(self, address: str) -> None:
        with self._greeting:
            self._greeted[address] -= 1
            if not self._greeted[address]:
                del self._greeted[address]

    def _greet(self, accepted: socket.socket, address: str) -> None:
        try:
            welcomed = self._welcomed(accepted, address)
        finally:
            self._greeted_one(address)
        if welcomed is not None:
            self._serve(*welcomed)

    def _welcomed(self, accepted: socket.socket, address: str) -> tuple[Connection, Hello] | None:
        """The connection of a peer that was let in; None for everybody else."""
        connection: Connection | None = None
        try:
            connection = Connection.accept(
                self._tls.now(),
                accepted.detach(),
                self._settings.peer,
                timeout_ms=self._settings.connect_timeout_ms,
                io_timeout_ms=self._settings.io_timeout_ms,
            )
            hello = connection.receive_hello()
            refusal = self._admit(hello)
            connection.answer_hello(self._settings.node, REFUSE_SESSION if refusal else 0, refusal)
        except OSError as error:
            log.warning("connection refused", address=address, error=str(error))
            refusal = "refused"
        if connection is None:
            return None
        if refusal:
            with contextlib.suppress(OSError):
                connection.close()
            return None
        return connection, hello

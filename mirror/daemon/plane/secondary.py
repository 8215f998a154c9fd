"""The node that is the target of a session: one thread a connection, all running in C.

The session is over when its first connection ends; it has ended when its last thread has. Only
then may a new session begin or this node take over: a late worker must not put old bytes over new
(design 8).
"""

from __future__ import annotations

import errno
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

from mirror.adapters.native import Connection, Hello, Plane
from mirror.daemon.plane.lanes import CONTROL
from mirror.daemon.plane.target import Target
from mirror.errors import PlaneNotReady
from mirror.vocabulary.said import parts_of, say
from mirror.vocabulary.said_system import system_said
from mirror.wire import codec

log = structlog.get_logger()

WORKERS_END_S_MAX = 60.0


@dataclass(slots=True)
class _Session:
    """One session as seen here. Guarded by the Secondary's lock."""

    id: bytes
    target: Target
    connections: list[Connection] = field(default_factory=list)
    lost: str = ""


class Secondary:
    """Follows at most one session.

    roots_held(): the replicated directories and their marks, as the message says them.
    emit(name, **fields): tells the control plane.
    """

    def __init__(
        self,
        plane: Plane,
        make_target: Callable[[str], Target],
        adopt_root: Callable[[int, bytes, bool], bool],
        roots_held: Callable[[], list[dict[str, object]]],
        emit: Callable[..., None],
    ) -> None:
        self._plane = plane
        self._make_target = make_target
        self._adopt_root = adopt_root
        self._roots_held = roots_held
        self._emit = emit
        self._changed = threading.Condition()
        self._session: _Session | None = None

    def session(self) -> str:
        """The session followed, in hex, or ""."""
        with self._changed:
            return self._session.id.hex() if self._session else ""

    def follow(self, session: bytes, aside: str) -> None:
        """Be the target of this session from now on; its connections are admitted.

        Raises: TimeoutError when workers of the older session do not end.
        """
        self.end("another session begins")
        self._plane.apply_begin()
        with self._changed:
            self._session = _Session(session, self._make_target(aside))

    def admit(self, hello: Hello) -> str:
        """Decide about a connection: "" or why not."""
        with self._changed:
            if self._session is None or self._session.lost:
                return "this node follows no session now"
            if hello.session != self._session.id:
                return "this node follows another session"
        return ""

    def serve(self, connection: Connection, hello: Hello) -> None:
        """Serve one connection until it ends; then the whole session is over."""
        with self._changed:
            session = self._session
            if session is None or session.id != hello.session or session.lost:
                connection.close()
                return
            session.connections.append(connection)
        if hello.lane == CONTROL:
            self._emit("link_up", session=session.id.hex())
        reason = say("link.ended")
        try:
            while (message := self._plane.apply_serve(connection, hello.lane)) is not None:
                connection.send(*self._answer(session, *message))
        except OSError as error:
            reason = system_said(error)
        except Exception:
            log.exception("a message of the source failed here")
            reason = say("link.failed_here")
        self._leave(session, connection, reason)

    def _answer(self, session: _Session, code: int, payload: bytes) -> tuple[int, bytes]:
        if code == codec.code_of("Roots"):
            message = codec.decode(code, payload)
            agreed = all(
                self._adopt_root(root["root"], root["id"], bool(message["full"]))
                for root in message["roots"]
            )
            held = self._roots_held()
            agreed = agreed and len(held) == len(message["roots"])
            return codec.code_of("RootsHeld"), codec.encode(
                "RootsHeld", error=0 if agreed else errno.ESTALE, roots=held
            )
        return session.target.handle(code, payload)

    def _leave(self, session: _Session, connection: Connection, reason: str) -> None:
        with self._changed:
            first = not session.lost
            session.lost = session.lost or reason
            for other in session.connections:
                other.shutdown()
            session.connections.remove(connection)
            connection.close()
            self._changed.notify_all()
        if first:
            unsynced = self._plane.apply_unsynced()
            if unsynced:  # before the loss of the link: nobody may take over with this copy
                sentence = "this node's disk failed to sync"
                self._emit("fault", where="local", error=unsynced, sentence=sentence)
            told = {"reason": str(reason), "reason_said": parts_of(reason)}
            self._emit("link_lost", session=session.id.hex(), **told)

    def end(self, reason: str) -> None:
        """End the session, if there is one, and wait until every worker has finished.

        Raises: TimeoutError.
        """
        with self._changed:
            session = self._session
            if session is None:
                return
            session.lost = session.lost or reason
            for connection in session.connections:
                connection.shutdown()
            if not self._changed.wait_for(lambda: not session.connections, WORKERS_END_S_MAX):
                raise TimeoutError("a worker of the session does not end: is the disk hung?")
            self._session = None
        session.target.close()

    def settle(self, roots: int) -> None:
        """Finish what was begun, then make it durable: this node may take over (design 8).

        Raises: TimeoutError; OSError, also when the disk failed to sync in the session that ends.
        """
        self.end("settled")
        self._plane.index_absorb()
        try:
            for root in range(roots):
                self._plane.root_sync(root)
        except OSError:
            # Told now. Who follows next compares what is not on the disk, and settles before.
            self._plane.apply_begin()
            raise

    def confirm(self, session: str) -> None:
        """The control plane has made the record of the finished synchronisation durable.

        Raises: PlaneNotReady (MIR-502).
        """
        with self._changed:
            current = self._session
        if current is None or current.id.hex() != session:
            raise PlaneNotReady(verb="confirm_sync", mode=say("plane.other_session"))
        current.target.confirm()

"""A pair whose secondary is served as a data plane does it."""

from __future__ import annotations

import socket

from mirror.adapters.native import Connection
from mirror.daemon.plane.secondary import Secondary
from mirror.daemon.plane.target import Target
from tests.mount.pair import AWAIT_MS, SESSION, Pair, make_tls


class Followed(Pair):
    """See the module. told: events, in order."""

    def mirror(self) -> None:
        self.told: list[str] = []
        self.follower = Secondary(
            self.secondary,
            lambda aside: Target(self.secondary, [str(self.right)], aside=aside, on_end=_never),
            lambda _root, _id, _full: True,
            list,
            lambda name, **_: self.told.append(name),
        )
        self.follower.follow(SESSION, "")
        super().mirror()

    def connect(self, lane: int) -> Connection:
        """One connection of the session that is followed."""
        return self._connect(0, lane)

    def _serve(self, listener: socket.socket) -> None:
        with listener:
            accepted, _ = listener.accept()
        connection = Connection.accept(
            make_tls()[1], accepted.detach(), "n1", timeout_ms=AWAIT_MS, io_timeout_ms=AWAIT_MS
        )
        hello = connection.receive_hello()
        connection.answer_hello("n2")
        self.follower.serve(connection, hello)


def _never(_generation: bytes, _checkpoint: int, _record: bytes) -> None:
    raise AssertionError("nothing is reintegrated here")

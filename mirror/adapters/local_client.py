"""The asking end of the local protocol, blocking: for the command line and for scripts.

It decides nothing: an error reply is raised as it came. What runs in asyncio uses local_events.py.
"""

import socket
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from mirror.errors import LocalMessageRefused, NodeNotReachable
from mirror.vocabulary.said import say
from mirror.vocabulary.said_system import system_said
from mirror.wire.local import Decoder, Message, encode, raise_if_error, request

CHUNK_BYTES_MAX = 65_536
CONNECT_TIMEOUT_S = 5.0


class LocalClient:
    """One connection to a local server. Not shared between threads; use as a context manager."""

    def __init__(self, path: Path, *, timeout_s: float | None = None) -> None:
        """timeout_s: silence allowed while a reply is awaited; None waits as long as it takes."""
        self._path = path
        self._timeout_s = timeout_s
        self._socket: socket.socket | None = None
        self._decoder = Decoder()
        self._received: list[Message] = []
        self._last_id = 0

    def __enter__(self) -> Self:
        """Connect at the first call, not here."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close, whatever happened."""
        self.close()

    def close(self) -> None:
        """Close the connection; closing twice is allowed."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def call(self, do: str, /, **fields: Any) -> Message:
        """Ask and wait for the reply; events that come meanwhile are kept for `events`.

        Raises: NodeNotReachable (MIR-302) when nobody listens, the connection breaks or
        timeout_s passes; LocalCallFailed with the words of the other end when it says no.
        """
        self._last_id += 1
        self._send(encode(request(self._last_id, do, **fields)))
        kept: list[Message] = []
        while True:
            message = self._next()
            if message.get("id") == self._last_id and "event" not in message:
                self._received = kept + self._received
                return raise_if_error(message)
            kept.append(message)

    def events(self) -> Iterator[Message]:
        """Yield events as they come, for ever. Raises: NodeNotReachable when the stream ends."""
        while True:
            message = self._next()
            if "event" in message:
                yield message

    def _connected(self) -> socket.socket:
        if self._socket is None:
            connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            connection.settimeout(CONNECT_TIMEOUT_S)
            try:
                connection.connect(str(self._path))
            except OSError as error:
                connection.close()
                raise unreachable(self._path, error) from error
            connection.settimeout(self._timeout_s)
            self._socket = connection
            self._decoder = Decoder()
        return self._socket

    def _send(self, frame: bytes) -> None:
        try:
            self._connected().sendall(frame)
        except OSError as error:
            self.close()
            raise unreachable(self._path, error) from error

    def _next(self) -> Message:
        while not self._received:
            try:
                chunk = self._connected().recv(CHUNK_BYTES_MAX)
            except OSError as error:
                self.close()
                raise unreachable(self._path, error) from error
            if not chunk:
                self.close()
                raise NodeNotReachable(socket=self._path, observed=say("node.closed"))
            try:
                self._received = self._decoder.feed(chunk)
            except LocalMessageRefused:
                self.close()
                raise
        return self._received.pop(0)


def unreachable(path: Path, error: OSError) -> NodeNotReachable:
    """Build the error of a socket where nobody answers."""
    match error:
        case TimeoutError():
            observed = say("seen.late")
        case FileNotFoundError() | ConnectionRefusedError():
            observed = say("node.not_running")
        case _:
            observed = system_said(error)
    return NodeNotReachable(socket=path, observed=observed)

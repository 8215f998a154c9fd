"""A minimal status page on the console's socket: this node's modules as JSON, nothing to change.

It stands in for the console: one GET, one answer, the connection closed.
"""

import asyncio
import contextlib
import json
import socket
from collections.abc import Callable
from typing import Any

from mirror.config.layout import CONSOLE_HTTP_PORT

HEAD_BYTES_MAX = 8_192
HEAD_S = 5.0


class StatusPage:
    """Serves the page. status: called for each request."""

    def __init__(self, status: Callable[[], dict[str, Any]]) -> None:
        self._status = status
        self._server: asyncio.Server | None = None

    async def start(self, listening: socket.socket | None) -> None:
        """Serve on this socket, else on the loopback; a port that is taken is left alone."""
        if listening is not None:
            self._server = await asyncio.start_server(self._serve, sock=listening)
            return
        with contextlib.suppress(OSError):
            self._server = await asyncio.start_server(self._serve, "127.0.0.1", CONSOLE_HTTP_PORT)

    async def close(self) -> None:
        """Serve no more."""
        if self._server is not None:
            self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(HEAD_S):
                head = await reader.readuntil(b"\r\n\r\n")
            writer.write(self._answer(head[:HEAD_BYTES_MAX]))
            await writer.drain()
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # garbage on a port is closed
        finally:
            writer.close()

    def _answer(self, head: bytes) -> bytes:
        method, _, rest = head.partition(b" ")
        path = rest.split(b" ", 1)[0]
        if method != b"GET":
            return _response("405 Method Not Allowed", b"")
        if path.startswith(b"/var/modules/") and path.endswith(b"/ready.txt"):
            name = (
                path.removeprefix(b"/var/modules/").removesuffix(b"/ready.txt").decode("latin-1")
            )
            module = self._status()["modules"].get(name) or {}
            serves = module.get("state") in {"PRIM", "ALONE"} and module.get("ready")
            return _response("200 OK" if serves else "404 Not Found", b"")
        body = json.dumps(self._status(), indent=1, default=str).encode()
        return _response("200 OK", body)


def _response(status: str, body: bytes) -> bytes:
    head = (
        f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + body

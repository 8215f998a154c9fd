"""Serves the application: plain HTTP on its sockets, HTTPS while the cluster has certificates.

HTTPS begins when this node joins a cluster and takes up a renewed certificate by itself: the
listening socket stays open, so nobody is turned away; open connections end on their own.
"""

import asyncio
import contextlib
import logging
import socket
import ssl
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import structlog
import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from mirror.adapters.pki_files import PkiFiles
from mirror.adapters.tls import tls_context
from mirror.config.layout import Layout
from mirror.errors import MirrorError

LOOK_AT_KEYS_S = 1.0
# Event streams are told to end; what is longer than this is cut off.
ENDING_S = 3
KEPT_ALIVE_S = 30
CONNECTIONS_MAX = 1000
HEADER_BYTES_MAX = 32 * 1024

log = structlog.get_logger()


class PeerProtocol(H11Protocol):
    """HTTP/1.1 that tells the application which node's certificate the other end showed."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio.Protocol."""
        assert isinstance(transport, asyncio.Transport)
        super().connection_made(transport)
        tls = transport.get_extra_info("ssl_object")
        certificate = tls.getpeercert() if tls is not None else None
        self.app = _WithPeer(self.app, common_name(certificate or {}))


class _WithPeer:
    """Puts the name of the other node into the scope of each request of a connection."""

    def __init__(self, app: Any, peer: str) -> None:  # noqa: ANN401 - any ASGI application
        self._app = app
        self._peer = peer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app({**scope, "mirror.peer": self._peer}, receive, send)


class _Server(uvicorn.Server):
    """A server whose process has its own signal handlers, and tells when it listens."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listening.set()


async def serve_http(app: ASGIApp, sockets: Sequence[socket.socket], ready: asyncio.Event) -> None:
    """Serve plain HTTP until cancelled. ready: set when it listens."""
    await _serve(_config_of(app, None), list(sockets), ready)


class Https:
    """HTTPS on some sockets, as long as there are certificates."""

    def __init__(self, app: ASGIApp, layout: Layout, sockets: Sequence[socket.socket]) -> None:
        self._app = app
        self._pki = PkiFiles(layout.pki)
        self._sockets = tuple(sockets)
        self._task: asyncio.Task[None] | None = None
        self._config: uvicorn.Config | None = None
        self._ending: set[asyncio.Task[None]] = set()

    @property
    def is_served(self) -> bool:
        """Whether HTTPS answers now."""
        return self._task is not None and not self._task.done()

    async def run(self) -> None:
        """Look after it until cancelled."""
        known: tuple[int, ...] = ()
        try:
            while True:
                stamp = self._stamp()
                if stamp != known and await self._renew():
                    known = stamp
                await asyncio.sleep(LOOK_AT_KEYS_S)
        finally:
            self._end()
            if self._ending:
                await asyncio.wait(self._ending, timeout=ENDING_S + 1)

    async def _renew(self) -> bool:
        """Serve with the certificates of now; False when they do not belong together (yet).

        Key and certificate are replaced one after the other: between the two, the server of
        before goes on with what it has in memory.
        """
        if not self._pki.node_certificate.is_file() or not self._pki.ca_certificate.is_file():
            self._end()
            return True
        try:
            context = tls_context(self._pki.directory, server_side=True)
        except MirrorError as error:
            log.warning("console takes up no certificate", why=str(error))
            return False
        # Browsers have no certificate of the cluster; the other node has, and is believed by it.
        context.verify_mode = ssl.CERT_OPTIONAL
        context.set_alpn_protocols(["http/1.1"])
        if self._config is not None:
            # Nobody is cut off: what goes on with the former certificate ends by itself.
            self._config.timeout_graceful_shutdown = None
        self._end()
        self._config = _config_of(self._app, context)
        ready = asyncio.Event()
        duplicates = [one.dup() for one in self._sockets]
        self._task = asyncio.create_task(_serve(self._config, duplicates, ready))
        await ready.wait()
        addresses = [one.getsockname()[:2] for one in self._sockets]
        log.info("console serves HTTPS", addresses=addresses)
        return True

    def _end(self) -> None:
        if self._task is not None:
            self._task.cancel()
            self._ending.add(self._task)
            self._task.add_done_callback(self._ending.discard)
            self._task = None

    def _stamp(self) -> tuple[int, ...]:
        files = (self._pki.ca_certificate, self._pki.node_certificate, self._pki.node_key)
        return tuple(_changed_ns(file) for file in files)


def _config_of(app: ASGIApp, context: ssl.SSLContext | None) -> uvicorn.Config:
    """How the HTTP server serves; with a context, HTTPS."""
    config = uvicorn.Config(
        app,
        http=PeerProtocol,
        ws="none",
        lifespan="off",
        log_config=None,
        log_level=logging.WARNING,
        access_log=False,
        # What says where a request comes from is the connection, never a header.
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=KEPT_ALIVE_S,
        timeout_graceful_shutdown=ENDING_S,
        limit_concurrency=CONNECTIONS_MAX,
        h11_max_incomplete_event_size=HEADER_BYTES_MAX,
        backlog=256,
    )
    config.load()
    config.ssl = context
    return config


async def _serve(
    config: uvicorn.Config, sockets: list[socket.socket], ready: asyncio.Event
) -> None:
    """Serve until cancelled; then end in order, in the time that the config gives.

    The sockets are closed.
    """
    server = _Server(config)
    serving = asyncio.create_task(server.serve(sockets))
    listening = asyncio.create_task(server.listening.wait())
    try:
        await asyncio.wait({serving, listening}, return_when=asyncio.FIRST_COMPLETED)
        ready.set()
        await asyncio.shield(serving)
    finally:
        ready.set()
        listening.cancel()
        server.should_exit = True
        with contextlib.suppress(asyncio.CancelledError):
            await serving


def common_name(certificate: dict[str, Any]) -> str:
    """The name in a certificate that was verified; "" when none was shown."""
    for part in certificate.get("subject", ()):
        for name, value in part:
            if name == "commonName":
                return str(value)
    return ""


def _changed_ns(file: Path) -> int:
    try:
        return file.stat().st_mtime_ns
    except OSError:
        return 0

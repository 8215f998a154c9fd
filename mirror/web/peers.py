"""Reaches the console of the other node: HTTPS with the cluster's certificates on both sides.

Every network of the cluster is tried, the one that answered last first. Who asks travels in a
header, which the other node believes from a certificate of the cluster and from nobody else.
"""

import contextlib
import socket
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from urllib.parse import quote, unquote

import httpx

from mirror.adapters.console.roles import Role
from mirror.adapters.failures import failure_of
from mirror.adapters.pki_files import PkiFiles
from mirror.adapters.tls import tls_context
from mirror.config.layout import Layout
from mirror.errors import MirrorError, PeerNotReachable
from mirror.vocabulary.said import said_of, say
from mirror.web.cluster_seen import ClusterSeen
from mirror.web.identity import Caller

CALLER_HEADER = "x-mirror-caller"
CONNECT_S = 2.0
# Putting a configuration in force runs scripts of the module.
READ_S = 700.0
CONNECTIONS_MAX = 100
# Less than the server keeps them, so that a request never meets a closing connection.
KEPT_ALIVE_S = 15.0
# A host that lost its power says no goodbye: without these, a request on a connection from before
# would wait for its answer as long as a configuration may take (seen: minutes).
DEATH_IS_NOTICED = (
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 2),
    (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 3000),
)


class Peers:
    """The way to the other node. Used by one event loop."""

    def __init__(self, layout: Layout, cluster: ClusterSeen, port: int) -> None:
        self._pki = PkiFiles(layout.pki)
        self._cluster = cluster
        self._port = port
        self._client: httpx.AsyncClient | None = None
        self._stamp: tuple[int, ...] = ()
        self._preferred = ""

    @contextlib.asynccontextmanager
    async def request(
        self,
        method: str,
        path: str,
        caller: Caller,
        *,
        query: str = "",
        headers: Mapping[str, str] | None = None,
        content: AsyncIterator[bytes] | bytes | None = None,
        read_s: float = READ_S,
    ) -> AsyncIterator[httpx.Response]:
        """Ask the other node; the answer's body is read by the caller while it lasts.

        Only the connection is tried on each network, never the request twice: it may be a
        command. Raises: PeerNotReachable (MIR-810).
        """
        membership = self._cluster.look()
        node = membership.peer or say("rule.other_node")
        if not membership.peer_addresses:
            raise PeerNotReachable(node=node, observed=say("seen.no_pair"))
        client = await self._current_client(node)
        sent = {CALLER_HEADER: written(caller), **(headers or {})}
        timeout = httpx.Timeout(read_s, connect=CONNECT_S)
        observed = ""
        for address in self._in_order(membership.peer_addresses):
            host = f"[{address}]" if ":" in address else address
            url = f"https://{host}:{self._port}{quote(path)}" + (f"?{query}" if query else "")
            request = client.build_request(
                method, url, headers=sent, content=content, timeout=timeout
            )
            try:
                response = await _sent(client, request)
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                observed = say("peer.at", address=address, observed=failure_of(error))
                continue
            except httpx.HTTPError as error:
                raise PeerNotReachable(node=node, observed=failure_of(error)) from error
            self._preferred = address
            try:
                yield response
            except httpx.HTTPError as error:
                raise PeerNotReachable(node=node, observed=failure_of(error)) from error
            finally:
                await response.aclose()
            return
        raise PeerNotReachable(node=node, observed=observed)

    async def close(self) -> None:
        """Close every connection."""
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    async def _current_client(self, node: str) -> httpx.AsyncClient:
        """The client for the certificates of now: joining again changes them."""
        files = (self._pki.ca_certificate, self._pki.node_certificate, self._pki.node_key)
        stamp = tuple(_changed_ns(file) for file in files)
        if self._client is None or stamp != self._stamp:
            await self.close()
            try:
                context = tls_context(self._pki.directory, server_side=False)
            except MirrorError as error:
                raise PeerNotReachable(node=node, observed=said_of(error)) from error
            transport = httpx.AsyncHTTPTransport(
                verify=context,
                trust_env=False,
                limits=httpx.Limits(
                    max_connections=CONNECTIONS_MAX, keepalive_expiry=KEPT_ALIVE_S
                ),
                socket_options=DEATH_IS_NOTICED,
            )
            self._client = httpx.AsyncClient(transport=transport, trust_env=False)
            self._stamp = stamp
        return self._client

    def _in_order(self, addresses: tuple[str, ...]) -> list[str]:
        return sorted(addresses, key=lambda address: address != self._preferred)


async def _sent(client: httpx.AsyncClient, request: httpx.Request) -> httpx.Response:
    """Send it; a look at something once more when the other end was just closing.

    A console that takes up a renewed certificate ends the connections of before.
    """
    try:
        return await client.send(request, stream=True)
    except httpx.RemoteProtocolError:
        if request.method != "GET":
            raise
        return await client.send(request, stream=True)


def written(caller: Caller) -> str:
    """Write who asks, for the header: role, name, since when. The node itself has no role."""
    return f"{caller.role or '-'} {quote(caller.name, safe='')} {caller.since_us}"


def read_caller(text: str) -> tuple[str, Role | None, int]:
    """Read the header; a command line gives no time. Raises: ValueError for none of ours."""
    role, _, rest = text.partition(" ")
    name, _, since_us = rest.partition(" ")
    return unquote(name)[:100], None if role == "-" else Role(role), int(since_us or 0)


def _changed_ns(file: Path) -> int:
    try:
        return file.stat().st_mtime_ns
    except OSError:
        return 0

"""One request to the console of another node, for the command line: mutual TLS, blocking.

The other node believes the caller named in the header because the certificate is of the cluster
(mirror/web/peers.py is the same for the console, which must not block).
"""

import contextlib
import http.client
import json
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mirror.adapters.failures import failure_of
from mirror.adapters.tls import tls_context
from mirror.errors import PeerNotReachable
from mirror.vocabulary.said import say

CALLER = {"x-mirror-caller": "Admin root"}
CONNECT_S = 3.0
# Putting a configuration in force runs scripts of the module, five minutes each.
ANSWER_S = 700.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What the other console answered."""

    status: int
    body: bytes

    @property
    def json(self) -> dict[str, Any]:
        """The body, when it is a JSON object; else nothing."""
        with contextlib.suppress(ValueError):
            value = json.loads(self.body)
            if isinstance(value, dict):
                return value
        return {}


@dataclass(frozen=True, slots=True)
class PeerConsole:
    """The console of one node. addresses: tried in this order."""

    node: str
    addresses: Sequence[str]
    port: int
    pki: Path

    def ask(
        self, method: str, path: str, body: bytes, content_type: str = "application/json"
    ) -> Answer:
        """Ask once; only the connection is tried on each address, for it may be a command.

        Raises: PeerNotReachable (MIR-810), PkiRefused (MIR-320).
        """
        context = tls_context(self.pki, server_side=False)
        observed = say("node.no_address")
        for address in self.addresses:
            connection = http.client.HTTPSConnection(
                address, self.port, timeout=CONNECT_S, context=context
            )
            try:
                connection.connect()
            except OSError as error:
                observed = say("node.at", address=address, observed=failure_of(error))
                continue
            with contextlib.closing(connection):
                return self._exchange(connection, method, path, body, content_type)
        raise PeerNotReachable(node=self.node, observed=observed)

    def _exchange(
        self,
        connection: http.client.HTTPSConnection,
        method: str,
        path: str,
        body: bytes,
        content_type: str,
    ) -> Answer:
        assert isinstance(connection.sock, socket.socket)
        connection.sock.settimeout(ANSWER_S)
        try:
            connection.request(method, path, body, {**CALLER, "content-type": content_type})
            response = connection.getresponse()
            return Answer(response.status, response.read())
        except (OSError, http.client.HTTPException) as error:
            raise PeerNotReachable(node=self.node, observed=failure_of(error)) from error

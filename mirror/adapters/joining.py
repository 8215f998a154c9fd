"""Handing an invitation to a node that has the token, once, over TLS.

The node that joins believes the certificate whose fingerprint is in its token and no other; the
node that invites believes whoever knows the secret. Three wrong secrets end the token. Foreground
and blocking: `cluster token` waits, and nothing listens when it does not.
"""

import hashlib
import hmac
import socket
import ssl
from pathlib import Path

from mirror.adapters import clock
from mirror.adapters.pki_files import PkiFiles, read_file
from mirror.errors import JoinFailed, LocalMessageRefused
from mirror.wire.join_token import JoinToken
from mirror.wire.local import Decoder, Message, encode, reply, request

EXCHANGE_TIMEOUT_S = 10.0
WRONG_SECRETS_MAX = 3
# Before it has shown the secret, a stranger may make us hold this much.
REQUEST_BYTES_MAX = 1024
CHUNK_BYTES = 65_536


def fingerprint_of(directory: Path) -> bytes:
    """SHA-256 of this node's certificate, as TLS shows it. Raises: PkiRefused (MIR-320)."""
    pem = read_file(PkiFiles(directory).node_certificate).decode("ascii")
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).digest()


class JoinServer:
    """Listens for one node that joins. Use as: with it, `token`, then `serve`."""

    def __init__(self, directory: Path, address: str, port: int, secret: bytes) -> None:
        """Begin to listen. port 0: any free one. Raises: JoinFailed (MIR-116), PkiRefused."""
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.minimum_version = ssl.TLSVersion.TLSv1_3
        files = PkiFiles(directory)
        fingerprint = fingerprint_of(directory)
        self._context.load_cert_chain(str(files.node_certificate), str(files.node_key))
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self._listener = socket.socket(family, socket.SOCK_STREAM)
        try:
            self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._listener.bind((address, port))
            self._listener.listen()
        except OSError as error:
            self._listener.close()
            raise JoinFailed(
                where=f"{address} port {port}",
                observed=error.strerror or str(error),
                remedy="is the address of this node in cluster.xml right?",
            ) from error
        self.token = JoinToken(address, self._listener.getsockname()[1], fingerprint, secret)

    def close(self) -> None:
        """Stop listening; the token is then worth nothing."""
        self._listener.close()

    def serve(self, invitation: bytes, wait_s: float) -> str:
        """Wait for the node, hand it the invitation, return its address.

        Raises: JoinFailed (MIR-116): nobody came within wait_s, or too many wrong secrets.
        """
        end_ms = clock.monotonic_ms() + int(wait_s * 1000)
        wrong = 0
        where = f"port {self.token.port}"
        while wrong < WRONG_SECRETS_MAX:
            left_ms = end_ms - clock.monotonic_ms()
            if left_ms <= 0:
                raise JoinFailed(
                    where=where, observed="nobody joined in time", remedy="make a new token"
                )
            self._listener.settimeout(left_ms / 1000)
            try:
                raw, peer = self._listener.accept()
            except TimeoutError:
                continue
            match self._exchange(raw, invitation):
                case True:
                    return str(peer[0])
                case False:
                    wrong += 1
                case None:
                    pass  # not even TLS: a port scan does not end the token
        raise JoinFailed(
            where=where, observed=f"{wrong} wrong tokens were shown", remedy="make a new token"
        )

    def _exchange(self, raw: socket.socket, invitation: bytes) -> bool | None:
        """Serve one connection: True joined, False wrong secret, None no node of ours."""
        raw.settimeout(EXCHANGE_TIMEOUT_S)
        try:
            with self._context.wrap_socket(raw, server_side=True) as connection:
                message = _receive(connection, REQUEST_BYTES_MAX)
                shown = message.get("secret")
                if not isinstance(shown, bytes) or not hmac.compare_digest(
                    shown, self.token.secret
                ):
                    connection.sendall(encode({**reply(1), "ok": False}))
                    return False
                connection.sendall(encode(reply(1, invitation=invitation)))
                # Only the word of the other node tells that it has everything.
                return _receive(connection, REQUEST_BYTES_MAX).get("do") == "joined" or None
        except (OSError, LocalMessageRefused):
            return None
        finally:
            raw.close()


def fetch_invitation(token: JoinToken) -> bytes:
    """Ask the node that made the token for the invitation.

    Raises: JoinFailed (MIR-116): not reachable, another certificate, or the token is refused.
    """
    where = f"{token.address} port {token.port}"
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    # This node knows no authority yet: it believes the fingerprint, checked below, and only that.
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        with (
            socket.create_connection((token.address, token.port), EXCHANGE_TIMEOUT_S) as raw,
            context.wrap_socket(raw) as connection,
        ):
            shown = hashlib.sha256(connection.getpeercert(binary_form=True) or b"").digest()
            if not hmac.compare_digest(shown, token.fingerprint):
                raise JoinFailed(
                    where=where,
                    observed="it is not the node that made the token",
                    remedy="find out who answers there",
                )
            connection.sendall(encode(request(1, "join", secret=token.secret)))
            answer = _receive(connection, None)
            if answer.get("ok") is not True or not isinstance(answer.get("invitation"), bytes):
                raise JoinFailed(
                    where=where, observed="the token is refused", remedy="make a new token"
                )
            connection.sendall(encode(request(2, "joined")))
            return bytes(answer["invitation"])
    except (OSError, LocalMessageRefused) as error:
        raise JoinFailed(
            where=where,
            observed=getattr(error, "strerror", None) or str(error) or type(error).__name__,
            remedy="does `cluster token` still wait on the other node?",
        ) from error


def _receive(connection: ssl.SSLSocket, bytes_max: int | None) -> Message:
    """Receive one message. Raises: LocalMessageRefused, OSError."""
    decoder = Decoder()
    received = 0
    while True:
        chunk = connection.recv(CHUNK_BYTES)
        received += len(chunk)
        if not chunk or (bytes_max is not None and received > bytes_max):
            raise LocalMessageRefused(what="length", observed=f"ended after {received} bytes")
        if messages := decoder.feed(chunk):
            return messages[0]

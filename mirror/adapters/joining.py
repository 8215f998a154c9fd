"""Handing an invitation from a node of a cluster to a new one, once, over TLS.

Either of them makes the token and listens; the other one connects. Who connects believes the
certificate whose fingerprint is in the token and no other; who listens believes whoever knows the
secret. Three wrong secrets end the token. Foreground and blocking: `cluster token` waits, and
nothing listens when it does not.
"""

import hashlib
import hmac
import socket
import ssl
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mirror.adapters import clock
from mirror.adapters.failures import failure_of
from mirror.adapters.pki import create_cluster, issue_node
from mirror.adapters.pki_files import PkiFiles, read_file
from mirror.errors import JoinFailed, LocalMessageRefused, MirrorError
from mirror.vocabulary.said import Said, say
from mirror.wire.join_token import JoinToken
from mirror.wire.local import Decoder, Message, encode, reply, reply_error, request

EXCHANGE_TIMEOUT_S = 10.0
WRONG_SECRETS_MAX = 3
# Before it has shown the secret, a stranger may make us hold this much.
REQUEST_BYTES_MAX = 1024
INVITATION_BYTES_MAX = 8 * 1024 * 1024
CHUNK_BYTES = 65_536

# What follows the right secret: True: done; None: the other node broke it off.
_Exchange = Callable[[ssl.SSLSocket], bool | None]


def fingerprint_of(directory: Path) -> bytes:
    """SHA-256 of this node's certificate, as TLS shows it. Raises: PkiRefused (MIR-320)."""
    pem = read_file(PkiFiles(directory).node_certificate).decode("ascii")
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).digest()


class JoinServer:
    """Listens for one other node. Use: `token` tells how it is reached, then `serve` or `receive`.

    With it a node of a cluster lets a new one join; a new node (`waiting_to_be_taken_in`) lets a
    node of a cluster take it in.
    """

    def __init__(
        self,
        directory: Path,
        address: str,
        port: int,
        secret: bytes,
        *,
        of_new_node: bool = False,
    ) -> None:
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
                observed=failure_of(error),
                remedy=say("do.own_address"),
            ) from error
        port = self._listener.getsockname()[1]
        self.token = JoinToken(address, port, fingerprint, secret, of_new_node=of_new_node)

    def close(self) -> None:
        """Stop listening; the token is then worth nothing."""
        self._listener.close()

    def serve(self, invitation: bytes, wait_s: float) -> str:
        """Wait for the new node, hand it the invitation, return its address.

        Raises: JoinFailed (MIR-116): nobody came within wait_s, or too many wrong secrets.
        """

        def hand_over(connection: ssl.SSLSocket) -> bool | None:
            connection.sendall(encode(reply(1, invitation=invitation)))
            # Only the word of the other node tells that it has everything.
            return _receive(connection, REQUEST_BYTES_MAX).get("do") == "joined" or None

        return self._await(hand_over, wait_s)

    def receive(self, accept: Callable[[bytes], str], wait_s: float) -> str:
        """Wait for a node of a cluster, accept its invitation, return its address.

        accept: becomes the node that is invited, and returns its name; what it raises is told to
        the other node too, and ends the token.
        Raises: JoinFailed (MIR-116) as `serve`; what `accept` raises.
        """

        def take_over(connection: ssl.SSLSocket) -> bool | None:
            connection.sendall(encode(reply(1)))
            invitation = _receive(connection, INVITATION_BYTES_MAX).get("invitation")
            if not isinstance(invitation, bytes):
                return None
            try:
                name = accept(invitation)
            except MirrorError as error:
                connection.sendall(encode(reply_error(2, error)))
                raise
            connection.sendall(encode(reply(2, node=name)))
            return True

        return self._await(take_over, wait_s)

    def _await(self, exchange: _Exchange, wait_s: float) -> str:
        end_ms = clock.monotonic_ms() + int(wait_s * 1000)
        wrong = 0
        where = f"port {self.token.port}"
        while wrong < WRONG_SECRETS_MAX:
            left_ms = end_ms - clock.monotonic_ms()
            if left_ms <= 0:
                raise JoinFailed(
                    where=where, observed=say("join.nobody"), remedy=say("do.new_token")
                )
            self._listener.settimeout(left_ms / 1000)
            try:
                raw, peer = self._listener.accept()
            except TimeoutError:
                continue
            match self._exchange(raw, exchange):
                case True:
                    return str(peer[0])
                case False:
                    wrong += 1
                case None:
                    pass  # not even TLS: a port scan does not end the token
        raise JoinFailed(
            where=where, observed=say("join.wrong_tokens", count=wrong), remedy=say("do.new_token")
        )

    def _exchange(self, raw: socket.socket, exchange: _Exchange) -> bool | None:
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
                return exchange(connection)
        except (OSError, LocalMessageRefused):
            return None
        finally:
            raw.close()


@contextmanager
def waiting_to_be_taken_in(address: str, port: int, secret: bytes) -> Iterator[JoinServer]:
    """A server of a node that is in no cluster: its certificate is made for this one token."""
    with tempfile.TemporaryDirectory(prefix="mirror-token.") as directory:
        own = Path(directory)
        create_cluster(own)
        issue_node(own, "new", [address], own)
        server = JoinServer(own, address, port, secret, of_new_node=True)
        try:
            yield server
        finally:
            server.close()


def fetch_invitation(token: JoinToken) -> bytes:
    """Ask the node that made the token for the invitation.

    Raises: JoinFailed (MIR-116): not reachable, another certificate, or the token is refused.
    """
    with _connected(token) as connection:
        answer = _shown(connection, token, "join")
        if not isinstance(answer.get("invitation"), bytes):
            raise _token_refused(token)
        connection.sendall(encode(request(2, "joined")))
        return bytes(answer["invitation"])


def hand_invitation(token: JoinToken, invitation: bytes) -> str:
    """Hand an invitation to the new node that made the token; its name, once it is that node.

    Raises: JoinFailed (MIR-116) as `fetch_invitation`, or in the words of the new node.
    """
    with _connected(token) as connection:
        _shown(connection, token, "invite")
        connection.sendall(encode(request(2, "be", invitation=invitation)))
        answer = _receive(connection, None)
        if answer.get("ok") is not True:
            said = answer.get("error")
            raise JoinFailed(
                where=_where(token),
                observed=_in_its_words(said) if isinstance(said, dict) else say("join.refuses"),
                remedy=say("do.look_there"),
            )
        return str(answer.get("node") or "")


def _shown(connection: ssl.SSLSocket, token: JoinToken, do: str) -> Message:
    """Show the secret; what the other node answers. Raises: JoinFailed."""
    connection.sendall(encode(request(1, do, secret=token.secret)))
    answer = _receive(connection, None)
    if answer.get("ok") is not True:
        raise _token_refused(token)
    return answer


@contextmanager
def _connected(token: JoinToken) -> Iterator[ssl.SSLSocket]:
    """A connection to who made the token, and to nobody else. Raises: JoinFailed (MIR-116)."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    # No authority is known of who made the token: its fingerprint, checked below, is believed.
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
                    where=_where(token),
                    observed=say("join.stranger"),
                    remedy=say("do.find_out"),
                )
            yield connection
    except (OSError, LocalMessageRefused) as error:
        raise JoinFailed(
            where=_where(token),
            observed=failure_of(error),
            remedy=say("do.still_waits"),
        ) from error


def _in_its_words(error: Mapping[str, Any]) -> Said:
    """What the other node's error says, with its code."""
    facts = error.get("facts")
    known = facts if isinstance(facts, Mapping) else {}
    return Said(str(error["sentence"]), str(error.get("code") or ""), known)


def _where(token: JoinToken) -> str:
    return f"{token.address} port {token.port}"


def _token_refused(token: JoinToken) -> JoinFailed:
    return JoinFailed(
        where=_where(token), observed=say("join.token_refused"), remedy=say("do.new_token")
    )


def _receive(connection: ssl.SSLSocket, bytes_max: int | None) -> Message:
    """Receive one message. Raises: LocalMessageRefused, OSError."""
    decoder = Decoder()
    received = 0
    while True:
        chunk = connection.recv(CHUNK_BYTES)
        received += len(chunk)
        if not chunk or (bytes_max is not None and received > bytes_max):
            raise LocalMessageRefused(
                what="length", observed=say("seen.broke_off", bytes=received)
            )
        if messages := decoder.feed(chunk):
            return messages[0]

"""One node hands an invitation to another, over real TLS on the loopback."""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from mirror.adapters.joining import (
    JoinServer,
    fetch_invitation,
    hand_invitation,
    waiting_to_be_taken_in,
)
from mirror.adapters.pki import create_cluster, issue_node
from mirror.errors import ClusterInviteRefused, JoinFailed, MirrorError
from mirror.wire.join_token import new_secret

INVITATION = b"x" * 100_000


class Serving:
    """A server in a thread, and how it ended."""

    def __init__(self, directory: Path, wait_s: float = 60) -> None:
        self.server = JoinServer(directory, "127.0.0.1", 0, new_secret())
        self.outcome: str | MirrorError | None = None
        self._wait_s = wait_s
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        try:
            self.outcome = self.server.serve(INVITATION, self._wait_s)
        except MirrorError as error:
            self.outcome = error

    def join(self) -> str | MirrorError | None:
        self._thread.join(90)
        assert not self._thread.is_alive()
        self.server.close()
        return self.outcome


@pytest.fixture
def pki(tmp_path: Path) -> Path:
    create_cluster(tmp_path / "pki")
    issue_node(tmp_path / "pki", "n1", ["127.0.0.1"], tmp_path / "pki")
    return tmp_path / "pki"


@pytest.fixture
def serving(pki: Path) -> Iterator[Serving]:
    found = Serving(pki)
    yield found
    if found.outcome is None:
        with contextlib.suppress(JoinFailed):
            fetch_invitation(found.server.token)
    found.join()


def test_a_node_joins_once(serving: Serving) -> None:
    token = serving.server.token
    assert fetch_invitation(token) == INVITATION
    assert serving.join() == "127.0.0.1"
    with pytest.raises(JoinFailed):
        fetch_invitation(token)


def test_three_wrong_secrets_end_the_token(serving: Serving) -> None:
    wrong = replace(serving.server.token, secret=new_secret())
    for _ in range(3):
        with pytest.raises(JoinFailed, match="the token is refused"):
            fetch_invitation(wrong)
    assert "3 wrong tokens" in str(serving.join())


def test_another_certificate_is_not_believed(serving: Serving) -> None:
    wrong = replace(serving.server.token, fingerprint=bytes(32))
    with pytest.raises(JoinFailed, match="not the node that made the token"):
        fetch_invitation(wrong)


def test_strangers_do_not_end_the_token(serving: Serving) -> None:
    token = serving.server.token
    for said in (b"", b"GET / HTTP/1.0\r\n\r\n", bytes(2000)):
        with socket.create_connection((token.address, token.port), 60) as stranger:
            stranger.sendall(said)
    assert fetch_invitation(token) == INVITATION
    assert serving.join() == "127.0.0.1"


def test_nobody_comes(pki: Path) -> None:
    assert "nobody joined in time" in str(Serving(pki, wait_s=0.05).join())


def test_an_address_that_is_not_ours(pki: Path) -> None:
    with pytest.raises(JoinFailed, match="is it an address of this node"):
        JoinServer(pki, "192.0.2.1", 0, new_secret())


class Waiting:
    """A new node in a thread, that waits to be taken in, and how it ended."""

    def __init__(self, accept: Callable[[bytes], str]) -> None:
        self.outcome: str | MirrorError | None = None
        self._accept = accept
        self._stack = contextlib.ExitStack()
        waiting = waiting_to_be_taken_in("127.0.0.1", 0, new_secret())
        self.server = self._stack.enter_context(waiting)
        self._thread = threading.Thread(target=self._receive)
        self._thread.start()

    def _receive(self) -> None:
        try:
            self.outcome = self.server.receive(self._accept, 60)
        except MirrorError as error:
            self.outcome = error

    def join(self) -> str | MirrorError | None:
        self._thread.join(90)
        assert not self._thread.is_alive()
        self._stack.close()
        return self.outcome


def test_a_new_node_is_taken_in_once() -> None:
    got: list[bytes] = []

    def accept(invitation: bytes) -> str:
        got.append(invitation)
        return "n2"

    waiting = Waiting(accept)
    token = waiting.server.token
    assert token.of_new_node
    wrong = replace(token, secret=new_secret())
    with pytest.raises(JoinFailed, match="the token is refused"):
        hand_invitation(wrong, INVITATION)
    wrong = replace(token, fingerprint=bytes(32))
    with pytest.raises(JoinFailed, match="not the node that made the token"):
        hand_invitation(wrong, INVITATION)
    assert got == [], "nothing was handed to anybody yet"
    assert hand_invitation(token, INVITATION) == "n2"
    assert (waiting.join(), got) == ("127.0.0.1", [INVITATION])
    with pytest.raises(JoinFailed):
        hand_invitation(token, INVITATION)


def test_why_a_new_node_refuses_is_told_on_both() -> None:
    def accept(_: bytes) -> str:
        raise ClusterInviteRefused(what="it", observed="too large", remedy="make it again")

    waiting = Waiting(accept)
    with pytest.raises(JoinFailed, match="it: too large"):
        hand_invitation(waiting.server.token, INVITATION)
    assert "it: too large" in str(waiting.join())

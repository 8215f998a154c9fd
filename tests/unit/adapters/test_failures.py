"""Why something outside failed: whatever the library made of it, a code comes out."""

import asyncio
import smtplib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from mirror.adapters.failures import failure_of
from mirror.adapters.notify.mail import send_mail
from mirror.adapters.notify.settings import MailSettings
from mirror.adapters.signin import ldap
from mirror.adapters.signin.settings import LdapSettings
from mirror.errors import NotificationFailed, SignInServiceFailed, VerificationStopped
from mirror.vocabulary.said import Said, say

ANSWER_S = 10
Ask = Callable[[int], Said]


def by_http(port: int, scheme: str = "http") -> Said:
    async def ask() -> None:
        async with httpx.AsyncClient(timeout=ANSWER_S, trust_env=False) as client:
            await client.get(f"{scheme}://127.0.0.1:{port}/")

    with pytest.raises(httpx.HTTPError) as failed:
        asyncio.run(ask())
    return failure_of(failed.value)


def by_https(port: int) -> Said:
    return by_http(port, "https")


def by_ldap(port: int, scheme: str = "ldap") -> Said:
    settings = LdapSettings(
        url=f"{scheme}://127.0.0.1:{port}", bind_dn="cn=x", bind_password="x", base_dn="dc=x"
    )
    with pytest.raises(SignInServiceFailed) as failed:
        ldap.verify(settings, "nora", "secret")
    observed = failed.value.facts["observed"]
    assert isinstance(observed, Said)
    return observed


def by_ldaps(port: int) -> Said:
    return by_ldap(port, "ldaps")


def by_mail(port: int) -> Said:
    settings = MailSettings("127.0.0.1", port, sender="a@example.org", recipients=("b@c.org",))
    with pytest.raises(NotificationFailed) as failed:
        send_mail(settings, "subject", "text")
    observed = failed.value.facts["observed"]
    assert isinstance(observed, Said)
    return observed


@pytest.fixture
def closed() -> Iterator[int]:
    """A port at which nothing listens, and nothing will."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


@pytest.fixture
def answers_nothing_sensible() -> Iterator[int]:
    """A server that greets with what no protocol has, and goes."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                with listener.accept()[0] as one:
                    one.sendall(b"421 \xff not now, please come back later\r\n")
                    one.recv(1000)
            except OSError:
                if listener.fileno() < 0:
                    return

    thread = threading.Thread(target=serve)
    thread.start()
    yield listener.getsockname()[1]
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join()


@pytest.mark.parametrize("ask", [by_http, by_https, by_ldap, by_ldaps, by_mail])
def test_nothing_listens(closed: int, ask: Ask) -> None:
    assert ask(closed).code == "why.refused"


@pytest.mark.parametrize("ask", [by_https, by_ldaps])
def test_it_speaks_no_tls(answers_nothing_sensible: int, ask: Ask) -> None:
    told = ask(answers_nothing_sensible)
    assert told.code == "why.tls"
    assert "wrong version number" in told
    assert "[SSL" not in told


def test_what_a_mail_server_answers_is_cited(answers_nothing_sensible: int) -> None:
    told = by_mail(answers_nothing_sensible)
    assert (told.code, told.facts["status"]) == ("mail.answers", 421)
    assert "come back later" in told


def test_a_name_that_is_not_known() -> None:
    with pytest.raises(socket.gaierror) as failed:
        socket.getaddrinfo("no-such-host.invalid", 1)
    assert failure_of(failed.value).code == "why.no_name"


def test_a_path(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for name, code in (("absent", "why.absent"), ("file/below", "why.no_directory")):
        with pytest.raises(OSError, match=name) as failed:
            (tmp_path / name).stat()
        assert failure_of(failed.value).code == code


def test_what_is_ours_keeps_its_code() -> None:
    told = failure_of(VerificationStopped(observed=say("verify.asked")))
    assert told.code == "MIR-511"
    assert told.facts["observed"] == say("verify.asked")


def test_what_nothing_is_known_of_is_cited_on_one_line() -> None:
    for error in (RuntimeError("one\n two"), ssl.SSLError(), smtplib.SMTPException()):
        told = failure_of(error)
        assert told.code == "why.cited"
        assert "\n" not in told
        assert told.facts["words"]


def test_several_at_once_and_a_circle_of_causes() -> None:
    error = OSError("all connection attempts failed")
    refused = ConnectionRefusedError(111, "Connection refused")
    error.__cause__ = ExceptionGroup("several", [ValueError("other"), refused])
    refused.__context__ = error
    assert failure_of(error).code == "why.refused"

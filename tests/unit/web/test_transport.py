"""By which way a request may come: plain HTTP is for this host alone."""

import asyncio
import http.client
from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send

from mirror.web.transport import SECURITY_HEADERS, Transport

from .world import Node


class Asked:
    """The application behind the gate: remembers whether it was reached."""

    reached = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.reached = True
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})


def ask(
    client: str,
    host: str,
    *,
    path: str = "/api/v1/state",
    scheme: str = "http",
    https: bool = True,
) -> tuple[bool, int, dict[str, str]]:
    """One request from an address: whether it came through, the status, the headers."""
    inner, sent = Asked(), []

    async def receive() -> Message:
        raise AssertionError

    async def send(message: Message) -> None:
        sent.append(message)

    scope: dict[str, Any] = {
        "type": "http",
        "scheme": scheme,
        "method": "GET",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"a=1",
        "headers": [(b"host", host.encode())],
        "client": (client, 5),
    }
    gate = Transport(inner, https_port=9453, has_https=lambda: https)
    asyncio.run(gate(scope, receive, send))
    headers = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return inner.reached, sent[0]["status"], headers


@pytest.mark.parametrize("client", ["127.0.0.1", "127.8.9.1", "::1", "::ffff:127.0.0.1"])
@pytest.mark.parametrize("host", ["localhost:9010", "127.0.0.1", "[::1]:9010", "n1.localhost"])
def test_this_host_is_served(client: str, host: str) -> None:
    assert ask(client, host)[0] is True


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:9010", "localhost.evil.example", "", "a b", "10.0.0.1"]
)
def test_a_name_that_a_stranger_points_here_is_refused(host: str) -> None:
    assert ask("127.0.0.1", host)[:2] == (False, 421)


def test_other_hosts_are_sent_to_https() -> None:
    reached, status, headers = ask("10.0.0.9", "n1.example:9010", path="/modules/web")
    assert (reached, status) == (False, 308)
    assert headers["location"] == "https://n1.example:9453/modules/web?a=1"
    assert ask("10.0.0.9", "10.0.0.1", https=False)[:2] == (False, 403)
    assert ask("10.0.0.9", "evil\r\nx: y")[:2] == (False, 403)


@pytest.mark.parametrize(
    ("path", "reached"),
    [
        ("/var/modules/web/ready.txt", True),
        ("/var/modules/web/ready.txt/x", False),
        ("/var/modules/../ready.txt", False),
        ("/metrics", False),
        ("/", False),
    ],
)
def test_other_hosts_may_ask_for_readiness_and_nothing_else(path: str, reached: bool) -> None:
    assert ask("10.0.0.9", "n1", path=path)[0] is reached


def test_https_is_for_all() -> None:
    assert ask("10.0.0.9", "anything", scheme="https")[0] is True


def test_every_answer_has_the_security_headers(node: Node) -> None:
    for path in ("/", "/api/v1/session", "/api/v1/state", "/no.such", "/api/v1/none"):
        headers = node.browser().get(path).headers
        for name, value in SECURITY_HEADERS.items():
            assert headers[name] == value
        assert "server" not in headers
        assert "unsafe" not in headers["content-security-policy"]
    assert node.browser().get("/api/v1/session").headers["cache-control"] == "no-store"


def test_what_is_no_http_is_closed(node: Node) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", node.http_port, timeout=60)
    connection.request("BREW", "/api/v1/state")
    answer = connection.getresponse()
    assert answer.status in {401, 404, 405}
    answer.read()
    headers = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Key": "x"}
    connection.request("GET", "/api/v1/events", headers=headers)
    assert connection.getresponse().status in {400, 401, 426}
    connection.close()


def test_a_body_has_a_bound(node: Node) -> None:
    body = b" " * (2 * 1024 * 1024 + 1)
    browser = node.browser()
    headers = {"content-type": "application/json"}
    answer = browser.http.post("/api/v1/session", content=body, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (413, "MIR-816")
    answer = browser.http.post("/api/v1/session", content=iter([body]), headers=headers)
    assert answer.status_code == 413

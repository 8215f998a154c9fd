"""Notifications: what is told, to whom, how often; a real mail server, webhook and command."""

import asyncio
import email
import hashlib
import hmac
import http.server
import json
import threading
import time
from collections.abc import Callable, Iterator
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword

from mirror.adapters.console.database import Database
from mirror.adapters.console.notifications import KEPT_MAX, Notifications
from mirror.adapters.console.roles import Role
from mirror.adapters.notify.command import run_command
from mirror.adapters.notify.settings import CommandSettings, NotifySettings
from mirror.config.module_store import ModuleStore
from mirror.errors import NotificationFailed
from mirror.vocabulary.said import Said
from mirror.web.models.cluster import CertificateView
from mirror.web.models.state import DiskSpace, NodeState
from mirror.web.notices import (
    Notice,
    certificate_notices,
    clock_notice,
    conditions,
    node_notice,
    state_notice,
)
from mirror.web.notifier import Notifier, mail_of
from mirror.web.state_view import node_state
from tests.free_port import free_port

from .world import PRIM, START_S, Browser, ControlPlane, Node, events, until

# The mail server of the tests is on loopback: TLS would only be in the way there.
pytestmark = pytest.mark.filterwarnings("ignore:Requiring AUTH:UserWarning")
TARGETS = "/api/v1/notifications"
PASSWORD = "planted-mail-password"
SECRET = "planted-hook-secret"
DAY_US = 24 * 3600 * 1_000_000


def seen(**values: Any) -> NodeState:
    return node_state("n1", 1_000_000, {"web": PRIM | values}, {}, "")


def told_of(node: NodeState) -> dict[str, Notice]:
    return {one.kind: one for one in conditions(node)}


def test_a_settled_state_is_up_or_down() -> None:
    up = state_notice(seen().modules["web"], "n1")
    assert up is not None
    assert (up.up, up.reason) == (True, "PRIM Ready: both are in step")
    stopped = seen(state="STOP", ready="NotReady", reason="asked").modules["web"]
    down = state_notice(stopped, "n1")
    assert down is not None
    assert (down.up, down.sentence) == (False, "web on n1: DOWN: STOP NotReady: asked")
    assert state_notice(seen(ready="Transient").modules["web"], "n1") is None


def test_each_condition_begins_and_ends() -> None:
    assert all(one.up for one in told_of(seen()).values())
    split = told_of(seen(reason="Split brain: both went on alone since 03:12"))
    assert split["split"].up is False
    differs = told_of(seen(verification={"different": 3}))
    assert differs["verification"].reason == "verification found 3 differences"
    node = seen()
    node.modules["web"].local.disk = DiskSpace(
        directory="/srv/a", used_bytes=95, total_bytes=100, full_at_us=None, time_us=0
    )
    assert told_of(node)["disk"].reason == "the disk of /srv/a is 95% full"
    node.modules["web"].local.disk = DiskSpace(
        directory="/srv/a", used_bytes=50, total_bytes=100, full_at_us=DAY_US // 2, time_us=0
    )
    assert told_of(node)["disk"].up is False
    away = seen().model_copy(update={"reachable": False, "observed": "no answer in time"})
    assert node_notice(away).reason == "it does not answer: no answer in time"
    silent = node_state("n1", 1, None, {}, "refused")
    assert "control plane is silent" in node_notice(silent).reason
    certificate = CertificateView(
        node="n1",
        what="node",
        subject="CN=n1",
        not_before_us=0,
        not_after_us=29 * DAY_US,
        days_left=29,
        fingerprint="",
        serial="1",
    )
    (ending,) = certificate_notices([certificate])
    assert (ending.up, ending.reason) == (False, "the node certificate ends in 29 days")
    assert list(certificate_notices([certificate.model_copy(update={"days_left": None})])) == []
    apart = clock_notice("n2", -2500.0)
    assert apart is not None
    assert (apart.up, apart.reason) == (False, "its clock is -2.5 s off")


@pytest.fixture
def notifier(tmp_path: Path) -> Iterator[Notifier]:
    with Database(tmp_path) as database:
        yield Notifier(Notifications(database), {})


def waiting(notifier: Notifier) -> list[str]:
    return [one.reason for _, one in notifier._waiting.values()]


def test_the_same_is_told_once(notifier: Notifier) -> None:
    alone, prim = "ALONE Ready: no heartbeat", "PRIM Ready"
    notifier.take([Notice("state", "web", "n1", True, Said(prim))])
    assert waiting(notifier) == [], "what is so at the start is no news"
    notifier.take([Notice("state", "web", "n1", True, Said(alone))])
    notifier.take([Notice("state", "web", "n1", True, Said("ALONE Ready: the same, other words"))])
    assert waiting(notifier) == ["ALONE Ready: the same, other words"]
    notifier.take([Notice("state", "web", "n1", True, Said(prim))])
    assert waiting(notifier) == [], "it changed, and changed back"
    notifier.take([Notice("split", "web", "n1", False, Said("split brain: since 03:12"))])
    assert waiting(notifier) == ["split brain: since 03:12"], "what is bad at the start is"


def test_there_is_a_bound(notifier: Notifier) -> None:
    notifier.take(Notice("disk", f"m{one}", "n1", False, Said("full")) for one in range(300))
    assert (len(notifier._waiting), notifier.dropped) == (200, 100)


def test_a_mail_names_the_worst_first() -> None:
    group = [
        (1_000_000, Notice("state", "web", "n1", True, Said("ALONE Ready"))),
        (2_000_000, Notice("node", "", "n2", False, Said("it does not answer"))),
    ]
    subject, text = mail_of(group)
    assert subject == "mirror: node on n2: DOWN: it does not answer (and 1 more)"
    assert len(text.splitlines()) == 2


def test_the_feed_keeps_a_number(tmp_path: Path) -> None:
    with Database(tmp_path) as database:
        store = Notifications(database)
        notices = [
            (one, Notice("disk", "web", "n1", False, Said("full"))) for one in range(KEPT_MAX + 9)
        ]
        store.add(notices)
        store.add([(7, Notice("disk", "web", "n1", True, Said("room again")))])
        assert len(store.last(1000)) == KEPT_MAX
        assert store.last(1)[0].reason == "room again"
        assert store.settings() == NotifySettings()


def test_a_command_that_fails_says_so(tmp_path: Path) -> None:
    arguments = ("web", "n1", "down", "STOP NotReady; rm -rf / # $(id)")
    script = tmp_path / "tell"
    script.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" > {tmp_path}/said\nexit 3\n')
    script.chmod(0o755)
    with pytest.raises(NotificationFailed, match="exit code 3"):
        asyncio.run(run_command(CommandSettings(str(script)), arguments, {}))
    assert (tmp_path / "said").read_text().splitlines() == list(arguments), "no shell reads it"
    with pytest.raises(NotificationFailed, match="it does not exist"):
        asyncio.run(run_command(CommandSettings("/no/such/program"), arguments, {}))


# --- the console, with real servers ---


class Post:
    """A mail server on loopback that takes one name and password, and keeps what comes."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.controller = Controller(
            self,
            hostname="127.0.0.1",
            port=free_port(),
            auth_required=True,
            auth_require_tls=False,
            authenticator=self._known,
            ready_timeout=START_S,
        )
        self.controller.start()

    @property
    def port(self) -> int:
        return int(self.controller.port)

    @staticmethod
    def _known(*given: Any) -> AuthResult:
        data = given[-1]
        right = isinstance(data, LoginPassword) and data.password == PASSWORD.encode()
        return AuthResult(success=right, handled=False)

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802
        self.mails.append(email.message_from_bytes(envelope.content, policy=default))
        return "250 OK"


@pytest.fixture
def post() -> Iterator[Post]:
    made = Post()
    yield made
    made.controller.stop()


@pytest.fixture
def hook() -> Iterator[tuple[str, list[tuple[str, bytes]]]]:
    """A webhook on loopback: its address, and (signature, body) of what came."""
    came: list[tuple[str, bytes]] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            came.append((self.headers.get("x-mirror-signature", ""), body))
            self.send_response(204)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/services/abc", came
    server.shutdown()
    server.server_close()


@pytest.fixture
def web(
    node: Node, control_plane: ControlPlane, tmp_path: Path, data: Path
) -> Iterator[ControlPlane]:
    """A configured module that runs."""
    store = ModuleStore(node.layout)
    store.install("web", node.write_module(tmp_path / "web", data), replace=True)
    store.apply("web", store.stage("web"))
    control_plane.states["web"] = dict(PRIM)
    yield control_plane
    store.remove_applied("web")


def await_true(check: Callable[[], bool]) -> None:
    end = time.monotonic() + START_S
    while not check():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_a_takeover_is_told_on_every_channel(
    node: Node,
    web: ControlPlane,
    admin: Browser,
    monitor: Browser,
    post: Post,
    hook: tuple[str, list[tuple[str, bytes]]],
    tmp_path: Path,
) -> None:
    script, said = tmp_path / "tell", tmp_path / "said"
    script.write_text(f'#!/bin/sh\necho "$@" >> {said}\n')
    script.chmod(0o755)
    mail = {"server": "127.0.0.1", "port": post.port, "user": "mirror", "password": PASSWORD}
    mail |= {"sender": "mirror@example.org", "recipients": ["ops@example.org"]}
    url, came = hook
    saved = admin.put(
        TARGETS,
        mail=mail,
        webhook={"url": url, "secret": SECRET},
        command={"path": str(script)},
    )
    assert saved.status_code == 200, saved.text
    assert (saved.json()["mail_password_set"], PASSWORD in saved.text) == (True, False)
    assert SECRET not in saved.text
    results = admin.post(f"{TARGETS}/test").json()["results"]
    channels = [(one["channel"], one["failed"]) for one in results]
    assert channels == [("mail", ""), ("webhook", ""), ("command", "")]
    await_true(lambda: admin.json("/api/v1/modules/web/state")["configured"])
    # The state of now is the one that changes are told against: it is looked at each second.
    with events(monitor) as found:
        for _ in range(3):
            until(found, "beat")
    web.states["web"] |= {"state": "ALONE", "reason": "no heartbeat"}
    await_true(lambda: len(post.mails) == 2 and len(came) == 2)
    assert post.mails[1]["Subject"] == "mirror: web on this: up: ALONE Ready: no heartbeat"
    signature, body = came[1]
    expected = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    assert signature == f"sha256={expected}"
    (notice,) = json.loads(body)["notices"]
    assert (notice["service"], notice["node"], notice["state"]) == ("web", "this", "up")
    await_true(lambda: "web this up ALONE Ready: no heartbeat" in said.read_text())
    notices = monitor.json("/api/v1/notices")["notices"]
    assert (notices[0]["service"], notices[0]["reason"]) == ("web", "ALONE Ready: no heartbeat")
    text = monitor.get("/metrics").text
    assert 'mirror_notifications_total{channel="mail",result="sent"} 2.0' in text
    # A password that is not given again stays.
    mail["password"] = None
    kept = admin.put(TARGETS, mail=mail)
    assert kept.json()["mail_password_set"] is True
    assert PASSWORD not in node.log + json.dumps(admin.json("/api/v1/audit", count=50))


def test_a_server_that_refuses_is_shown_without_the_password(
    node: Node, admin: Browser, post: Post
) -> None:
    mail = {"server": "127.0.0.1", "port": post.port, "user": "mirror", "password": "wrong one"}
    mail |= {"sender": "mirror@example.org", "recipients": ["ops@example.org"]}
    admin.put(TARGETS, mail=mail)
    (result,) = admin.post(f"{TARGETS}/test").json()["results"]
    assert "refuses name or password (535)" in result["failed"]
    assert "wrong one" not in json.dumps(admin.json(TARGETS))
    (channel,) = [one for one in admin.json(TARGETS)["channels"] if one["channel"] == "mail"]
    assert channel["failed"] == result["failed"]
    admin.put(TARGETS)
    assert admin.post(f"{TARGETS}/test").json()["results"] == []


def test_half_a_mail_server_is_refused(admin: Browser) -> None:
    answer = admin.put(TARGETS, mail={"server": "mail.example.org"})
    assert (answer.status_code, answer.json()["code"]) == (422, "MIR-806")
    answer = admin.put(TARGETS, mail={"server": "a", "sender": "b\nBcc: c", "recipients": ["d"]})
    assert answer.json()["errors"][0]["field"] == "mail.sender"


def test_the_feed_is_read_with_a_token_as_password(node: Node) -> None:
    token = node.token(Role.MONITOR)
    browser = node.browser()
    answer = browser.http.get("/api/v1/feed.atom", auth=("reader", token))
    assert answer.headers["content-type"] == "application/atom+xml; charset=utf-8"
    feed = ET.fromstring(answer.text)
    assert feed.tag == "{http://www.w3.org/2005/Atom}feed"
    assert browser.http.get("/api/v1/feed.atom", auth=("reader", "no")).status_code == 401

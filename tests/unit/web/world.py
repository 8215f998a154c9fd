"""A node as the console sees it: its files, a control plane that answers as told, the console.

The console is the real process, over real sockets. The control plane is a program of the test on
the real local socket: what modules do is told by the test (the lab has the real one).
"""

import contextlib
import http.client
import json
import os
import queue
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import httpx

from mirror.adapters.console.credentials import US_PER_S, Credentials, Purpose
from mirror.adapters.console.database import Database
from mirror.adapters.console.roles import Role
from mirror.adapters.console.settings import Settings
from mirror.adapters.console.users import Users
from mirror.adapters.pki import create_cluster, issue_node
from mirror.config.installation import ensure_directories
from mirror.config.layout import Layout
from mirror.errors import MirrorError
from mirror.wire.local import Decoder, Message, encode, event, reply, reply_error

PASSWORDS = {
    Role.ADMIN: "walnut teapot harbour",
    Role.CONTROL: "lantern pickle summit",
    Role.MONITOR: "violet anchor breeze",
}
CLUSTER = """<cluster><lans><lan name="default">
<node name="n1" addr="127.0.0.1"/><node name="n2" addr="127.0.0.2"/>
</lan></lans></cluster>"""
# Bounds for a machine that is slow and at work: of waiting, and of what comes "at once".
START_S = 180.0
SOON_S_MAX = 30.0
USERCONFIG = """<!DOCTYPE safe>
<safe><service mode="mirror" boot="on"><heart profile="fast"><heartbeat name="default"/></heart>
<rfs acl="off"><replicated dir="{directory}"/></rfs>
<user><var name="DB_PASSWORD" value="hunter2"/></user>
</service></safe>
"""
PRIM = {
    "state": "PRIM",
    "ready": "Ready",
    "detail": "PRIM",
    "local": {"node": "n1"},
    "remote": {"node": "n2", "state": "SECOND", "ready": "Ready"},
    "reason": "both are in step",
    "row": "A4",
    "safety": "Both nodes hold everything. Either one may be lost.",
    "action": "Nothing.",
    "progress": {},
    "replication": {"link": True, "operations": 12, "age_ms": 3},
    "heartbeats": {"default": {"heard": True}},
    "generation": "9f3a07",
    "may_serve": ["n1", "n2"],
}


class ControlPlane:
    """Answers each request by its `do`; keeps what was asked; sends lines to who follows."""

    def __init__(self, path: Path) -> None:
        self.states: dict[str, dict[str, Any]] = {}
        self.states_given: Counter[bool] = Counter()  # whole or not
        self.answers: dict[str, dict[str, Any] | MirrorError] = {}
        self.asked: queue.Queue[Message] = queue.Queue()
        self._followers: list[tuple[str, socket.socket]] = []
        self._connections: list[socket.socket] = []
        self._lock = threading.Lock()
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        self._path = path
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(str(path))
        self._listener.listen(64)
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Die: nobody answers any more."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(60)
        with self._lock:
            for connection in self._connections:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
        self._path.unlink(missing_ok=True)

    def followed(self, module: str) -> bool:
        """Whether anybody follows the log of a module."""
        with self._lock:
            return any(followed == module for followed, _ in self._followers)

    def log(self, module: str, **entry: Any) -> int:
        """Send a line to who follows; how many that were."""
        sent = 0
        with self._lock:
            for followed, connection in self._followers:
                if followed == module:
                    with contextlib.suppress(OSError):
                        connection.sendall(encode(event("log", entry=entry)))
                        sent += 1
        return sent

    def commands(self) -> list[Message]:
        """What was asked with `command` until now."""
        found = []
        with contextlib.suppress(queue.Empty):
            while True:
                message = self.asked.get_nowait()
                if message["do"] == "command":
                    found.append(message)
        return found

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                self._connections.append(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        decoder = Decoder()
        with contextlib.suppress(OSError), connection:
            while chunk := connection.recv(65_536):
                for message in decoder.feed(chunk):
                    self._answer(connection, message)

    def _answer(self, connection: socket.socket, message: Message) -> None:
        do = message["do"]
        if do != "state":
            self.asked.put(message)
        found = self.answers.get(do, self._state(message) if do == "state" else {})
        with self._lock:
            if isinstance(found, MirrorError):
                connection.sendall(encode(reply_error(message["id"], found)))
            else:
                connection.sendall(encode(reply(message["id"], **found)))
            if do == "log" and message.get("follow"):
                self._followers.append((message["module"], connection))

    def _state(self, message: Message) -> dict[str, Any]:
        """As the control plane: only its names, to whom knows it, and the figures if it asks."""
        values = {name: one.get("replication") for name, one in self.states.items()}
        still = {name: one | {"replication": None} for name, one in self.states.items()}
        names = {
            "revision": json.dumps(still, sort_keys=True),
            "figures": json.dumps(values, sort_keys=True),
        }
        known = (message.get("known"), message.get("figures", names["figures"]))
        whole = known != (names["revision"], names["figures"])
        self.states_given[whole] += 1
        return names | ({"modules": self.states} if whole else {})


@dataclass
class Browser:
    """Somebody at the console: keeps cookie and CSRF token, as a page does."""

    http: httpx.Client
    csrf: str = ""

    def sign_in(self, name: str, password: str) -> httpx.Response:
        answer = self.post("/api/v1/session", name=name, password=password)
        if answer.status_code == 200:
            self.csrf = answer.json()["csrf"]
        return answer

    def get(self, path: str, /, **query: Any) -> httpx.Response:
        return self.http.get(path, params=query or None)

    def json(self, path: str, /, **query: Any) -> Any:
        answer = self.get(path, **query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def post(self, path: str, /, **body: Any) -> httpx.Response:
        return self.send("POST", path, body)

    def put(self, path: str, /, **body: Any) -> httpx.Response:
        return self.send("PUT", path, body)

    def delete(self, path: str) -> httpx.Response:
        return self.http.request("DELETE", path, headers={"x-csrf-token": self.csrf})

    def send(self, method: str, path: str, body: object) -> httpx.Response:
        return self.http.request(method, path, json=body, headers={"x-csrf-token": self.csrf})

    def close(self) -> None:
        self.http.close()


@dataclass
class Node:
    """A node's files, and its console's process when it runs."""

    root: Path
    name: str = ""
    process: "subprocess.Popen[bytes] | None" = None
    http_port: int = 0
    https_port: int = 0
    https_address: str = "127.0.0.1"
    browsers: list[Browser] = field(default_factory=list)

    @property
    def layout(self) -> Layout:
        return Layout(safe=self.root / "s", safevar=self.root / "v")

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.http_port}"

    @property
    def log(self) -> str:
        return (self.root / "console.log").read_text()

    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if name != "SAFEMODULE"}
        return {**kept, "SAFE": str(self.layout.safe), "SAFEVAR": str(self.layout.safevar)}

    def make(self) -> Self:
        """Make its directories, and the three users."""
        ensure_directories(self.layout, sys.executable)
        with Database(self.layout.safevar) as database:
            for role, password in PASSWORDS.items():
                Users(database).put(role.lower(), role, password)
        return self

    def token(self, role: Role) -> str:
        with Database(self.layout.safevar) as database:
            return Credentials(database).make_token(f"test {role}", role, 1, "test")[0]

    def link(self, name: str, role: Role, valid_s: int = 60) -> str:
        with Database(self.layout.safevar) as database:
            return Credentials(database).make_link(Purpose.PASSWORD, name, role, valid_s)

    def start(self, https: socket.socket | None = None) -> Self:
        """Start the console on free ports, and wait until it answers."""
        plain = socket.create_server(("127.0.0.1", self.http_port))
        https = https or socket.create_server((self.https_address, self.https_port))
        self.http_port, self.https_port = plain.getsockname()[1], https.getsockname()[1]
        with plain, https, (self.root / "console.log").open("ab") as log:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "mirror.web"),
                    *("--listen-fd", str(plain.fileno())),
                    *("--https-listen-fd", str(https.fileno())),
                ],
                env=self.environment(),
                pass_fds=(plain.fileno(), https.fileno()),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        # The socket listens already: the first request waits until the process takes it.
        answer = httpx.get(f"{self.url}/api/v1/session", timeout=START_S)
        assert answer.status_code == 200, answer.text
        return self

    def stop(self) -> int:
        """Ask it to end; its exit code."""
        for browser in self.browsers:
            browser.close()
        self.browsers.clear()
        if self.process is None:
            return 0
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(START_S)
        finally:
            self.process.kill()
            self.process.wait()
            self.process = None

    def kill(self) -> None:
        """Lose it."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()
        self.process = None

    def browser(self, role: Role | None = None) -> Browser:
        """Somebody with a browser, signed in when a role is given."""
        browser = Browser(httpx.Client(base_url=self.url, timeout=60))
        self.browsers.append(browser)
        if role is not None:
            answer = browser.sign_in(role.lower(), PASSWORDS[role])
            assert answer.status_code == 200, answer.text
        return browser

    def external(self, name: str, role: Role, ago_s: int) -> Browser:
        """Somebody with a browser, signed in by somebody else's word a while ago, and busy."""
        with Database(self.layout.safevar) as database:
            secret, row = Credentials(database).open_session(name, "127.0.0.1", role)
            aged = "UPDATE sessions SET created_us = created_us - ? WHERE name = ?"
            database.change(aged, ago_s * US_PER_S, name)
            cookie = f"mirror-{Settings(database).mark()}"
        browser = self.browser()
        browser.http.cookies.set(cookie, secret)
        browser.csrf = row.csrf
        return browser

    def machine(self, token: str) -> Browser:
        """A program with a bearer token."""
        headers = {"authorization": f"Bearer {token}"}
        browser = Browser(httpx.Client(base_url=self.url, headers=headers, timeout=60))
        self.browsers.append(browser)
        return browser

    def status_of(self, method: str, path: str, **headers: str) -> int:
        """The answer to exactly this path: httpx would tidy it up first."""
        connection = http.client.HTTPConnection("127.0.0.1", self.http_port, timeout=START_S)
        with contextlib.closing(connection):
            connection.request(method, path, b"{}", headers)
            with connection.getresponse() as answer:
                return answer.status

    def write_module(self, source: Path, directory: Path, extra: str = "") -> Path:
        """A module to install, that replicates `directory`."""
        (source / "conf").mkdir(parents=True)
        (source / "bin").mkdir()
        text = USERCONFIG.format(directory=directory) + extra
        (source / "conf" / "userconfig.xml").write_text(text)
        (source / "bin" / "start_prim").write_text("#!/bin/sh\nexec true\n")
        return source


def join(first: Node, second: Node) -> None:
    """Make both nodes of one cluster, as `cluster init` and `cluster join` leave them."""
    # The same users on both from the start: a session ends when its user is fetched anew.
    with Database(first.layout.safevar) as one, Database(second.layout.safevar) as other:
        Users(one).merge(Users(other).export())
    create_cluster(first.layout.pki)
    for node, address in ((first, "127.0.0.1"), (second, "127.0.0.2")):
        issue_node(first.layout.pki, node.name, [address], node.layout.pki)
        node.layout.cluster_config.write_text(CLUSTER)
        node.layout.node_identity.write_text(json.dumps({"name": node.name}))


def audited(browser: Browser, count: int) -> list[dict[str, Any]]:
    """The newest entries of the audit; what came of a request is noted after its answer."""
    end = time.monotonic() + START_S
    while True:
        entries: list[dict[str, Any]] = browser.json("/api/v1/audit", count=count)["entries"]
        if all(one["status"] for one in entries):
            return entries
        assert time.monotonic() < end, entries


@contextlib.contextmanager
def events(browser: Browser, **query: str) -> Iterator[Iterator[tuple[str, str, Any]]]:
    """Follow the events: (id, name, data); a stream that is silent for long is an error."""
    headers = {"accept": "text/event-stream"}
    if last := query.pop("last_id", ""):
        headers["last-event-id"] = last
    with browser.http.stream(
        "GET", "/api/v1/events", params=query or None, headers=headers, timeout=START_S
    ) as answer:
        assert answer.status_code == 200
        yield _read(answer)


def _read(answer: httpx.Response) -> Iterator[tuple[str, str, Any]]:
    fields: dict[str, str] = {}
    for line in answer.iter_lines():
        if line:
            name, _, value = line.partition(": ")
            fields[name] = value
        elif "data" in fields:
            yield fields.get("id", ""), fields["event"], json.loads(fields["data"])
            fields = {}


def until(found: Iterator[tuple[str, str, Any]], name: str, **wanted: Any) -> tuple[str, Any]:
    """The next event of this name whose data has these values; beats bound the wait."""
    end = time.monotonic() + START_S
    seen = []
    for event_id, event_name, data in found:
        if event_name == name and all(data.get(key) == value for key, value in wanted.items()):
            return event_id, data
        seen.append((event_name, data))
        assert time.monotonic() < end, seen
    raise AssertionError(f"the stream ended: {seen}")

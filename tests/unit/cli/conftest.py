"""A node's files in a temporary directory, and a control plane with scripted answers."""

import json
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from mirror.cli.main import run
from mirror.config.layout import Layout
from mirror.errors import MirrorError
from mirror.wire.local import Decoder, Message, encode, event, reply, reply_error

CLUSTER = """<cluster><lans><lan name="default">
<node name="n1" addr="127.0.0.1"/><node name="n2" addr="127.0.0.2"/>
</lan></lans></cluster>"""


@dataclass
class ControlPlane:
    """Answers each request by its `do`; keeps what was asked."""

    answers: dict[str, dict[str, Any] | MirrorError] = field(default_factory=dict)
    events: list[Message] = field(default_factory=list)
    asked: list[Message] = field(default_factory=list)

    def serve(self, listener: socket.socket) -> None:
        while True:
            connection, _ = listener.accept()
            with connection:
                decoder = Decoder()
                while chunk := connection.recv(65_536):
                    for message in decoder.feed(chunk):
                        if message["do"] == "quit":
                            return
                        self.asked.append(message)
                        self._answer(connection, message)

    def _answer(self, connection: socket.socket, message: Message) -> None:
        found = self.answers.get(message["do"], {})
        if isinstance(found, MirrorError):
            connection.sendall(encode(reply_error(message["id"], found)))
            return
        connection.sendall(encode(reply(message["id"], **found)))
        for sent in self.events:
            connection.sendall(encode(event("log", **sent)))
        if self.events:
            connection.shutdown(socket.SHUT_WR)


@dataclass(frozen=True)
class Outcome:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Run = Callable[..., Outcome]


@pytest.fixture
def layout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Layout:
    """A node without anything, whose SAFE and SAFEVAR are in the environment."""
    monkeypatch.setenv("SAFE", str(tmp_path / "s"))
    monkeypatch.setenv("SAFEVAR", str(tmp_path / "v"))
    monkeypatch.delenv("SAFEMODULE", raising=False)
    found = Layout.from_environment()
    found.cluster.mkdir(parents=True)
    found.run.mkdir(parents=True)
    return found


@pytest.fixture
def mirror(layout: Layout, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs one command line in this process."""

    def invoke(*arguments: str) -> Outcome:
        capsys.readouterr()
        try:
            code = run(arguments)
        except SystemExit as ended:  # completion ends the process by itself
            code = int(ended.code or 0)
        captured = capsys.readouterr()
        return Outcome(code, captured.out, captured.err)

    return invoke


@pytest.fixture
def control_plane(layout: Layout) -> Iterator[ControlPlane]:
    """Listens on the socket of the node."""
    plane = ControlPlane()
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(layout.control_socket))
    listener.listen()
    thread = threading.Thread(target=plane.serve, args=(listener,))
    thread.start()
    yield plane
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as last:
        last.connect(str(layout.control_socket))
        last.sendall(encode({"v": 1, "id": 1, "do": "quit"}))
        thread.join(60)
    listener.close()
    assert not thread.is_alive()


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A directory to replicate."""
    path = tmp_path / "data"
    path.mkdir()
    return path


@pytest.fixture
def web(layout: Layout, mirror: Run, tmp_path: Path, data: Path) -> Layout:
    """A cluster, and an installed module `web` that replicates `data`."""
    layout.cluster_config.write_text(CLUSTER)
    source = tmp_path / "web"
    (source / "conf").mkdir(parents=True)
    (source / "bin").mkdir()
    (source / "conf" / "userconfig.xml").write_text(
        f"""<!DOCTYPE safe>
<safe><service mode="mirror"><heart profile="fast"><heartbeat name="default"/></heart>
<rfs acl="off"><replicated dir="{data}"/></rfs>
<user><var name="DB_PASSWORD" value="hunter2"/></user>
</service></safe>"""
    )
    (source / "bin" / "start_prim").write_text("#!/bin/sh\nTOKEN=hunter2 exec true\n")
    assert mirror("module", "install", str(source)).code == 0
    return layout

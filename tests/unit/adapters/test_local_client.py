"""The client against a real server on a real unix socket."""

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mirror.adapters.local_client import LocalClient
from mirror.adapters.local_events import stream_events
from mirror.errors import LocalCallFailed, ModuleUnknown, NodeNotReachable
from mirror.wire.local import Decoder, Message, encode, event, reply, reply_error

Answer = Callable[[Message], list[Message]]


def answer(message: Message) -> list[Message]:
    match message["do"]:
        case "state":
            return [event("state_changed", state="WAIT"), reply(message["id"], modules={})]
        case "watch":
            return [reply(message["id"]), event("tick", n=1), event("tick", n=2)]
        case _:
            return [reply_error(message["id"], ModuleUnknown(module="x", observed="unknown"))]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Path]:
    """Serves one connection at a time; "hang up" closes it without a word."""
    path = tmp_path / "s"
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(path))
    listener.listen()

    def serve() -> None:
        while True:
            connection, _ = listener.accept()
            with connection:
                decoder = Decoder()
                while chunk := connection.recv(4096):
                    for message in decoder.feed(chunk):
                        if message["do"] == "quit":
                            return
                        if message["do"] == "hang up":
                            break
                        for sent in answer(message):
                            connection.sendall(encode(sent))
                        if message["do"] == "watch":
                            connection.shutdown(socket.SHUT_WR)
                    else:
                        continue
                    break

    thread = threading.Thread(target=serve)
    thread.start()
    yield path
    last = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    last.connect(str(path))
    last.sendall(encode({"v": 1, "id": 1, "do": "quit"}))
    thread.join(60)
    last.close()
    listener.close()


def test_a_call_returns_its_reply_and_keeps_events(server: Path) -> None:
    with LocalClient(server) as client:
        assert client.call("state")["modules"] == {}
        assert next(client.events())["state"] == "WAIT"


def test_an_error_is_raised_as_it_was_said(server: Path) -> None:
    with LocalClient(server) as client, pytest.raises(LocalCallFailed) as caught:
        client.call("nonsense")
    assert caught.value.code == "MIR-102"


def test_nobody_listening_and_a_broken_connection_are_not_reachable(server: Path) -> None:
    with LocalClient(server.with_name("none")) as client, pytest.raises(NodeNotReachable):
        client.call("state")
    with LocalClient(server) as client, pytest.raises(NodeNotReachable, match="closed"):
        client.call("hang up")


def test_events_stream_in_asyncio_until_the_end(server: Path) -> None:
    async def collect() -> list[int]:
        return [message["n"] async for message in stream_events(server, "watch")]

    assert asyncio.run(collect()) == [1, 2]

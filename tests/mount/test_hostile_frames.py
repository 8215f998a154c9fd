"""The receiver of the data link against a peer whose certificate is good and whose frames are not.

Nothing of what is damaged, repeated, cut short or of another session is applied: the receiver ends
the connection, and what came before stands.
"""

from __future__ import annotations

import errno
import os
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from mirror.adapters import pki
from mirror.adapters.native import Connection, Plane, Tls
from mirror.wire import codec
from mirror.wire.frame import Frame, FrameDecoder, FrameEncoder
from mirror.wire.schema import FRAME_HEADER_BYTES
from tests.mount.pair import AWAIT_MS, LIVE, SESSION, make_plane

pytestmark = pytest.mark.mount

FILE = bytes(range(17, 33))
BEFORE, AFTER = b"as it was", b"not to be"
EMPTY = {"mode": 0o100600, "umask": 0, "uid": 0, "gid": 0, "rdev": 0, "target": b""}
Frames = list[bytes]


class Receiver:
    """A secondary with one file, and one session after another with a hostile peer."""

    def __init__(self, directory: Path) -> None:
        pki.create_cluster(directory / "cluster")
        theirs, ours = (
            pki.issue_node(directory / "cluster", node, ["127.0.0.1"], directory / node)
            for node in ("n1", "n2")
        )
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._context.check_hostname = False
        self._context.load_verify_locations(theirs.ca_certificate)
        self._context.load_cert_chain(theirs.node_certificate, theirs.node_key)
        self._tls = Tls(str(ours.ca_certificate), str(ours.node_certificate), str(ours.node_key))
        self.plane: Plane = make_plane(directory / "node")
        self.file = directory / "node" / "lower" / "file"
        self.root = self.plane.identity_new()
        self.plane.root_add(str(self.file.parent))
        self.plane.root_adopt(0, self.root)
        self.ended_by: int | None = None

    @contextmanager
    def session(self) -> Iterator[Peer]:
        """One connection, served until it ends; `ended_by` is the errno then, or None."""
        self.plane.apply_begin()
        self.ended_by = None
        with socket.create_server(("127.0.0.1", 0)) as listener:
            serving = threading.Thread(target=self._serve, args=(listener,))
            serving.start()
            plain = socket.create_connection(listener.getsockname(), AWAIT_MS / 1000)
            with self._context.wrap_socket(plain) as connected:
                peer = Peer(connected)
                peer.greet()
                yield peer
            serving.join(AWAIT_MS / 1000)
            assert not serving.is_alive(), "the receiver hangs"

    def _serve(self, listener: socket.socket) -> None:
        fd = listener.accept()[0].detach()
        connection = Connection.accept(
            self._tls, fd, "n1", timeout_ms=AWAIT_MS, io_timeout_ms=AWAIT_MS
        )
        try:
            hello = connection.receive_hello()
            connection.answer_hello("n2")
            self.plane.apply_serve(connection, hello.lane)
        except OSError as error:
            self.ended_by = error.errno
        finally:
            connection.close()

    def changes(self) -> dict[str, bytes]:
        """One message of several kinds, each of which would be seen in the file or its name."""
        at = {"epoch": 1, "root": 0, "id": FILE}
        here = {"epoch": 1, "root": 0, "parent": self.root, "id": FILE}
        size = {"valid": 8, "mode": 0, "uid": 0, "gid": 0, "size_bytes": 3}
        times = {"atime_ns": 0, "mtime_ns": 0}
        return {
            "Write": codec.encode("Write", **at, offset_bytes=0, flags=0, data=AFTER),
            "SetAttributes": codec.encode("SetAttributes", **at, **size, **times),
            "Unlink": codec.encode("Unlink", **here, directory=0, name=b"file"),
            "Rename": codec.encode(
                "Rename",
                **here,
                new_parent=self.root,
                replaced=bytes(16),
                flags=0,
                name=b"file",
                new_name=b"other",
            ),
        }

    def make_file(self, peer: Peer) -> None:
        """The file as it was, known in this session."""
        at = {"root": 0, "parent": self.root, "id": FILE, "name": b"file"}
        if self.file.exists():
            assert peer.ask("Introduce", codec.encode("Introduce", **at)) == 0
        else:
            assert peer.ask("Create", codec.encode("Create", epoch=1, **at, **EMPTY)) == 0
            before = {"epoch": 1, "root": 0, "id": FILE, "offset_bytes": 0, "flags": 0}
            assert peer.ask("Write", codec.encode("Write", **before, data=BEFORE)) == 0

    def is_as_it_was(self) -> bool:
        """Neither its bytes nor its name have changed."""
        names = set(os.listdir(self.file.parent))
        return names == {"file", ".mirror"} and self.file.read_bytes() == BEFORE


class Peer:
    """The other end: it seals frames as it likes."""

    def __init__(self, connected: ssl.SSLSocket) -> None:
        self._socket = connected
        self._encoder, self._decoder = FrameEncoder(), FrameDecoder()
        self.sent: Frames = []

    def greet(self) -> None:
        """Hello, and Welcome."""
        facts = {"version_oldest": 1, "version_newest": 0xFFFF, "lane": LIVE, "lane_index": 0}
        texts = {"module": "test", "node": "n1"}
        hello = codec.encode("Hello", **facts, session=SESSION, features=0, **texts)
        self.send(self._encoder.encode(codec.code_of("Hello"), hello))
        welcome = codec.decode(codec.code_of("Welcome"), self._answer().payload)
        self._encoder.version = self._decoder.version = welcome["version"]

    def seal(self, name: str, payload: bytes) -> bytes:
        """A good frame, the next one."""
        return self._encoder.encode(codec.code_of(name), payload)

    def send(self, frame: bytes) -> None:
        """Send bytes; the receiver may have ended the connection."""
        self.sent.append(frame)
        with suppress(OSError):
            self._socket.sendall(frame)

    def ask(self, name: str, payload: bytes) -> int:
        """Send a good frame. Returns: the error of its answer."""
        self.send(self.seal(name, payload))
        ack = codec.decode(codec.code_of("Ack"), self._answer().payload)
        return int(ack["error"])

    def hears_nothing(self) -> None:
        """The receiver ends the connection, and answers nothing more."""
        with suppress(OSError):
            assert self._socket.recv(1) == b""

    def hears_the_end(self) -> None:
        """The receiver ends the connection, whatever it answers before."""
        with suppress(OSError):
            while self._socket.recv(65_536):
                pass

    def _answer(self) -> Frame:
        while not (frames := self._decoder.feed(self._socket.recv(65_536))):
            pass
        return frames[0]


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[Receiver]:
    made = Receiver(tmp_path)
    try:
        yield made
    finally:
        made.plane.destroy()


KINDS = ["Write", "SetAttributes", "Unlink", "Rename"]
EACH_BYTE = ["Write", "Rename"]  # a hundred connections each


def places(size: int) -> Iterator[int]:
    """Each byte of a frame's header, and every third of what it carries: a checksum is of all."""
    yield from range(FRAME_HEADER_BYTES)
    yield from range(FRAME_HEADER_BYTES, size, 3)
    yield size - 1


@pytest.mark.parametrize("kind", KINDS)
def test_a_good_frame_is_applied(receiver: Receiver, kind: str) -> None:
    """What the others compare with."""
    with receiver.session() as peer:
        receiver.make_file(peer)
        assert receiver.is_as_it_was()
        assert peer.ask(kind, receiver.changes()[kind]) == 0
        assert not receiver.file.exists() or not receiver.is_as_it_was()
    assert receiver.ended_by in (None, errno.ECONNRESET, errno.ESHUTDOWN)


def refused(receiver: Receiver, kind: str, spoil: Callable[[bytes], bytes]) -> None:
    with receiver.session() as peer:
        receiver.make_file(peer)
        peer.send(spoil(peer.seal(kind, receiver.changes()[kind])))
        peer.hears_nothing()
    assert receiver.ended_by == errno.EBADMSG
    assert receiver.is_as_it_was()


@pytest.mark.parametrize("kind", EACH_BYTE)
def test_a_flipped_bit_is_never_applied(receiver: Receiver, kind: str) -> None:
    with receiver.session() as peer:
        size = len(peer.seal(kind, receiver.changes()[kind]))
    for at in places(size):
        if at in range(4, 8):
            continue  # a larger size is a frame cut short: below

        def flip(frame: bytes, at: int = at) -> bytes:
            return frame[:at] + bytes((frame[at] ^ (1 << at % 8),)) + frame[at + 1 :]

        refused(receiver, kind, flip)


@pytest.mark.parametrize("kind", EACH_BYTE)
def test_a_frame_cut_at_any_byte_is_never_applied(receiver: Receiver, kind: str) -> None:
    with receiver.session() as peer:
        size = len(peer.seal(kind, receiver.changes()[kind]))
    for end in places(size):
        with receiver.session() as peer:
            receiver.make_file(peer)
            peer.send(peer.seal(kind, receiver.changes()[kind])[:end])
        assert receiver.is_as_it_was(), end


@pytest.mark.parametrize("kind", KINDS)
def test_a_frame_that_comes_twice_ends_the_connection(receiver: Receiver, kind: str) -> None:
    with receiver.session() as peer:
        receiver.make_file(peer)
        operations = receiver.plane.apply_operations()
        frame = peer.seal(kind, receiver.changes()[kind])
        peer.send(frame)
        peer.send(frame)
        with suppress(OSError):
            while peer._socket.recv(65_536):
                pass
    assert receiver.ended_by == errno.EBADMSG
    assert receiver.plane.apply_operations() == operations + 1


def test_frames_of_an_older_session_end_the_connection(receiver: Receiver) -> None:
    with receiver.session() as peer:
        receiver.make_file(peer)
        assert peer.ask("Unlink", receiver.changes()["Unlink"]) == 0
        recorded = peer.sent[1:]
    with receiver.session() as peer:
        receiver.make_file(peer)
        for frame in recorded:
            peer.send(frame)
        peer.hears_nothing()
    assert receiver.ended_by == errno.EBADMSG
    assert receiver.is_as_it_was()

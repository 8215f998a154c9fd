"""Connections to the peer (native/link)."""

import os
import threading
from typing import Any, Self

from mirror._native import ffi, lib
from mirror.adapters.native.values import ID_BYTES, Hello, check


class Tls:
    """Certificates of this node for the link. Paths of PEM files.

    Raises: OSError (EINVAL) when one cannot be used, with the reason.
    """

    def __init__(self, ca_path: str, certificate_path: str, key_path: str) -> None:
        sentence = ffi.new("char[512]")
        out = ffi.new("struct mn_tls **")
        result = lib.mn_tls_create(
            ca_path.encode(), certificate_path.encode(), key_path.encode(), sentence, 512, out
        )
        if result < 0:
            raise OSError(-result, ffi.string(sentence).decode() or os.strerror(-result), ca_path)
        self.raw = ffi.gc(out[0], lib.mn_tls_destroy)


class Connection:
    """One connection of the link; one thread at a time uses it, any may shut it down.

    Owns the C object until `close`, which must come after its last use by C threads.
    """

    def __init__(self, raw: Any, tls: Tls) -> None:  # noqa: ANN401 - cffi has no types
        self.raw = raw
        self._tls = tls  # must outlive the connection
        self.features = 0  # bits both ends have, once `offer` was answered
        self._freeing = threading.Lock()  # shutdown comes from any thread, close from one

    @classmethod
    def connect(
        cls,
        tls: Tls,
        address: str,
        port: int,
        peer_name: str,
        *,
        timeout_ms: int,
        io_timeout_ms: int,
        local_address: str | None = None,
    ) -> Self:
        """Connect and authenticate. Raises: OSError (EPERM: not the certificate expected)."""
        out = ffi.new("struct mn_connection **")
        local = ffi.NULL if local_address is None else local_address.encode()
        result = lib.mn_connection_connect(
            tls.raw,
            address.encode(),
            port,
            local,
            peer_name.encode(),
            timeout_ms,
            io_timeout_ms,
            out,
        )
        check(result, f"{address}:{port}")
        return cls(out[0], tls)

    @classmethod
    def accept(
        cls, tls: Tls, fd: int, peer_name: str, *, timeout_ms: int, io_timeout_ms: int
    ) -> Self:
        """Authenticate an accepted socket, whose descriptor is owned here from now on."""
        out = ffi.new("struct mn_connection **")
        result = lib.mn_connection_accept(
            tls.raw, fd, peer_name.encode(), timeout_ms, io_timeout_ms, out
        )
        check(result, peer_name)
        return cls(out[0], tls)

    def offer(self, lane: int, lane_index: int, session: bytes, module: str, node: str) -> str:
        """Say Hello. Returns: "" when welcome, else the sentence of the refusal."""
        sentence = ffi.new("char[512]")
        features = ffi.new("uint64_t *")
        result = lib.mnf_offer(
            self.raw, lane, lane_index, session, module.encode(), node.encode(), features, sentence
        )
        check(result, "Hello")
        self.features = int(features[0])
        return ffi.string(sentence).decode() if result == lib.MN_PEER_REFUSED else ""

    def receive_hello(self) -> Hello:
        """Receive Hello; answer it with `answer_hello` from the same thread."""
        lane = ffi.new("uint8_t[2]")
        session = ffi.new("uint8_t[]", ID_BYTES)
        texts = ffi.new("char[512]")
        result = lib.mnf_receive_hello(self.raw, lane, lane + 1, session, texts, texts + 256)
        check(result, "Hello")
        return Hello(
            lane[0],
            lane[1],
            bytes(session),
            ffi.string(texts).decode(),
            ffi.string(texts + 256).decode(),
        )

    def answer_hello(self, node: str, refuse_code: int = 0, sentence: str = "") -> None:
        """Say Welcome, or Refuse with a sentence."""
        check(
            lib.mnf_answer_hello(self.raw, node.encode(), refuse_code, sentence.encode()), "Hello"
        )

    def send(self, code: int, payload: bytes) -> None:
        """Send one message. payload: as mirror.wire.codec encodes it."""
        check(lib.mnf_send(self.raw, code, payload, len(payload)), "send")

    def receive(self, *, idle: bool = False) -> tuple[int, bytes]:
        """Receive one message: its code and payload. idle: without a time limit."""
        code = ffi.new("uint16_t *")
        payload = ffi.new("uint8_t **")
        size = ffi.new("size_t *")
        check(lib.mnf_receive(self.raw, int(idle), code, payload, size), "receive")
        return code[0], bytes(ffi.buffer(payload[0], size[0]))

    def counters(self) -> tuple[int, int]:
        """Bytes of frames sent and received, before encryption."""
        counts = ffi.new("uint64_t[2]")
        lib.mn_connection_counters(self.raw, counts, counts + 1)
        return counts[0], counts[1]

    def shutdown(self) -> None:
        """Make every blocked call on it return. Any thread; may be repeated."""
        with self._freeing:
            if self.raw is not None:
                lib.mn_connection_shutdown(self.raw)

    def close(self) -> None:
        """Free it. No thread may be in a call on it."""
        with self._freeing:
            raw, self.raw = self.raw, None
            if raw is not None:
                lib.mn_connection_destroy(raw)

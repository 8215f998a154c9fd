"""A line of trace per message: readable, without content, and not to be forged by a name."""

import pytest

from mirror.wire import codec, trace
from tests.unit.wire.samples import MESSAGE_NAMES, golden_cases


def test_a_write_as_the_documents_show_it() -> None:
    fields = {"epoch": 7, "root": 0, "offset_bytes": 8192, "flags": 0, "data": bytes(4096)}
    message = codec.Decoded("Write", {**fields, "id": bytes.fromhex("7c02") + bytes(14)})
    assert trace.line(trace.SENT, 41, message) == (
        "-> Write seq=41 epoch=7 root=0 id=7c02 offset_bytes=8192 flags=0 data_bytes=4096"
    )


def test_no_identity_says_so() -> None:
    fields = {"error": 0, "entries": ({"name": b"a", "id": bytes(16), "kind": 0},)}
    line = trace.line(trace.RECEIVED, 1, codec.Decoded("Names", fields))
    assert line == "<- Names seq=1 error=0 entries_count=1"


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        (b"base", "base"),
        (b"my file", "'my file'"),
        (b"x\n-> Ack seq=9", r"'x\n-> Ack seq=9'"),
        (b"\x1b[31m", r"'\x1b[31m'"),
        ("été".encode(), r"'\xe9t\xe9'"),
        (b"\xff", r"'\udcff'"),
    ],
)
def test_a_name_can_neither_forge_a_line_nor_colour_it(name: bytes, shown: str) -> None:
    fields = {"epoch": 1, "root": 0, "parent": bytes(16), "id": bytes(16), "directory": 0}
    line = trace.line(trace.SENT, 2, codec.Decoded("Unlink", {**fields, "name": name}))
    assert line.endswith(f" id=none directory=0 name={shown}")


@pytest.mark.parametrize("name", MESSAGE_NAMES)
def test_every_message_has_one_line(name: str) -> None:
    for _, fields in golden_cases(name):
        line = trace.line(trace.SENT, 3, codec.Decoded(name, fields))
        assert line.startswith(f"-> {name} seq=3")
        assert line.isascii()
        assert line.isprintable()

"""The golden files are current, and Python reads out of them what was put in."""

import re

import pytest

from mirror.errors import ProtocolRefused
from mirror.wire import codec, frame, generate, trace
from mirror.wire.schema import MESSAGES
from tests.golden.wire import golden_wire
from tests.golden_file import WRITING, check_golden


def test_generated_files_are_current() -> None:
    if WRITING:
        generate.main([])
    assert generate.main(["--check"]) == 0
    assert generate.stale() == []


def test_the_worked_example_of_the_document_is_a_frame() -> None:
    text = (generate.ROOT / "PROTOCOL.md").read_text(encoding="utf-8")
    _, _, after = text.partition("### 3.3 Worked example")
    _, example, rest = after.split("```", 2)
    dump = "".join(re.split(r" {2,}", line)[0] for line in example.splitlines())
    decoder = frame.FrameDecoder()
    (read,) = decoder.feed(bytes.fromhex(dump))
    assert decoder.is_between_frames
    message = codec.decode(read.code, read.payload)
    assert (message["offset_bytes"], message["data"]) == (8192, b"hello")
    assert f"`{trace.line(trace.SENT, read.sequence, message)}`" in rest


@pytest.mark.parametrize("name", golden_wire.FILES)
def test_a_golden_file_is_current(name: str) -> None:
    check_golden(golden_wire.DIRECTORY / name, golden_wire.FILES[name]())


def test_every_message_has_golden_bytes() -> None:
    golden = {(message.code, message.name) for message in golden_wire.read_messages()}
    assert golden == {(message.code, message.name) for message in MESSAGES}


def test_golden_bytes_are_read_and_written() -> None:
    for golden in golden_wire.read_messages():
        which = f"{golden.name} {golden.case}"
        assert codec.encode(golden.name, **golden.values) == golden.payload, which
        decoded = codec.decode(golden.code, golden.payload)
        assert (decoded.name, decoded.fields) == (golden.name, golden.values), which


@pytest.mark.parametrize(("stream", "expected"), golden_wire.read_frames())
@pytest.mark.parametrize("chunk_bytes", [1, 7, 1 << 20])
def test_golden_frames_are_taken_or_refused(
    stream: bytes, expected: str, chunk_bytes: int
) -> None:
    decoder = frame.FrameDecoder()
    chunks = [stream[at : at + chunk_bytes] for at in range(0, len(stream), chunk_bytes)]
    if expected == "good":
        for chunk in chunks:
            decoder.feed(chunk)
        assert decoder.is_between_frames
        return
    with pytest.raises(ProtocolRefused) as refused:
        _feed_all(decoder, chunks)
    assert refused.value.facts["what"] == expected


def _feed_all(decoder: frame.FrameDecoder, chunks: list[bytes]) -> None:
    for chunk in chunks:
        decoder.feed(chunk)

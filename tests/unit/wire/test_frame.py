"""Frames: every stream of them is read however it is cut, and no changed byte gets through."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirror.errors import ProtocolRefused
from mirror.wire.frame import Frame, FrameDecoder, FrameEncoder
from mirror.wire.schema import FRAME_HEADER_BYTES, PAYLOAD_BYTES_MAX

FRAMES = st.lists(st.tuples(st.integers(0, 65535), st.binary(max_size=300)), max_size=6)


@given(frames=FRAMES, data=st.data())
def test_frames_are_read_however_they_are_cut(
    frames: list[tuple[int, bytes]], data: st.DataObject
) -> None:
    encoder = FrameEncoder()
    stream = b"".join(encoder.encode(code, payload) for code, payload in frames)
    decoder = FrameDecoder()
    read: list[Frame] = []
    while stream:
        cut = data.draw(st.integers(1, len(stream)))
        read += decoder.feed(memoryview(stream[:cut]))
        stream = stream[cut:]
    assert decoder.is_between_frames
    expected = [Frame(code, at, data) for at, (code, data) in enumerate(frames, start=1)]
    assert read == expected


@given(payload=st.binary(max_size=100), data=st.data())
def test_a_changed_bit_is_refused(payload: bytes, data: st.DataObject) -> None:
    stream = bytearray(FrameEncoder().encode(0x16, payload))
    bit = data.draw(st.integers(0, 8 * len(stream) - 1))
    stream[bit // 8] ^= 1 << bit % 8
    decoder = FrameDecoder()
    try:
        # A size that grew within its limit makes the frame wait for more: never a frame.
        assert decoder.feed(bytes(stream)) == []
    except ProtocolRefused:
        return
    assert 32 <= bit < 64
    with pytest.raises(ProtocolRefused):
        decoder.feed(bytes(PAYLOAD_BYTES_MAX))


@given(first=st.integers(0, 4), second=st.integers(0, 4))
def test_frames_lost_repeated_or_exchanged_are_refused(first: int, second: int) -> None:
    encoder = FrameEncoder()
    frames = [encoder.encode(4, b"x") for _ in range(5)]
    decoder = FrameDecoder()
    for frame in frames[:first]:
        decoder.feed(frame)
    if first == second:
        assert len(decoder.feed(frames[second])) == 1
        return
    with pytest.raises(ProtocolRefused, match=f"{second + 1}, {first + 1} expected"):
        decoder.feed(frames[second])
    with pytest.raises(AssertionError, match="stays closed"):
        decoder.feed(frames[first])


def test_the_largest_payload_travels() -> None:
    stream = FrameEncoder().encode(1, bytes(PAYLOAD_BYTES_MAX))
    assert len(stream) == FRAME_HEADER_BYTES + PAYLOAD_BYTES_MAX
    assert len(FrameDecoder().feed(stream)) == 1
    with pytest.raises(AssertionError):
        FrameEncoder().encode(1, bytes(PAYLOAD_BYTES_MAX + 1))


def test_an_agreed_version_is_the_only_one() -> None:
    encoder, decoder = FrameEncoder(), FrameDecoder()
    decoder.feed(encoder.encode(1, b""))
    encoder.version = decoder.version = 7
    decoder.feed(encoder.encode(1, b""))
    encoder.version = 1
    with pytest.raises(ProtocolRefused, match="version is not the one agreed: 1, 7 agreed"):
        decoder.feed(encoder.encode(1, b""))

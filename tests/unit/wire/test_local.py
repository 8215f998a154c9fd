"""The local framing: round trips however the bytes are cut, and bounds that hold."""

from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirror.errors import LocalCallFailed, LocalMessageRefused, ModuleUnknown
from mirror.wire.local import (
    LENGTH_PREFIX_BYTES,
    MESSAGE_BYTES_MAX,
    Decoder,
    encode,
    event,
    raise_if_error,
    reply,
    reply_error,
    request,
)

VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False)
    | st.text(max_size=20)
    | st.binary(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
MESSAGES = st.dictionaries(st.text(min_size=1), VALUES, max_size=5).map(lambda m: {**m, "v": 1})


def frame(body: bytes) -> bytes:
    return len(body).to_bytes(LENGTH_PREFIX_BYTES, "big") + body


@given(st.lists(MESSAGES, max_size=5), st.data())
def test_messages_arrive_whole_and_in_order_however_the_stream_is_cut(
    messages: list[dict[str, Any]], data: st.DataObject
) -> None:
    stream = b"".join(encode(message) for message in messages)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    decoder = Decoder()
    arrived = []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        arrived += decoder.feed(stream[start:end])
    assert arrived == messages
    assert decoder.is_between_messages


@given(st.binary(max_size=200))
def test_garbage_is_refused_or_awaited_never_a_crash(garbage: bytes) -> None:
    decoder = Decoder()
    try:
        messages = decoder.feed(garbage)
    except LocalMessageRefused:
        with pytest.raises(AssertionError):
            decoder.feed(b"")
    else:
        assert all(message["v"] == 1 for message in messages)


@pytest.mark.parametrize(
    "bad",
    [
        (MESSAGE_BYTES_MAX + 1).to_bytes(4, "big"),
        frame(msgpack.packb([1])),
        frame(msgpack.packb({"v": 2})),
        frame(msgpack.packb({1: 2, "v": 1})),
        frame(b"\xc1"),
        frame(msgpack.packb({"v": 1}) + b"x"),
        frame(b""),
        frame(b"\x91" * 4000),
    ],
)
def test_each_malformed_frame_is_refused(bad: bytes) -> None:
    with pytest.raises(LocalMessageRefused):
        Decoder().feed(bad)


def test_the_bound_is_checked_before_the_body_is_awaited_and_when_sending() -> None:
    largest = {"v": 1, "x": b"x" * (MESSAGE_BYTES_MAX - 12)}
    assert Decoder().feed(encode(largest)) == [largest]
    with pytest.raises(LocalMessageRefused):
        encode({"v": 1, "x": b"x" * MESSAGE_BYTES_MAX})


def test_a_frame_has_these_bytes() -> None:
    assert encode(request(7, "state")).hex() == "0000001183a17601a2696407a2646fa57374617465"


def test_an_error_reply_raises_what_the_other_end_said() -> None:
    error = ModuleUnknown(module="web", observed="not installed")
    with pytest.raises(LocalCallFailed) as caught:
        raise_if_error(reply_error(3, error))
    assert (str(caught.value), caught.value.code) == (str(error), "MIR-102")
    assert raise_if_error(reply(3, level="1"))["level"] == "1"
    assert raise_if_error(event("state_changed"))["event"] == "state_changed"
    with pytest.raises(LocalCallFailed):
        raise_if_error({"v": 1, "id": 1, "ok": False})

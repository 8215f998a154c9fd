"""The token: a round trip, and no word of another shape."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirror.errors import TokenRefused
from mirror.wire.join_token import PREFIX, PREFIX_NEW, JoinToken, decode_token, new_secret

TOKEN = JoinToken("10.0.0.1", 4800, bytes(range(32)), bytes(16))


@given(
    st.builds(
        JoinToken,
        st.ip_addresses().map(str),
        st.integers(0, 65_535),
        st.binary(min_size=32, max_size=32),
        st.binary(min_size=16, max_size=16),
        st.booleans(),
    )
)
def test_round_trip(token: JoinToken) -> None:
    assert decode_token(f" {token.encode()}\n") == token


@given(st.sampled_from([PREFIX, PREFIX_NEW, "mirror2.", ""]), st.text())
def test_any_other_word_is_refused(prefix: str, text: str) -> None:
    with pytest.raises(TokenRefused):
        decode_token(prefix + text)


def test_every_cut_is_refused_and_nothing_of_the_token_is_said() -> None:
    word = TOKEN.encode()
    for length in range(len(word)):
        with pytest.raises(TokenRefused) as caught:
            decode_token(word[:length])
        assert word[len(PREFIX) + 4 :] not in str(caught.value)


def test_the_secret_is_not_shown() -> None:
    token = JoinToken("10.0.0.1", 4800, bytes(32), b"0123456789abcdef")
    assert "0123456789abcdef" not in repr(token)
    assert new_secret() != new_secret()

"""Whatever the bytes are, a configuration is read or refused with sentences: never a traceback."""

from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from mirror.config.cluster import load_cluster
from mirror.config.elements import USERCONFIG
from mirror.config.userconfig import load_userconfig
from mirror.errors import ConfigRefused, Refusal

SAMPLE = (Path(__file__).parents[2] / "golden" / "config" / "legacy_sample.xml").read_bytes()
NAMES = sorted(USERCONFIG.elements)
ATTRIBUTES = sorted({row.name for one in USERCONFIG.elements.values() for row in one.attributes})
VALUES = st.text(max_size=8) | st.sampled_from(
    ["on", "0", "-1", "1ms", "/a", "%A%", "”", "10.0.0.1"]
)


def check(data: bytes) -> None:
    for load in (load_userconfig, load_cluster):
        refusals: tuple[Refusal, ...] | None = None
        try:
            load(data, "f", {"A": "b"})
        except ConfigRefused as error:
            refusals = error.refusals
        if refusals is not None:
            assert refusals
            assert all(one.sentence and one.line >= 0 for one in refusals)


def quoted(value: str) -> str:
    for character, entity in (("&", "&amp;"), ("<", "&lt;"), ('"', "&quot;")):
        value = value.replace(character, entity)
    return f'"{value}"'


@st.composite
def elements(draw: st.DrawFn, depth: int = 0) -> str:
    """Known elements and attributes in any place, with any values."""
    name = draw(st.sampled_from(NAMES))
    given_names = draw(st.lists(st.sampled_from(ATTRIBUTES), max_size=4, unique=True))
    attributes = "".join(f"\n {one}={quoted(draw(VALUES))}" for one in given_names)
    inner = "" if depth > 4 else "".join(draw(st.lists(elements(depth + 1), max_size=3)))
    return f"<{name}{attributes}>{inner}</{name}>"


@given(st.binary(max_size=300))
def test_any_bytes(data: bytes) -> None:
    check(data)


@given(st.integers(0, len(SAMPLE)), st.integers(0, 20), st.binary(max_size=20))
@settings(max_examples=300)
def test_a_real_file_that_was_damaged(start: int, length: int, inserted: bytes) -> None:
    check(SAMPLE[:start] + inserted + SAMPLE[start + length :])


@given(st.lists(elements(), max_size=4))
@settings(max_examples=80, deadline=None)
def test_known_words_in_any_order(inside: list[str]) -> None:
    check(f'<safe><service mode="mirror">{"".join(inside)}</service></safe>'.encode())

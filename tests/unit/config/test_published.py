"""SafeKit's published example, as pasted: refused by name, straightened, filled in, valid."""

from pathlib import Path

import pytest

from mirror.config.script_text import curly_lines, is_shell, straighten_script, straighten_xml
from mirror.config.userconfig import load_userconfig
from mirror.errors import ConfigRefused

PUBLISHED = Path(__file__).parents[2] / "golden" / "config" / "published"


def refused(text: str) -> list[tuple[int, str]]:
    with pytest.raises(ConfigRefused) as caught:
        load_userconfig(text.encode(), "userconfig.xml", {})
    return [(one.line, one.sentence) for one in caught.value.refusals]


def test_typographic_quotes_are_refused_line_by_line() -> None:
    text = (PUBLISHED / "userconfig.xml").read_text()
    found = refused(text)
    with_quotes = {number for number, line in enumerate(text.splitlines(), start=1) if "”" in line}
    assert {line for line, _ in found} == with_quotes
    for _, sentence in found:
        assert "typographic quote (”)" in sentence
        assert "`mirror module straighten userconfig.xml`" in sentence


def test_straightened_what_is_left_open_is_refused_by_name() -> None:
    text = straighten_xml((PUBLISHED / "userconfig.xml").read_text())
    found = refused(text)
    assert len(found) == 2
    assert "VIRTUAL_TO_BE_DEFINED" in found[0][1]
    assert "PROCESS_NAME" in found[1][1]
    filled = text.replace("VIRTUAL_TO_BE_DEFINED", "10.0.0.9").replace("PROCESS_NAME", "app")
    config = load_userconfig(filled.encode(), "userconfig.xml", {})
    assert config.directories == ("/test1replicated", "/test2replicated")
    assert config.vip is not None
    assert config.vip.addresses[0].addr == "10.0.0.9"
    assert (config.heart.pulse_ms, config.heart.timeout_ms) == (700, 30_000)
    assert config.errd is not None
    assert config.errd.processes[0].action == "restart"


@pytest.mark.parametrize("name", ["start_prim", "stop_prim"])
def test_scripts(name: str) -> None:
    text = (PUBLISHED / name).read_text()
    assert is_shell(text)
    (line,) = curly_lines(text)
    assert "“Running" in text.splitlines()[line - 1]
    straight = straighten_script(text)
    assert curly_lines(straight) == []
    assert f'echo "Running {name}" $*' in straight


@pytest.mark.parametrize(
    "text",
    [
        "echo '“meant”'",
        'echo "“meant”"',
        "# “a comment”",
        "echo done # “a comment”",
        "cat <<EOF\n“meant”\nEOF\necho done",
        "cat <<-'END'\n\t“meant”\n\tEND\n",
        "echo 'two lines\n“meant”'",
        "echo \\“one letter",
        "cat <<A <<B\n“\nA\n”\nB\n",
    ],
)
def test_what_a_script_means_stays(text: str) -> None:
    assert curly_lines(text) == []
    assert straighten_script(text) == text


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("echo “a”", [1]),
        ("x=1\n[ “$x” = 1 ]", [2]),
        ("cat <<E\nb\nE\necho “a”", [4]),
        ("echo a#“b”", [1]),
    ],
)
def test_what_a_script_does_not_mean(text: str, lines: list[int]) -> None:
    assert curly_lines(text) == lines


def test_comments_and_texts_of_xml_keep_theirs() -> None:
    text = "<!-- “a” --><a b=“c” d=\u2018e\u2019>“f”<![CDATA[“g”]]></a>"
    assert straighten_xml(text) == "<!-- “a” --><a b=\"c\" d='e'>“f”<![CDATA[“g”]]></a>"

"""Typographic quotes in scripts and configurations: found where they do harm, and straightened.

Pages on the web print “ ” for ". Pasted into a script they are letters of a word: the shell prints
them, or splits what they seem to hold together. Inside a quoted text or a here-document they are
meant, and stay. Pure.
"""

import re
from collections.abc import Iterator

CURLY = "“”„‟"
SINGLE = "\u2018\u2019\u201a\u201b"
_SHELL = re.compile(r"#!.*\b(?:sh|bash|dash|ksh)\b")
_HEREDOC = re.compile(r"<<-?\s*(['\"]?)(\w+)\1")
_TAG = re.compile(r"<!--.*?-->|<!\[CDATA\[.*?\]\]>|<[^<>]*>", re.DOTALL)


def is_shell(text: str) -> bool:
    """Whether the first line names a shell."""
    return bool(_SHELL.match(text))


def curly_lines(text: str) -> list[int]:
    """Lines of a shell script where a typographic quote stands bare, counted from 1."""
    return sorted({text.count("\n", 0, position) + 1 for position in _bare(text)})


def _bare(text: str) -> Iterator[int]:
    """Yield the place of each typographic quote outside of texts, comments, here-documents."""
    quote, ends, position = "", [], 0
    while position < len(text):
        letter = text[position]
        if letter == "\\" and quote != "'":
            position += 2
            continue
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "'\"":
            quote = letter
        elif letter == "#" and (position == 0 or text[position - 1].isspace()):
            position = _end_of_line(text, position)
            continue
        elif found := _HEREDOC.match(text, position):
            ends.append(found[2])
            position = found.end()
            continue
        elif letter == "\n" and ends:
            position = _after_heredoc(text, position + 1, ends.pop(0))
            continue
        elif letter in CURLY:
            yield position
        position += 1


def _end_of_line(text: str, position: int) -> int:
    end = text.find("\n", position)
    return len(text) if end < 0 else end


def _after_heredoc(text: str, position: int, word: str) -> int:
    """Where the here-document's last line ends; its newline is still to come."""
    while position < len(text):
        end = _end_of_line(text, position)
        if text[position:end].strip() == word:
            return end
        position = end + 1
    return position


def straighten_script(text: str) -> str:
    """Replace the bare typographic quotes of a shell script by straight ones."""
    places = set(_bare(text))
    return "".join('"' if number in places else one for number, one in enumerate(text))


def straighten_xml(text: str) -> str:
    """Replace typographic quotes in tags; comments and texts keep theirs."""

    def straight(tag: re.Match[str]) -> str:
        if tag[0].startswith(("<!--", "<![")):
            return tag[0]
        doubled = re.sub(f"[{CURLY}″]", '"', tag[0])
        return re.sub(f"[{SINGLE}]", "'", doubled)

    return _TAG.sub(straight, text)

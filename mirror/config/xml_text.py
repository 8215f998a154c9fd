"""Bytes of a configuration file to an element tree, refusing what XML allows and we do not.

No entities, no network, no DTD beyond a bare `<!DOCTYPE safe>`, bounded size. What people really
paste is met with a hint: typographic quotes, and macros written before the root element.
"""

import re
from dataclasses import dataclass
from typing import Any

from lxml import etree

from mirror.config.collector import Collector
from mirror.vocabulary.said import Said, say

FILE_BYTES_MAX = 1024 * 1024  # the largest real file seen is below 64 KiB
WRAPPER = b"mirror-document"  # never shown: holds a root and the macros written before it

_BOM = b"\xef\xbb\xbf"
_DECLARATION = re.compile(rb"<\?xml\s[^>]*\?>")
_MISC = re.compile(rb"(?:\s+|<!--.*?-->)*", re.DOTALL)
_DOCTYPE_BARE = re.compile(rb"<!DOCTYPE\s+[A-Za-z_][\w.-]*\s*>")
_MACRO = re.compile(rb"<macro[\s/>]")
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_CURLY = "“”„‟″«»\u2018\u2019\u201a"
_CURLY_VALUE = re.compile(rf"""=\s*[{_CURLY}]|=\s*"[^"<]*[{_CURLY}][^"]*(?=[\s/>])""")

# Sentences for what the parser finds most often, and the names in its words.
_SYNTAX = (
    ("xml.mismatch", r"tag mismatch: (?P<opened>\S+) line (?P<line>\d+) and (?P<closed>\S+)"),
    ("xml.not_closed", r"(tag mismatch:|end of data in tag) (?P<tag>\S+) line (?P<line>\d+)"),
    ("xml.unended", r"find end of Start Tag (?P<tag>\S+)"),
    ("xml.quotes", r"AttValue: .* expected"),
    ("xml.no_value", r"mandates value for attribute (?P<attribute>\S+)"),
    ("xml.twice", r"Attribute (?P<attribute>\S+) redefined"),
    ("xml.less_than", r"Unescaped '<' not allowed in attributes"),
    ("xml.blank", r"attributes construct error"),
    ("xml.name", r"invalid element name"),
    ("xml.ampersand", r"EntityRef: (no name|expecting ';')"),
    ("xml.entity", r"Entity '(?P<entity>[^']+)' not defined"),
    ("xml.empty", r"Document is empty|Start tag expected"),
    ("xml.after_end", r"Extra content at the end"),
    ("xml.hyphens", r"Double hyphen within comment"),
    ("xml.comment", r"Comment not terminated"),
    ("xml.character", r"invalid Char"),
    ("xml.encoding", r"Invalid bytes in character encoding|not proper UTF-8"),
)


@dataclass(frozen=True, slots=True)
class Document:
    """A parsed file. tops: elements outside all others; lines: the source, to find lines."""

    tops: tuple[etree._Element, ...]
    lines: tuple[str, ...]

    def attribute_line(self, element: etree._Element, attribute: str) -> int:
        """Line where the attribute stands; the line of the element when it is not written.

        The parser gives the line where a start tag ends, and tags span many lines in practice.
        """
        start = end = self.end_line(element)
        while start > 1 and f"<{element.tag!s}" not in self.lines[start - 1]:
            start -= 1
        pattern = re.compile(rf"(?<![\w.-]){re.escape(attribute)}\s*=")
        for number in range(end, start - 1, -1):
            if pattern.search(self.lines[number - 1]):
                return number
        return start

    def end_line(self, element: etree._Element) -> int:
        """Line where the start tag ends, which is what the parser gives."""
        line: Any = element.sourceline  # the stubs of lxml do not say that it is a number
        end: int = min(line or 1, len(self.lines))
        return end

    def line(self, element: etree._Element) -> int:
        """Line where the start tag begins."""
        return self.attribute_line(element, "\0")


def parse_xml(text: bytes, collector: Collector) -> Document | None:
    """Parse, or refuse to the collector and return None."""
    if len(text) > FILE_BYTES_MAX:
        collector.refuse(0, say("config.size", bytes=len(text), bytes_max=FILE_BYTES_MAX))
        return None
    if b"\0" in text:
        collector.refuse(1, say("config.zero"))
        return None
    body = _without_doctype(text.removeprefix(_BOM), collector)
    if body is None:
        return None
    parser = etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        root = etree.fromstring(body, parser)
    except etree.XMLSyntaxError as error:
        _refuse_syntax(text, error, collector)
        return None
    tops = tuple(root) if root.tag == WRAPPER.decode() else (root,)
    return Document(tops, tuple(text.decode("utf-8", "replace").splitlines()))


def _without_doctype(text: bytes, collector: Collector) -> bytes | None:
    """Blank a bare DOCTYPE, refuse any other, wrap a root that macros precede; lines are kept."""
    declaration = _DECLARATION.match(text)
    start = declaration.end() if declaration else 0
    position = _end_of(_MISC, text, start)
    if text.startswith(b"<!DOCTYPE", position):
        bare = _DOCTYPE_BARE.match(text, position)
        if bare is None:
            line = text.count(b"\n", 0, position) + 1
            collector.refuse(line, say("config.dtd"))
            return None
        blank = re.sub(rb"[^\n]", b" ", bare[0])
        text = text[:position] + blank + text[bare.end() :]
        position = _end_of(_MISC, text, bare.end())
    if _MACRO.match(text, position):
        head, rest = text[:start], text[start:]
        return head + b"<" + WRAPPER + b">" + rest + b"</" + WRAPPER + b">"
    return text


def _end_of(pattern: re.Pattern[bytes], text: bytes, position: int) -> int:
    matched = pattern.match(text, position)
    return matched.end() if matched else position


def _cited(message: str) -> Said:
    """Cite the parser, as an administrator may look it up; a French reader has the code."""
    for code, pattern in _SYNTAX:
        if found := re.search(pattern, message):
            return Said(message, code, found.groupdict())
    return Said(message)


def _refuse_syntax(text: bytes, error: etree.XMLSyntaxError, collector: Collector) -> None:
    """Say where the XML breaks; typographic quotes are named, for the parser's words do not."""
    source = text.decode("utf-8", "replace")
    without_comments = _COMMENT.sub(lambda found: "\n" * found[0].count("\n"), source)
    found_curly = False
    for number, line in enumerate(without_comments.splitlines(), start=1):
        if matched := _CURLY_VALUE.search(line):
            found_curly = True
            quote = next(character for character in matched[0] if character in _CURLY)
            collector.refuse(number, say("config.curly", quote=quote, file=collector.file))
    if found_curly:
        return
    message = re.sub(r", line \d+, column \d+.*", "", error.msg or "unreadable")
    message = message.replace(f" and {WRAPPER.decode()}", "")
    collector.refuse(error.lineno or 1, say("config.syntax", observed=_cited(message)))

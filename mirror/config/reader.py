"""Applies a grammar to a parsed file: an element tree in, checked values out, all refusals noted.

Generic: it knows tables and no element. Every sentence names element, attribute, what was
observed, what is allowed, and the nearest known name.
"""

import re
from dataclasses import dataclass
from typing import Any

from lxml import etree

from mirror.config.collector import Collector, either, listed, nearest
from mirror.config.grammar import Attribute, Element, Grammar
from mirror.config.macros import MacroRefused, Macros
from mirror.config.xml_text import Document
from mirror.vocabulary.said import said_of, say

# Words that templates carry for the administrator to replace.
PLACEHOLDER = re.compile(r"\b(?:\w*TO_BE_DEFINED|PROCESS_NAME)\b")
# Pasted into straight quotes, they would become part of an address or a path.
CURLY_DOUBLE = "“”„‟"


@dataclass(frozen=True, slots=True)
class Checked:
    """One element with its values: each attribute of the table has one, written or default."""

    name: str
    line: int
    values: dict[str, Any]
    lines: dict[str, int]
    children: tuple["Checked", ...]
    text: str
    text_line: int = 0  # where the text begins, blank lines before it left out

    def all(self, name: str) -> tuple["Checked", ...]:
        """Children of this name, in order."""
        return tuple(child for child in self.children if child.name == name)

    def one(self, name: str) -> "Checked | None":
        """The child of this name, when there is one."""
        return next(iter(self.all(name)), None)

    def line_of(self, attribute: str) -> int:
        """Line of a written attribute, else of the element."""
        return self.lines.get(attribute, self.line)


class Reader:
    """Reads one document. Whatever is wrong goes to the collector; nothing is raised."""

    def __init__(
        self, grammar: Grammar, document: Document, collector: Collector, macros: Macros
    ) -> None:
        self._grammar = grammar
        self._document = document
        self._collector = collector
        self._macros = macros

    def read(self) -> Checked | None:
        """Read the root and what may stand before it; None when there is no root."""
        root: Checked | None = None
        for top in self._document.tops:
            tag = str(top.tag)
            if tag == self._grammar.root and root is None:
                root = self._element(top, self._grammar.elements[tag])
            elif tag == "macro" and "macro" in self._grammar.elements and root is None:
                self._element(top, self._grammar.elements[tag])
            else:
                expected = self._grammar.root
                self._collector.refuse(
                    self._document.line(top),
                    say(
                        "config.root",
                        element=tag,
                        expected=expected,
                        nearest=nearest(tag, [expected]),
                    ),
                )
        return root

    def _element(self, node: etree._Element, element: Element) -> Checked:
        values, lines = self._attributes(node, element)
        if element.name == "macro" and values["name"] is not None and "value" in lines:
            self._macros.define(values["name"], values["value"])
        children = self._children(node, element)
        return Checked(
            name=element.name,
            line=self._document.line(node),
            values=values,
            lines=lines,
            children=children,
            text=self._text(node, element),
            text_line=self._text_line(node),
        )

    def _children(self, node: etree._Element, element: Element) -> tuple[Checked, ...]:
        children: list[Checked] = []
        seen: set[str] = set()
        for child in node:
            tag = str(child.tag)
            line = self._document.line(child)
            if tag in element.children or tag in element.repeated:
                if tag in seen and tag not in element.repeated:
                    self._collector.refuse(
                        line, say("config.twice", element=tag, parent=element.name)
                    )
                children.append(self._element(child, self._grammar.elements[tag]))
            else:
                self._refuse_child(element, tag, line)
            seen.add(tag)
        if element.one_of and not seen.intersection(element.one_of):
            self._collector.refuse(
                self._document.line(node),
                say("config.empty", element=element.name, wanted=either(element.one_of)),
            )
        return tuple(children)

    def _refuse_child(self, element: Element, tag: str, line: int) -> None:
        if tag in self._grammar.later:
            sentence = say("config.later", element=tag, why=self._grammar.later[tag])
        elif tag in self._grammar.elements:
            parents = either(self._grammar.parents_of(tag))
            sentence = say("config.misplaced", element=tag, parent=element.name, parents=parents)
        else:
            known = (*element.children, *element.repeated)
            hint = nearest(tag, self._grammar.elements)
            facts = {"element": tag, "parent": element.name, "nearest": hint}
            sentence = say("config.leaf", **facts)
            if known:
                sentence = say("config.element", **facts, allowed=listed(known))
        self._collector.refuse(line, sentence)

    def _attributes(
        self, node: etree._Element, element: Element
    ) -> tuple[dict[str, Any], dict[str, int]]:
        values = element.defaults()
        lines: dict[str, int] = {}
        for key, raw in node.attrib.items():
            name = str(key)
            line = self._document.attribute_line(node, name)
            row = element.attribute(name)
            if row is None:
                self._refuse_attribute(element, name, line)
                continue
            lines[name] = line
            parsed = self._value(element, row, str(raw), line)
            if parsed is not None:
                values[name] = parsed
        for row in element.attributes:
            if row.required and row.name not in lines:
                self._collector.refuse(
                    self._document.line(node),
                    say(
                        "config.missing",
                        element=element.name,
                        name=row.name,
                        allowed=row.kind.allowed,
                    ),
                )
        return values, lines

    def _refuse_attribute(self, element: Element, name: str, line: int) -> None:
        reason = self._grammar.ignored.get(name)
        if reason is not None:
            self._collector.notice(
                line, say("config.ignored", element=element.name, name=name, why=reason)
            )
            return
        known = [row.name for row in element.attributes]
        hint = nearest(name, known)
        facts = {"element": element.name, "name": name, "nearest": hint}
        sentence = say("config.no_attributes", **facts)
        if known:
            sentence = say("config.attribute", **facts, allowed=listed(known))
        self._collector.refuse(line, sentence)

    def _value(self, element: Element, row: Attribute, raw: str, line: int) -> object:
        """Parse one written value; None when it was refused."""
        place = {"element": element.name, "name": row.name}
        if placeholder := PLACEHOLDER.search(raw):
            facts = {"placeholder": placeholder[0], "allowed": row.kind.allowed}
            self._collector.refuse(line, say("config.placeholder", **place, **facts))
            return None
        if raw.strip(CURLY_DOUBLE) != raw:
            self._collector.refuse(line, say("config.quote", **place, value=raw))
            return None
        try:
            text = self._macros.substitute(raw)
            value = row.kind.parse(text)
        except MacroRefused:
            return None
        except ValueError as error:
            facts = {"observed": said_of(error), "allowed": row.kind.allowed}
            self._collector.refuse(line, say("config.value", **place, **facts))
            return None
        for word, reason in row.later:
            is_default = row.default is not None and value == row.kind.parse(row.default)
            if word == text or (word == "*" and not is_default):
                self._collector.refuse(
                    line, say("config.later_value", **place, value=text, why=reason)
                )
                return None
        if row.no_effect:
            self._collector.notice(
                line,
                say("config.no_effect", **place, why=row.no_effect),
            )
        return value

    def _text_line(self, node: etree._Element) -> int:
        before = str(node.text or "")
        blank = before[: len(before) - len(before.lstrip())]
        return self._document.end_line(node) + blank.count("\n")

    def _text(self, node: etree._Element, element: Element) -> str:
        pieces = [node.text or "", *(child.tail or "" for child in node)]
        text = "".join(pieces).strip()
        if not element.text:
            if text:
                self._collector.refuse(
                    self._document.line(node),
                    say("config.text", element=element.name, text=text[:40]),
                )
            return ""
        try:
            return self._macros.substitute(text)
        except MacroRefused:
            return ""
        except ValueError as error:
            self._collector.refuse(
                self._document.line(node),
                say("config.in_text", element=element.name, observed=said_of(error)),
            )
            return ""

"""Applies a grammar to a parsed file: an element tree in, checked values out, all refusals noted.

Generic: it knows tables and no element. Every sentence names element, attribute, what was
observed, what is allowed, and the nearest known name.
"""

import re
from dataclasses import dataclass
from typing import Any

from lxml import etree

from mirror.config.collector import Collector, listed, nearest
from mirror.config.grammar import Attribute, Element, Grammar
from mirror.config.macros import MacroRefused, Macros
from mirror.config.xml_text import Document
from mirror.vocabulary.said import say

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
                self._collector.refuse(
                    self._document.line(top),
                    f"<{tag}> stands where <{self._grammar.root}> is expected"
                    f"{nearest(tag, [self._grammar.root])}",
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
            wanted = " or ".join(f"<{name}>" for name in element.one_of)
            self._collector.refuse(
                self._document.line(node), f"<{element.name}> holds no {wanted}; add one"
            )
        return tuple(children)

    def _refuse_child(self, element: Element, tag: str, line: int) -> None:
        if tag in self._grammar.later:
            sentence = f"<{tag}> is not in this version: {self._grammar.later[tag]}; remove it"
        elif tag in self._grammar.elements:
            parents = " or ".join(f"<{name}>" for name in self._grammar.parents_of(tag))
            sentence = say("config.misplaced", element=tag, parent=element.name, parents=parents)
        else:
            known = (*element.children, *element.repeated)
            hint = nearest(tag, self._grammar.elements)
            sentence = f"<{tag}> is not known in <{element.name}>{hint}; nothing is allowed in it"
            if known:
                facts = {"element": tag, "parent": element.name, "nearest": hint}
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
            self._collector.notice(line, f"<{element.name} {name}>: no effect here: {reason}")
            return
        known = [row.name for row in element.attributes]
        hint = nearest(name, known)
        sentence = f'<{element.name}>: attribute "{name}" is not known{hint}; it has no attributes'
        if known:
            facts = {"element": element.name, "name": name, "nearest": hint}
            sentence = say("config.attribute", **facts, allowed=listed(known))
        self._collector.refuse(line, sentence)

    def _value(self, element: Element, row: Attribute, raw: str, line: int) -> object:
        """Parse one written value; None when it was refused."""
        place = f'<{element.name}>: attribute "{row.name}"'
        if placeholder := PLACEHOLDER.search(raw):
            self._collector.refuse(
                line,
                f"{place} still holds the placeholder {placeholder[0]};"
                f" replace it by {row.kind.allowed}",
            )
            return None
        if raw.strip(CURLY_DOUBLE) != raw:
            self._collector.refuse(
                line, f"{place} begins or ends with a typographic quote: {raw}; remove it"
            )
            return None
        try:
            text = self._macros.substitute(raw)
            value = row.kind.parse(text)
        except MacroRefused:
            return None
        except ValueError as error:
            facts = {"element": element.name, "name": row.name, "allowed": row.kind.allowed}
            self._collector.refuse(line, say("config.value", **facts, observed=error))
            return None
        for word, reason in row.later:
            is_default = row.default is not None and value == row.kind.parse(row.default)
            if word == text or (word == "*" and not is_default):
                self._collector.refuse(line, f'{place}: "{text}" is not in this version: {reason}')
                return None
        if row.no_effect:
            self._collector.notice(
                line,
                say("config.no_effect", element=element.name, name=row.name, why=row.no_effect),
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
                    f'<{element.name}> holds the text "{text[:40]}"; only elements stand in it',
                )
            return ""
        try:
            return self._macros.substitute(text)
        except MacroRefused:
            return ""
        except ValueError as error:
            self._collector.refuse(self._document.line(node), f"<{element.name}>: {error}")
            return ""

"""How a configuration table is written: elements, their attributes, their children.

A table says everything about an attribute in one row: its name, its kind, its default as it would
be written, and, where this product does something else, what is not here. Nothing is parsed here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mirror.config.kinds import Kind
from mirror.vocabulary.said import Said

NOT_SAID = Said()


@dataclass(frozen=True, slots=True)
class Attribute:
    """One row. default: as written in a file; None when an absent attribute has no value.

    no_effect: why the attribute is accepted and changes nothing; reported once when written.
    later: written values that would change what happens and are refused for now, each with why;
    "*" stands for any value.
    """

    name: str
    kind: Kind
    default: str | None = None
    required: bool = False
    no_effect: Said = NOT_SAID
    later: tuple[tuple[str, Said], ...] = ()


@dataclass(frozen=True, slots=True)
class Element:
    """One element. children: names allowed inside, each at most once unless in `repeated`.

    one_of: at least one of these children must be there. text: whether text is meaningful.
    """

    name: str
    attributes: tuple[Attribute, ...] = ()
    children: tuple[str, ...] = ()
    repeated: tuple[str, ...] = ()
    one_of: tuple[str, ...] = ()
    text: bool = False

    def defaults(self) -> dict[str, Any]:
        """Values of an element in which nothing is written."""
        return {
            row.name: None if row.default is None else row.kind.parse(row.default)
            for row in self.attributes
        }

    def attribute(self, name: str) -> Attribute | None:
        """Row of an attribute, or None when it is unknown here."""
        return next((row for row in self.attributes if row.name == name), None)


@dataclass(frozen=True, slots=True)
class Grammar:
    """All elements of a kind of file. later: elements refused for now, each with why."""

    root: str
    elements: Mapping[str, Element]
    later: Mapping[str, Said]
    ignored: Mapping[str, Said]

    def parents_of(self, name: str) -> list[str]:
        """Names of the elements that may hold this one."""
        return [
            element.name
            for element in self.elements.values()
            if name in element.children or name in element.repeated
        ]


def grammar(
    root: str,
    elements: tuple[Element, ...],
    later: Mapping[str, Said] | None = None,
    ignored: Mapping[str, Said] | None = None,
) -> Grammar:
    """Build a grammar and check its tables: names once, children known, defaults of their kind."""
    by_name = {element.name: element for element in elements}
    assert len(by_name) == len(elements)
    built = Grammar(root, by_name, later or {}, ignored or {})
    for element in elements:
        names = [row.name for row in element.attributes]
        assert len(names) == len(set(names)), element.name
        for child in (*element.children, *element.repeated, *element.one_of):
            assert child in by_name, (element.name, child)
        for row in element.attributes:
            assert not (row.required and row.default is not None), (element.name, row.name)
            if row.default is not None:
                row.kind.parse(row.default)
    return built

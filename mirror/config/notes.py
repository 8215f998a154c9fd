"""What building a configuration writes down: refusals, notices, and where values stand."""

from dataclasses import dataclass, field

from mirror.config.collector import Collector
from mirror.config.reader import Checked
from mirror.vocabulary.said import say


@dataclass
class Notes:
    """One file being built. lines: `dir /srv/a` -> line, kept for checks that come later."""

    collector: Collector
    lines: dict[str, int] = field(default_factory=dict)

    def once(self, elements: tuple[Checked, ...], attribute: str) -> None:
        """Refuse a value that stands twice among sisters."""
        first_line: dict[str, int] = {}
        for element in elements:
            value = element.values[attribute]
            if value is None:
                continue
            if value in first_line:
                self.collector.refuse(
                    element.line_of(attribute),
                    say(
                        "config.again",
                        element=element.name,
                        name=attribute,
                        value=value,
                        line=first_line[value],
                    ),
                )
            first_line.setdefault(value, element.line_of(attribute))

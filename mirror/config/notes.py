"""What building a configuration writes down: refusals, notices, and where values stand."""

from dataclasses import dataclass, field

from mirror.config.collector import Collector
from mirror.config.reader import Checked


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
                    f'<{element.name}>: attribute "{attribute}": "{value}" stands already in line'
                    f" {first_line[value]}; once is allowed",
                )
            first_line.setdefault(value, element.line_of(attribute))

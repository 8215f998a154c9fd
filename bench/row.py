"""What every measure returns."""

from dataclasses import dataclass

Figures = dict[str, float]


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table. ratio: against `of`, where there is something to compare."""

    measure: str
    what: str
    figures: Figures
    ratio: float | None = None
    of: str = ""
    target: float | None = None

"""What is compared is measured in turns: whatever else this machine does meets all of it alike."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median

from bench.row import Figures


def in_turns(rounds: int, **ways: Callable[[], Figures]) -> dict[str, Figures]:
    """Run every way once a round; return each figure's median over the rounds."""
    seen: dict[str, list[Figures]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, measure in ways.items():
            seen[name].append(measure())
    return {
        name: {key: median(each[key] for each in figures) for key in figures[0]}
        for name, figures in seen.items()
    }


def on_each(
    at: dict[str, Path], rounds: int, measure: Callable[[Path], Figures]
) -> dict[str, Figures]:
    """Measure the same on every path, in turns."""
    return in_turns(rounds, **{name: partial(measure, path) for name, path in at.items()})

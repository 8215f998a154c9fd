"""Gathers all that is wrong in one file, so that an administrator corrects everything at once."""

import difflib
import functools
from collections.abc import Iterable
from dataclasses import dataclass

from mirror.errors import ConfigRefused, Refusal
from mirror.vocabulary.said import Said, say

LISTED_MAX = 12


@dataclass(frozen=True, slots=True)
class Notice:
    """Something accepted that the administrator should know, once. line: 0 when none fits."""

    file: str
    line: int
    sentence: Said

    def __str__(self) -> str:
        """Render as a refusal is rendered."""
        return str(Refusal(self.file, self.line, self.sentence))


class Collector:
    """Refusals and notices of one file, in the order found."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.refusals: list[Refusal] = []
        self.notices: list[Notice] = []

    def refuse(self, line: int, sentence: Said) -> None:
        """Note what is wrong; the same sentence at the same line is noted once."""
        refusal = Refusal(self.file, line, sentence)
        if refusal not in self.refusals:
            self.refusals.append(refusal)

    def notice(self, line: int, sentence: Said) -> None:
        """Note what is accepted without effect; the same sentence is said once in a file."""
        if all(notice.sentence != sentence for notice in self.notices):
            self.notices.append(Notice(self.file, line, sentence))

    def raise_if_refused(self) -> None:
        """Raise ConfigRefused (MIR-101) with everything found, or do nothing."""
        if self.refusals:
            raise ConfigRefused(self.refusals)


def nearest(name: str, known: Iterable[str]) -> Said:
    """Say `; did you mean "nbrei"?`, or nothing when no known name resembles this one."""
    by_lower = {candidate.lower(): candidate for candidate in known}
    # Two letters exchanged are the commonest slip, and difflib weighs it no higher than others.
    for candidate, original in by_lower.items():
        if sorted(candidate) == sorted(name.lower()):
            return say("config.nearest", name=original)
    found = difflib.get_close_matches(name.lower(), by_lower, n=1, cutoff=0.6)
    return say("config.nearest", name=by_lower[found[0]]) if found else Said()


def listed(names: Iterable[str]) -> Said:
    """List names for a sentence, cut short when they are many: `allowed: a, b, c`."""
    ordered = sorted(names)
    shown = ", ".join(ordered[:LISTED_MAX])
    more = len(ordered) - LISTED_MAX
    return say("config.more", shown=shown, count=more) if more > 0 else Said(shown)


def either(names: Iterable[str]) -> Said:
    """List elements of which one is meant: `<a> or <b>`."""
    tags = (Said(f"<{name}>") for name in names)
    return functools.reduce(lambda one, other: say("config.or", one=one, other=other), tags)

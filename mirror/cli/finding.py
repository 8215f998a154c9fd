"""What one check of `mirror doctor` found."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found; remedy is empty when all is well."""

    what: str
    level: Literal["ok", "warning", "problem"]
    observed: str
    remedy: str = ""


def fine(what: str, observed: str) -> Finding:
    """Build a finding that asks for nothing."""
    return Finding(what, "ok", observed)

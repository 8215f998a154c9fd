"""%NAME% in values: replaced by the macro of that name, else by the environment variable.

Macros win over variables, as in SafeKit. A macro may use those written before it.
"""

import re
from collections.abc import Mapping

from mirror.config.collector import nearest
from mirror.vocabulary.said import Misread, say

# One letter between two percent signs is a date format in practice (`date +%Y%m%d`), not a macro.
_USE = re.compile(r"%([A-Za-z_][A-Za-z0-9_]+)%", re.ASCII)


class MacroRefused(ValueError):
    """A macro is used whose own value was refused: that was said already, once."""


class Macros:
    """Names and values known so far in one file."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self._macros: dict[str, str | None] = {}

    @property
    def defined(self) -> Mapping[str, str]:
        """The macros of the file, without the environment."""
        return {name: value for name, value in self._macros.items() if value is not None}

    def define(self, name: str, value: str | None) -> None:
        """Add a macro; its value is already substituted, None when it was refused."""
        self._macros[name] = value

    def substitute(self, text: str) -> str:
        """Replace every use. Raises: MacroRefused; Misread with what is unknown."""
        return _USE.sub(self._value_of, text)

    def _value_of(self, use: re.Match[str]) -> str:
        name = use[1]
        if name in self._macros:
            value = self._macros[name]
            if value is None:
                raise MacroRefused(name)
            return value
        if name in self._environment:
            return self._environment[name]
        # Only macros are proposed: the names of the environment are not this file's business.
        raise Misread(say("config.macro", name=name, nearest=nearest(name, self._macros)))

"""The text of <failover>: one part a notation, and what comes of it with the default rules."""

import re
from dataclasses import dataclass

from mirror.core.rules.classic import parse_classic
from mirror.core.rules.defaults import WatchedResource, default_rules
from mirror.core.rules.language import Rule
from mirror.core.rules.lua import parse_lua
from mirror.errors import RuleRefused
from mirror.vocabulary.said import say

_LUA_BEGINS = re.compile(r"^[ \t]*--[ \t]*Lua Rules\b", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Parsed:
    """What was written. disabled: labels of default rules that do not count."""

    rules: tuple[Rule, ...]
    disabled: frozenset[str] = frozenset()


def parse_rules(text: str, *, first_line: int = 1) -> Parsed:
    """Read both notations. first_line: where the text begins in its file.

    Raises: RuleRefused (MIR-602), which names label, line and column.
    """
    lua = _LUA_BEGINS.search(text)
    end = lua.start() if lua else len(text)
    rules = parse_classic(text[:end], first_line=first_line)
    if lua is None:
        return Parsed(rules)
    lines_before = text[:end].count("\n")
    more, disabled = parse_lua(text[end:], first_line=first_line + lines_before)
    twice = {rule.label for rule in rules} & {rule.label for rule in more}
    if twice:
        raise RuleRefused(
            label=min(twice),
            line=first_line + lines_before,
            column=1,
            observed=say("rule.label_in_both"),
        )
    return Parsed((*rules, *more), disabled)


def all_rules(
    text: str, watched: tuple[WatchedResource, ...], *, extends: bool
) -> tuple[Rule, ...]:
    """Give the rules in force: the default ones (extends), replaced by those of the same label.

    Raises: RuleRefused (MIR-602).
    """
    written = parse_rules(text)
    rules = {rule.label: rule for rule in (default_rules(watched) if extends else ())}
    rules |= {rule.label: rule for rule in written.rules}
    return tuple(rule for label, rule in rules.items() if label not in written.disabled)

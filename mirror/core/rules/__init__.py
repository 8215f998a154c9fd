"""The failover rules of a module: their language, the default ones, and what they ask for. Pure.

A rule looks at resources (what checkers and scripts found) and names an action. The machine says
which action holds long enough to be applied, and what keeps a node in WAIT.
"""

from mirror.core.rules.classic import parse_classic
from mirror.core.rules.defaults import WatchedResource, default_rules
from mirror.core.rules.language import Rule, RuleAction, RuleFacts, RuleRefused
from mirror.core.rules.machine import Asked, Hold, Judging, RuleSettings
from mirror.core.rules.text import Parsed, all_rules, parse_rules

__all__ = [
    "Asked",
    "Hold",
    "Judging",
    "Parsed",
    "Rule",
    "RuleAction",
    "RuleFacts",
    "RuleRefused",
    "RuleSettings",
    "WatchedResource",
    "all_rules",
    "default_rules",
    "parse_classic",
    "parse_rules",
]

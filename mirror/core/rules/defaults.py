"""The rules that a module has without writing any: one for each checker (reference 2.6)."""

from dataclasses import dataclass

from mirror.core.rules.language import ANY, Is, Rule, RuleAction

# A class whose rule has a fixed name speaks of all its resources at once.
FIXED = {
    "intf": ("interface_failure", RuleAction.WAIT),
    "ip": ("ip_failure", RuleAction.STOPSTART),
    "module": ("module_failure", RuleAction.WAIT),
}
# splitbrain_failure is no rule here: the election asks the witness itself (core/election.py, E06).
PREFIX = {"tcp": "t_", "ping": "p_", "custom": "c_"}


@dataclass(frozen=True, slots=True)
class WatchedResource:
    """One checker: the resource it sets, when it runs, what its failure asks for.

    when: pre, prim, second or both. action: an action of the rules, or noaction.
    """

    resource: str
    when: str
    action: str


def default_rules(watched: tuple[WatchedResource, ...]) -> tuple[Rule, ...]:
    """Give the generated rules, one a checker or one a class, in the order of the checkers."""
    rules: dict[str, Rule] = {}
    for one in watched:
        resource_class, _, ident = one.resource.partition(".")
        if resource_class in FIXED:
            label, action = FIXED[resource_class]
            rules[label] = Rule(label, _down(resource_class, ANY), action)
        elif resource_class in PREFIX and one.action != "noaction":
            label = PREFIX[resource_class] + ident
            rules[label] = Rule(label, _down(resource_class, ident), RuleAction(one.action))
    return tuple(rules.values())


def _down(resource_class: str, ident: str) -> Is:
    return Is(remote=False, resource_class=resource_class, ident=ident, state="down", equal=True)

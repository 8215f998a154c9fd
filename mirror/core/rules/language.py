"""What a failover rule says, and whether it holds: values and one evaluation.

A state is init, up, down or unknown; a resource that nobody ever set is unknown. `x.?` asks
whether one of a class is so, `x.*` whether all are, and there is at least one.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from mirror.errors import RuleRefused

__all__ = [
    "And",
    "Cluster",
    "Expression",
    "Is",
    "Not",
    "Or",
    "Rule",
    "RuleAction",
    "RuleFacts",
    "RuleRefused",
    "holds",
    "terms",
]

STATES = ("init", "up", "down", "unknown")
CLASSES = (
    *("ping", "intf", "ip", "tcp", "custom", "module"),
    *("heartbeat", "rfs", "splitbrain", "proc"),
)
ANY, EVERY = "?", "*"


class RuleAction(StrEnum):
    """What a rule asks for; where two differ, the first in this order is meant."""

    STOP = "stop"
    WAIT = "wait"
    STOPSTART = "stopstart"
    SWAP = "swap"
    RESTART = "restart"


@dataclass(frozen=True, slots=True)
class Is:
    """One resource, or one or all of a class, is (equal) or is not in a state."""

    remote: bool
    resource_class: str
    ident: str
    state: str
    equal: bool


@dataclass(frozen=True, slots=True)
class Cluster:
    """`cluster() == down`: the other node is not heard."""

    state: str
    equal: bool


@dataclass(frozen=True, slots=True)
class Not:
    """It does not hold."""

    term: "Expression"


@dataclass(frozen=True, slots=True)
class And:
    """All hold."""

    terms: tuple["Expression", ...]


@dataclass(frozen=True, slots=True)
class Or:
    """One holds."""

    terms: tuple["Expression", ...]


Expression = Is | Cluster | Not | And | Or


@dataclass(frozen=True, slots=True)
class Rule:
    """`label: if (when) then action();`."""

    label: str
    when: Expression
    action: RuleAction


@dataclass(frozen=True, slots=True)
class RuleFacts:
    """The resources of both nodes, name to state; remote is empty while the peer is not heard."""

    local: Mapping[str, str]
    remote: Mapping[str, str]
    cluster: str = "unknown"


def holds(expression: Expression, facts: RuleFacts) -> bool:
    """Tell whether the expression is true of these facts.

    A checker that has not spoken says neither that its resource is up nor that it is not: a
    comparison of `init` with another state is open, so is its denial, and open is not true.
    """
    return _truth(expression, facts) is True


def _truth(expression: Expression, facts: RuleFacts) -> bool | None:
    match expression:
        case Is():
            return _is(expression, facts)
        case Cluster(state, equal):
            return (facts.cluster == state) is equal
        case Not(term):
            inner = _truth(term, facts)
            return None if inner is None else not inner
        case And(parts):
            return _all([_truth(part, facts) for part in parts])
        case Or(parts):
            return _any([_truth(part, facts) for part in parts])


def _is(asked: Is, facts: RuleFacts) -> bool | None:
    values = facts_of(asked, facts).values()
    found = [
        None if value == "init" != asked.state else (value == asked.state) is asked.equal
        for value in values
    ]
    if asked.ident == ANY:
        return _any(found)
    return _all(found) if found else False


def _all(found: list[bool | None]) -> bool | None:
    return False if False in found else None if None in found else True


def _any(found: list[bool | None]) -> bool | None:
    return True if True in found else None if None in found else False


def facts_of(asked: Is, facts: RuleFacts) -> dict[str, str]:
    """Give the resources that a term speaks of, with their states."""
    known = facts.remote if asked.remote else facts.local
    prefix = f"{asked.resource_class}."
    if asked.ident in {ANY, EVERY}:
        return {name: value for name, value in known.items() if name.startswith(prefix)}
    name = prefix + asked.ident
    return {name: known.get(name, "unknown")}


def terms(expression: Expression) -> Iterator[Is]:
    """Give every term about a resource."""
    match expression:
        case Is():
            yield expression
        case Not(term):
            yield from terms(term)
        case And(parts) | Or(parts):
            for part in parts:
                yield from terms(part)
        case Cluster():
            return

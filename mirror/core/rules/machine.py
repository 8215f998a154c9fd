"""The failover machine: which action the rules ask for, and for how long they have asked.

An action is applied when every evaluation of `handle_time` asked for it. What a wait rule looks at
keeps a node in WAIT, at once: while the rule holds, and until its checkers have first spoken.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from mirror.core.rules.language import Rule, RuleAction, RuleFacts, facts_of, holds, terms
from mirror.vocabulary.said import say

PRECEDENCE = {action: number for number, action in enumerate(RuleAction)}


@dataclass(frozen=True, slots=True)
class RuleSettings:
    """<failover>: the rules in force, how often they are evaluated, how long an action holds.

    pre: resources of checkers that run before the module serves; only these are waited for.
    remote: resources of the other node that a rule looks at: `tcp.web`, or `tcp.` for a class.
    """

    rules: tuple[Rule, ...] = ()
    period_ms: int = 5_000
    handle_time_ms: int = 15_000
    pre: frozenset[str] = frozenset()
    remote: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        """Every word that is said asks for `remote`: it is found once."""
        remote = frozenset(
            f"{term.resource_class}.{'' if term.ident in {'?', '*'} else term.ident}"
            for rule in self.rules
            for term in terms(rule.when)
            if term.remote
        )
        object.__setattr__(self, "remote", remote)


@dataclass(frozen=True, slots=True)
class Asked:
    """A rule asks for an action."""

    label: str
    action: RuleAction


@dataclass(frozen=True, slots=True)
class Hold:
    """Why a node stays in WAIT. initial: a checker, `resource`, has not spoken yet.

    named: else, each resource that makes the rule hold, with its state.
    """

    label: str
    initial: bool
    resource: str = ""
    named: tuple[str, ...] = ()

    @property
    def reason(self) -> str:
        """A sentence for people."""
        if self.initial:
            return say("wait.first_answer", resource=self.resource, rule=self.label)
        return say("wait.rule", rule=self.label, resources=list(self.named))


@dataclass(slots=True)
class Judging:
    """What the machine remembers between two evaluations. Times are the engine's."""

    next_ms: int = 0
    asked: Asked | None = None
    since_ms: int = 0


def strongest(rules: tuple[Rule, ...], facts: RuleFacts) -> Asked | None:
    """Give the first action in order of weight that a rule asks for now."""
    found = [Asked(rule.label, rule.action) for rule in rules if holds(rule.when, facts)]
    return min(found, key=lambda asked: PRECEDENCE[asked.action], default=None)


def judge(
    memory: Judging, settings: RuleSettings, facts: Callable[[int], RuleFacts], now_ms: int
) -> Asked | None:
    """Evaluate when it is time; give the action to be applied now, and forget it.

    facts: asked for when it is time, which it is at few of the events.
    """
    if now_ms < memory.next_ms:
        return None
    memory.next_ms = now_ms + settings.period_ms
    asked = strongest(settings.rules, facts(now_ms))
    if asked is None or memory.asked is None or asked.action is not memory.asked.action:
        memory.asked, memory.since_ms = asked, now_ms
    if memory.asked is None or now_ms - memory.since_ms < settings.handle_time_ms:
        return None
    due, memory.asked = memory.asked, None
    return due


def forget(memory: Judging) -> None:
    """Begin anew: a node in movement is not judged."""
    memory.asked, memory.next_ms = None, 0


def hold(settings: RuleSettings, facts: RuleFacts) -> Hold | None:
    """Say what keeps this node in WAIT, None when nothing does."""
    waiting = [rule for rule in settings.rules if rule.action is RuleAction.WAIT]
    for rule in waiting:
        if holds(rule.when, facts):
            named = tuple(_named(rule, facts)) or (say("rule.other_node"),)
            return Hold(rule.label, initial=False, named=named)
    for rule in waiting:
        for term in terms(rule.when):
            for name, value in ({} if term.remote else facts_of(term, facts)).items():
                if value == "init" and name in settings.pre:
                    return Hold(rule.label, initial=True, resource=name)
    return None


def _named(rule: Rule, facts: RuleFacts) -> list[str]:
    """Name the resources that make the rule hold, with their states."""
    found: dict[str, None] = {}
    for term in terms(rule.when):
        for name, value in facts_of(term, facts).items():
            if (value == term.state) is term.equal:
                shown = f"{'remote.' if term.remote else ''}{name}"
                found[say("rule.is", name=shown, value=value)] = None
    return list(found)

"""The first notation: `label: if (tcp.web == down && !(ping.? == up)) then stopstart();`.

A recursive descent over tokens that know where they stand, so that a refusal names label, line
and column. `||` binds weaker than `&&`, `!` strongest.
"""

import re
from dataclasses import dataclass

from mirror.core.rules.language import (
    CLASSES,
    STATES,
    And,
    Cluster,
    Expression,
    Is,
    Not,
    Or,
    Rule,
    RuleAction,
)
from mirror.errors import RuleRefused
from mirror.vocabulary.said import Said, say

_TOKEN = re.compile(r"\s*(&&|\|\||==|!=|[!();]|[^\s=!&|();]+|\S)")
_LABEL = re.compile(r"[A-Za-z_][\w.-]*")
NESTING_MAX = 100
COMPARISON = say("config.or", one='"=="', other='"!="')


@dataclass(frozen=True, slots=True)
class _Token:
    text: str
    at: int


def parse_classic(text: str, *, first_line: int = 1) -> tuple[Rule, ...]:
    """Read rules. first_line: where the text begins in its file.

    Raises: RuleRefused (MIR-602).
    """
    return _Parser(text, first_line).rules()


class _Parser:
    def __init__(self, text: str, first_line: int) -> None:
        self._text = text
        self._first_line = first_line
        self._label = ""
        self._depth = 0
        self._tokens = [_Token(one.group(1), one.start(1)) for one in _TOKEN.finditer(text)]
        self._next = 0

    def rules(self) -> tuple[Rule, ...]:
        found: list[Rule] = []
        while self._peek() is not None:
            found.append(self._rule({rule.label for rule in found}))
        return tuple(found)

    # --- tokens ---

    def _peek(self) -> str | None:
        return self._tokens[self._next].text if self._next < len(self._tokens) else None

    def _take(self, wanted: str) -> str:
        """Take the next token, whatever it is. wanted: what a refusal calls it."""
        if self._next >= len(self._tokens):
            raise self._refused(say("rule.ends", wanted=wanted))
        self._next += 1
        return self._tokens[self._next - 1].text

    def _expect(self, text: str) -> None:
        found = self._take(f'"{text}"')
        if found != text:
            raise self._refused(say("rule.expected", found=found, wanted=f'"{text}"'), back=1)

    def _refused(self, observed: Said, back: int = 0) -> RuleRefused:
        """back: how many tokens ago the wrong one stands."""
        number = self._next - back
        at = self._tokens[number].at if number < len(self._tokens) else len(self._text.rstrip())
        before = self._text[:at]
        return RuleRefused(
            label=self._label or say("rule.no_label"),
            line=self._first_line + before.count("\n"),
            column=at - (before.rfind("\n") + 1) + 1,
            observed=observed,
        )

    # --- grammar ---

    def _rule(self, labels: set[str]) -> Rule:
        self._label = ""
        label = self._take(say("rule.a_label"))
        glued = label.endswith(":") and len(label) > 1
        label = label.removesuffix(":")
        if not _LABEL.fullmatch(label):
            raise self._refused(say("rule.is_no_label", text=label), back=1)
        self._label = label
        if not glued:
            self._expect(":")
        if label in labels:
            raise self._refused(say("rule.label_twice"), back=1)
        self._expect("if")
        self._expect("(")
        when = self._or()
        self._expect(")")
        self._expect("then")
        action = self._action()
        self._expect(";")
        return Rule(label, when, action)

    def _action(self) -> RuleAction:
        name = self._take(say("rule.an_action"))
        if name not in set(RuleAction):
            allowed = [f"{one}()" for one in RuleAction]
            raise self._refused(say("rule.is_no_action", text=name, allowed=allowed), back=1)
        self._expect("(")
        self._expect(")")
        return RuleAction(name)

    def _or(self) -> Expression:
        found = [self._and()]
        while self._peek() == "||":
            self._take("||")
            found.append(self._and())
        return found[0] if len(found) == 1 else Or(tuple(found))

    def _and(self) -> Expression:
        found = [self._term()]
        while self._peek() == "&&":
            self._take("&&")
            found.append(self._term())
        return found[0] if len(found) == 1 else And(tuple(found))

    def _term(self) -> Expression:
        self._depth += 1
        if self._depth > NESTING_MAX:
            raise self._refused(say("rule.deep"))
        try:
            return self._term_of(self._take(say("rule.a_resource")))
        finally:
            self._depth -= 1

    def _term_of(self, first: str) -> Expression:
        if first == "!":
            return Not(self._term())
        if first == "(":
            inner = self._or()
            self._expect(")")
            return inner
        if first == "cluster":
            self._expect("(")
            self._expect(")")
            equal, state = self._comparison()
            return Cluster(state, equal)
        remote, resource_class, ident = self._resource(first)
        equal, state = self._comparison()
        return Is(remote, resource_class, ident, state, equal)

    def _resource(self, name: str) -> tuple[bool, str, str]:
        found = split_resource(name)
        if isinstance(found, Said):
            raise self._refused(found, back=1)
        return found

    def _comparison(self) -> tuple[bool, str]:
        operator = self._take('"=="')
        if operator not in {"==", "!="}:
            raise self._refused(say("rule.expected", found=operator, wanted=COMPARISON), back=1)
        state = self._take(say("rule.a_state"))
        if state not in STATES:
            allowed = list(STATES)
            raise self._refused(say("rule.is_no_state", text=state, allowed=allowed), back=1)
        return operator == "==", state


def split_resource(name: str) -> tuple[bool, str, str] | Said:
    """Give (remote, class, ident) of `[local.|remote.]class.id`, or the sentence why not."""
    remote = name.startswith("remote.")
    plain = name.removeprefix("remote." if remote else "local.")
    resource_class, _, ident = plain.partition(".")
    if not ident:
        return say("rule.is_no_resource", text=name)
    if resource_class not in CLASSES:
        return say("rule.is_no_class", text=resource_class, known=list(CLASSES))
    return remote, resource_class, ident

"""The second notation, as SafeKit writes it since 7.5: a fixed form of Lua, never executed.

    --Lua Rules
    Rules = Rules + { t_web=if_then("tcp.web","down",Action.restart),_group="checker" }
    Rules.disable("interface_failure")

Only these two statements and comments are read; anything else is refused with its place.
"""

import re

from mirror.core.rules.classic import split_resource
from mirror.core.rules.language import STATES, Is, Rule, RuleAction
from mirror.errors import RuleRefused
from mirror.vocabulary.said import Said, say

_BLANK = re.compile(r"(?:\s|--[^\n]*)*")
_DISABLE = re.compile(r"Rules\s*\.\s*disable\s*\(\s*([\"'])([^\"'\n]*)\1\s*\)\s*;?")
_ADD = re.compile(r"Rules\s*=\s*Rules\s*\+\s*\{")
_GROUP = re.compile(r"_\w+\s*=\s*([\"'])[^\"'\n]*\1")
_ENTRY = re.compile(
    r"(?:(?P<label>[A-Za-z_]\w*)|\[\s*([\"'])(?P<quoted>[^\"'\n]+)\2\s*\])\s*=\s*if_then\s*\("
)
_ARGUMENTS = re.compile(
    r"\s*([\"'])(?P<resource>[^\"'\n]*)\1\s*,\s*([\"'])(?P<state>[^\"'\n]*)\3\s*,"
    r"\s*Action\s*\.\s*(?P<action>\w+)\s*\)"
)
_SEPARATOR = re.compile(r"[,;]")
_END = re.compile(r"\}\s*;?")


def parse_lua(text: str, *, first_line: int = 1) -> tuple[tuple[Rule, ...], frozenset[str]]:
    """Read rules and the labels that are disabled. Raises: RuleRefused (MIR-602)."""
    return _Reader(text, first_line).read()


class _Reader:
    def __init__(self, text: str, first_line: int) -> None:
        self._text = text
        self._first_line = first_line
        self._at = 0
        self._label = ""

    def read(self) -> tuple[tuple[Rule, ...], frozenset[str]]:
        rules: list[Rule] = []
        disabled: set[str] = set()
        self._blank()
        while self._at < len(self._text):
            self._label = ""
            if (found := self._take(_DISABLE)) is not None:
                disabled.add(found.group(2))
            elif self._take(_ADD) is not None:
                rules += self._entries({rule.label for rule in rules})
            else:
                raise self._refused(
                    say(
                        "rule.neither", one="`Rules = Rules + {...}`", other="`Rules.disable(...)`"
                    )
                )
            self._blank()
        return tuple(rules), frozenset(disabled)

    def _entries(self, labels: set[str]) -> list[Rule]:
        found: list[Rule] = []
        while True:
            self._blank()
            if self._take(_END) is not None:
                return found
            if self._take(_GROUP) is None:
                found.append(self._entry(labels | {rule.label for rule in found}))
            self._blank()
            if self._take(_SEPARATOR) is None and not _END.match(self._text, self._at):
                raise self._refused(
                    say("rule.wants", wanted=say("config.or", one='","', other='"}"'))
                )

    def _entry(self, labels: set[str]) -> Rule:
        entry = self._take(_ENTRY)
        if entry is None:
            raise self._refused(say("rule.wants", wanted="`label=if_then(...)`"))
        self._label = entry.group("label") or entry.group("quoted")
        if self._label in labels:
            raise self._refused(say("rule.label_twice"))
        given = self._take(_ARGUMENTS)
        if given is None:
            raise self._refused(say("rule.wants", wanted='`"class.id", "state", Action.name)`'))
        resource = split_resource(given.group("resource"))
        if isinstance(resource, Said):
            raise self._refused(resource, given.start("resource"))
        if given.group("state") not in STATES:
            text = say("rule.is_no_state", text=given.group("state"), allowed=list(STATES))
            raise self._refused(text, given.start("state"))
        if given.group("action") not in set(RuleAction):
            allowed = [str(one) for one in RuleAction]
            text = say("rule.is_no_action", text=given.group("action"), allowed=allowed)
            raise self._refused(text, given.start("action"))
        when = Is(*resource, given.group("state"), equal=True)
        return Rule(self._label, when, RuleAction(given.group("action")))

    def _blank(self) -> None:
        self._take(_BLANK)

    def _take(self, form: "re.Pattern[str]") -> "re.Match[str] | None":
        found = form.match(self._text, self._at)
        if found is not None:
            self._at = found.end()
        return found

    def _refused(self, observed: Said, at: int | None = None) -> RuleRefused:
        at = self._at if at is None else at
        before = self._text[:at]
        return RuleRefused(
            label=self._label or say("rule.no_label"),
            line=self._first_line + before.count("\n"),
            column=at - (before.rfind("\n") + 1) + 1,
            observed=observed,
        )

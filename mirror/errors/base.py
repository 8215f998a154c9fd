"""What every error has: its sentence, its code, its exit code."""

import string
from collections.abc import Iterator
from typing import ClassVar

# Exit codes of every command. `state -lq` is the one exception: it has SafeKit's (0 STOP, 1 WAIT,
# 2 ALONE or UP, 3 PRIM, 4 SECOND), because scripts in the field compare with those numbers.
EXIT_OK = 0
EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_NOT_REACHABLE = 3
EXIT_TIMED_OUT = 4
EXIT_CONFIG_REFUSED = 5

EXIT_CODES: dict[int, str] = {
    EXIT_OK: "done",
    EXIT_FAILED: "failed, or refused by the node",
    EXIT_USAGE: "the command line was not understood",
    EXIT_NOT_REACHABLE: "the node does not answer: is `mirror node` running?",
    EXIT_TIMED_OUT: "waited for as long as was asked, in vain",
    EXIT_CONFIG_REFUSED: "the configuration was refused; nothing was changed",
}


class MirrorError(Exception):
    """Base of all: a subclass gives `code`, `sentence` (a str.format template), maybe `exit_code`.

    facts: exactly the names used in the template, checked at once so that a wrong call fails in
    its first test and not while an administrator waits for an explanation. Never a secret.
    """

    code: str = ""
    exit_code: int = EXIT_FAILED
    sentence: ClassVar[str] = ""

    def __init__(self, **facts: object) -> None:
        expected = fact_names(type(self))
        assert set(facts) == expected, f"{type(self).__name__}: {set(facts)} is not {expected}"
        self.facts = facts
        super().__init__(f"{self.sentence.format(**facts)} ({self.code})")


def fact_names(error: type[MirrorError]) -> frozenset[str]:
    """Names of the facts that the sentence of this class needs."""
    parts = string.Formatter().parse(error.sentence)
    return frozenset(name for _, name, _, _ in parts if name)


def every_error() -> Iterator[type[MirrorError]]:
    """All classes with a code that are imported, parents before children."""
    pending: list[type[MirrorError]] = [MirrorError]
    while pending:
        error = pending.pop(0)
        pending.extend(error.__subclasses__())
        if error.code:
            yield error

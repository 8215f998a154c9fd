"""The other end of a performer: tells it an operation, hears what came of it."""

import contextlib
import json
import select
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import IO, Protocol, Self

from tests.workload.operations import Operation, Outcome

ANSWER_S_MAX = 60.0


class HandLost(Exception):
    """The performer has gone, or does not answer: the operation may have happened or not."""


class Hand(Protocol):
    """Performs operations somewhere."""

    def perform(self, operation: Operation) -> Outcome:
        """Do it. Raises: HandLost."""

    def close(self) -> None:
        """Its open files are closed."""


class LineHand:
    """Lines through two streams."""

    def __init__(self, operations: IO[str], outcomes: IO[str], answer_s_max: float) -> None:
        self._operations = operations
        self._outcomes = outcomes
        self._answer_s_max = answer_s_max

    def perform(self, operation: Operation) -> Outcome:
        """Do it. Raises: HandLost."""
        try:
            self._operations.write(json.dumps(operation) + "\n")
            self._operations.flush()
            if not select.select([self._outcomes], [], [], self._answer_s_max)[0]:
                raise HandLost(f"no answer to {operation} within {self._answer_s_max} s")
            line = self._outcomes.readline()
        except (OSError, ValueError) as error:  # ValueError: it was closed meanwhile
            raise HandLost(str(error)) from error
        if not line.endswith("\n"):
            raise HandLost("the performer has ended")
        outcome: Outcome = json.loads(line)
        return outcome


class ProcessHand(LineHand):
    """A performer of this machine, as a child process."""

    def __init__(self, directory: Path, *, answer_s_max: float = ANSWER_S_MAX) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.workload.performer", str(directory)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[2],
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        super().__init__(self._process.stdin, self._process.stdout, answer_s_max)

    def close(self) -> None:
        """End it; it closes its files. Killed if it hangs."""
        with contextlib.suppress(BrokenPipeError):
            self._operations.close()
        try:
            self._process.wait(60)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(60)
        self._outcomes.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self.close()

"""Questions of the source to the target on the lane CONTROL, answered in order."""

from __future__ import annotations

import errno
import os
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from mirror.adapters.native import Connection
from mirror.errors import ProtocolRefused, ReintegrationStopped
from mirror.vocabulary.said import say
from mirror.vocabulary.said_system import system_said
from mirror.wire import codec
from mirror.wire.codec import Decoded
from mirror.wire.fields import BY_NAME


@dataclass(slots=True)
class Question:
    """One that was asked. answer: None until it has come."""

    name: str
    answer: Decoded | None = None


class Rpc:
    """Asks and waits; or asks, and waits later. Any thread.

    There is no time limit, but in a turn: a scan of a large tree takes minutes, and whoever sees
    that the peer is gone shuts the connection down.
    """

    def __init__(self, control: Connection) -> None:
        self._control = control
        self._lock = threading.RLock()  # questions and answers have one order
        self._open: deque[Question] = deque()  # asked and not answered yet
        self._ended = False
        self._in_turn = False  # guarded by the lock

    def end(self) -> None:
        """Ask no more. The connection was shut down, so a question under way returns first."""
        with self._lock:
            self._ended = True

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Nobody else asks meanwhile: the answer comes within the time a change may wait.

        Taken before a conflict lock under which something is asked, so that an application that
        waits for that lock waits neither for another's question nor for a target that hangs.
        """
        with self._lock:
            self._in_turn = True
            try:
                yield
            finally:
                self._in_turn = False

    def ask(self, name: str, /, *, allowed_errno: int = 0, **fields: Any) -> Decoded:
        """Send a message, return its answer; its error is 0, or the one that is allowed.

        Raises: OSError (the connection), ReintegrationStopped (MIR-505) with the target's errno,
        ProtocolRefused (MIR-310) when the answer is none.
        """
        answer = self.ask_anyway(name, **fields)
        return _without_error(name, answer, allowed_errno)

    def begin(self, name: str, /, **fields: Any) -> Question:
        """Send a message and do not wait: the target works meanwhile. Few may be open at a time.

        Raises: OSError (the connection).
        """
        with self._lock:
            return self._send(name, fields)

    def wait(self, question: Question) -> Decoded:
        """Return the answer to what was begun. Raises: as `ask`."""
        with self._lock:
            return _without_error(question.name, self._receive(question), 0)

    def ask_anyway(self, name: str, /, **fields: Any) -> Decoded:
        """Send a message, return its answer, whatever error it holds.

        Raises: OSError (the connection), ProtocolRefused (MIR-310).
        """
        with self._lock:
            return self._receive(self._send(name, fields))

    def _send(self, name: str, fields: dict[str, Any]) -> Question:
        if self._ended:
            raise OSError(errno.ESHUTDOWN, "the session has ended")
        self._control.send(codec.code_of(name), codec.encode(name, **fields))
        question = Question(name)
        self._open.append(question)
        return question

    def _receive(self, question: Question) -> Decoded:
        while question.answer is None:
            if self._ended:
                raise OSError(errno.ESHUTDOWN, "the session has ended")
            code, payload = self._control.receive(idle=not self._in_turn)
            answer = codec.decode(code, payload)
            first = self._open.popleft()
            if answer.name != BY_NAME[first.name].answer:
                observed = f"{answer.name} answers {first.name}"
                raise ProtocolRefused(what="answer", observed=observed)
            first.answer = answer
        return question.answer


def _without_error(name: str, answer: Decoded, allowed_errno: int) -> Decoded:
    error = answer.fields.get("error", 0)
    if error not in (0, allowed_errno):
        raise ReintegrationStopped(
            step=name,
            observed=say("plane.target", observed=system_said(OSError(error, os.strerror(error)))),
        )
    return answer

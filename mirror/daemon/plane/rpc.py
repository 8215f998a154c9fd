"""Questions of the source to the target on the lane CONTROL, one at a time."""

from __future__ import annotations

import os
import threading
from typing import Any

from mirror.adapters.native import Connection
from mirror.errors import ProtocolRefused, ReintegrationStopped
from mirror.wire import codec
from mirror.wire.codec import Decoded
from mirror.wire.fields import BY_NAME


class Rpc:
    """Asks and waits. Any thread.

    There is no time limit: a scan of a large tree takes minutes, and whoever sees that the peer
    is gone shuts the connection down.
    """

    def __init__(self, control: Connection) -> None:
        self._control = control
        self._lock = threading.Lock()  # a question and its answer belong together

    def ask(self, name: str, /, *, allowed_errno: int = 0, **fields: Any) -> Decoded:
        """Send a message, return its answer; its error is 0, or the one that is allowed.

        Raises: OSError (the connection), ReintegrationStopped (MIR-505) with the target's errno,
        ProtocolRefused (MIR-310) when the answer is none.
        """
        with self._lock:
            self._control.send(codec.code_of(name), codec.encode(name, **fields))
            code, payload = self._control.receive(idle=True)
        answer = codec.decode(code, payload)
        if answer.name != BY_NAME[name].answer:
            raise ProtocolRefused(what="answer", observed=f"{answer.name} answers {name}")
        error = answer.fields.get("error", 0)
        if error not in (0, allowed_errno):
            raise ReintegrationStopped(step=name, observed=f"the target: {os.strerror(error)}")
        return answer

"""Runs `mirror ...` for the console: the same checks, the same sentences, the same result.

A process with a time limit, because what it looks at (a replicated directory, a script of the
module) may not answer. Arguments never hold a secret: everybody on the host can read them.
"""

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from mirror.errors import (
    EXIT_FAILED,
    EXIT_USAGE,
    ConfigRefused,
    InputRefused,
    LocalCallFailed,
    MirrorError,
    NoAnswerInTime,
    Refusal,
)
from mirror.vocabulary.said import from_parts, say

AT_ONCE_MAX = 4
OUTPUT_BYTES_MAX = 16 * 1024 * 1024
SHORT_S = 30.0
# Scripts of the module (config, postconfig) have five minutes each.
LONG_S = 660.0


class CommandLine:
    """Starts programs, a few at once. Used by one event loop."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = {**environment, "PYTHONUNBUFFERED": "1"}
        # SAFEMODULE would stand in for a module that was not named.
        self._environment.pop("SAFEMODULE", None)
        self._places = asyncio.Semaphore(AT_ONCE_MAX)

    async def mirror(
        self, *arguments: str, timeout_s: float = SHORT_S, allowed_codes: tuple[int, ...] = ()
    ) -> dict[str, Any]:
        """Run `mirror --json ARGUMENTS`; return what it answered.

        allowed_codes: exit codes beside 0 that are answers too, when there is no error in them.
        Raises: ConfigRefused with every refusal, LocalCallFailed with the words of the command,
        NoAnswerInTime (MIR-817).
        """
        command = [sys.executable, "-m", "mirror.cli", "--json", *arguments]
        what = "mirror " + " ".join(arguments[:2])
        code, output, said = await self.run(command, what=what, timeout_s=timeout_s)
        try:
            # A command that did only a part says that part first, then its error.
            answer, _ = json.JSONDecoder().raw_decode((output or b"{}").decode().lstrip())
        except ValueError:
            answer = {}
        is_answer = isinstance(answer, dict) and "error" not in answer
        if is_answer and (code == 0 or (code in allowed_codes and answer)):
            return dict(answer)
        raise failure(what, code, answer, said)

    async def program(
        self, module: str, *arguments: str, what: str, timeout_s: float
    ) -> dict[str, Any]:
        """Run `python -m MODULE ARGUMENTS`, which prints JSON. Raises: as `mirror`."""
        command = [sys.executable, "-m", module, *arguments]
        code, output, said = await self.run(command, what=what, timeout_s=timeout_s)
        if code != 0:
            raise failure(what, code, {}, said)
        answer: dict[str, Any] = json.loads(output)
        return answer

    async def run(
        self, command: Sequence[str], *, what: str, timeout_s: float
    ) -> tuple[int, bytes, bytes]:
        """Run one program: exit code, output, error output. Raises: NoAnswerInTime (MIR-817)."""
        async with self._places:
            process = await self.start(command)
            try:
                async with asyncio.timeout(timeout_s):
                    output, said = await process.communicate()
            except TimeoutError as error:
                raise NoAnswerInTime(
                    what=what,
                    waited_s=f"{timeout_s:g}",
                    remedy=say("do.doctor"),
                ) from error
            finally:
                end(process)
        assert process.returncode is not None
        return process.returncode, output, said

    async def start(self, command: Sequence[str]) -> asyncio.subprocess.Process:
        """Start one program in a group of its own; the caller ends it with `end`."""
        return await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=self._environment,
            cwd="/",
            limit=OUTPUT_BYTES_MAX,
            start_new_session=True,
        )


def end(process: asyncio.subprocess.Process) -> None:
    """Kill a program and all it started, if it still runs; a hung one is left to the kernel."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def failure(what: str, code: int, answer: object, said: bytes) -> MirrorError:
    """Build the error of a command that ended with a code other than 0."""
    error = answer.get("error") if isinstance(answer, dict) else None
    if not isinstance(error, dict):
        lines = said.decode("utf-8", "replace").strip().splitlines() or [f"exit code {code}"]
        if code == EXIT_USAGE:
            return InputRefused(what=what, observed=lines[-1], remedy=say("do.correct"))
        sentence = f"command failed: {what}: {lines[-1]}; see the node's log (MIR-303)"
        return LocalCallFailed(
            remote_code="MIR-303", remote_sentence=sentence, remote_exit_code=EXIT_FAILED
        )
    refusals = [
        Refusal(
            str(one["file"]), int(one["line"]), from_parts(one.get("said"), str(one["sentence"]))
        )
        for one in error.get("refusals") or ()
    ]
    if refusals:
        return ConfigRefused(refusals)
    return LocalCallFailed(
        remote_code=str(error["code"]),
        remote_sentence=str(error["sentence"]),
        remote_exit_code=int(error["exit_code"]),
        remote_facts=error.get("facts"),
    )

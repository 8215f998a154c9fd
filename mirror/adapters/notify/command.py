"""The administrator's own command: PATH SERVICE NODE up|down REASON. No shell, a time limit."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Mapping

from mirror.adapters.failures import failure_of
from mirror.adapters.notify.settings import CommandSettings
from mirror.errors import NotificationFailed
from mirror.vocabulary.said import Said, say

RUN_S = 30.0


async def run_command(
    settings: CommandSettings, arguments: tuple[str, str, str, str], environment: Mapping[str, str]
) -> None:
    """Run it; exit code 0 is well. Raises: NotificationFailed (MIR-820)."""
    path = settings.path
    try:
        process = await asyncio.create_subprocess_exec(
            path,
            *arguments,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            env=dict(environment),
            cwd="/",
            start_new_session=True,
        )
    except OSError as error:
        raise _failed(path, failure_of(error)) from error
    try:
        async with asyncio.timeout(RUN_S):
            code = await process.wait()
    except TimeoutError as error:
        raise _failed(path, say("command.late", seconds=f"{RUN_S:g}")) from error
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
    if code:
        raise _failed(path, say("command.code", status=code))


def _failed(path: str, observed: Said) -> NotificationFailed:
    return NotificationFailed(channel="command", where=path, observed=observed)

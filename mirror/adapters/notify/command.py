"""The administrator's own command: PATH SERVICE NODE up|down REASON. No shell, a time limit."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Mapping

from mirror.adapters.notify.settings import CommandSettings
from mirror.errors import NotificationFailed

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
        observed = error.strerror or str(error)
        raise NotificationFailed(channel="command", where=path, observed=observed) from error
    try:
        async with asyncio.timeout(RUN_S):
            code = await process.wait()
    except TimeoutError as error:
        raise NotificationFailed(
            channel="command", where=path, observed=f"it ran longer than {RUN_S:g} s"
        ) from error
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
    if code:
        raise NotificationFailed(channel="command", where=path, observed=f"exit code {code}")

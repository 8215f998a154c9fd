"""The scripts of one module: what core asks for, by the runner of adapters/scripts.py."""

import asyncio
from collections.abc import Sequence

from mirror.adapters.module_log import ModuleLog
from mirror.adapters.scripts import ScriptResult, ScriptRunner
from mirror.config.models import User
from mirror.vocabulary.actions import ScriptCall


class ScriptsPort:
    """Implements ports.Scripts. Without <user> in the configuration no script is run."""

    def __init__(self, runner: ScriptRunner, user: User | None, log: ModuleLog) -> None:
        self._runner = runner
        self._user = user
        self._log = log

    async def run(self, call: ScriptCall) -> None:
        user = self._user
        if user is None:
            return
        arguments = ("force", *call.arguments) if call.forced else call.arguments
        timeout_s = None
        if call.name.startswith("stop"):
            timeout_ms = user.forcestoptimeout_ms if call.forced else user.nicestoptimeout_ms
            timeout_s = timeout_ms / 1000
        if not await asyncio.to_thread(self._runner.has, call.name):
            return  # most modules have few of SafeKit's scripts
        self._say_begin(call)
        result = await self._runner.run(call.name, arguments, user.variables, timeout_s)
        self._say_end(result)

    async def end_application(self, scripts: Sequence[str]) -> None:
        for script in scripts:
            killed = await self._runner.end_application(script)
            if killed:
                self._log.append(
                    "E", "userplug", f"Killed {len(killed)} processes left by {script}"
                )

    def _say_begin(self, call: ScriptCall) -> None:
        forced = " force" if call.forced else ""
        self._log.append("S", "userplug", f"Script {call.name}{forced}")

    def _say_end(self, result: ScriptResult) -> None:
        if result.succeeded:
            return
        how = "lasted too long" if result.timed_out else f"exit code {result.exit_code}"
        self._log.append(
            "E",
            "userplug",
            f"Script {result.script}: {how}",
            duration_ms=result.duration_ms,
            log=str(result.log_path),
        )

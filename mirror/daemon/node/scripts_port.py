"""The scripts of one module: what core asks for, by the runner of adapters/scripts.py."""

import asyncio
from collections.abc import Callable, Mapping, Sequence

from mirror.adapters.module_log import ModuleLog
from mirror.adapters.scripts import ScriptResult, ScriptRunner
from mirror.config.models import User
from mirror.daemon.node.process_port import ProcessPort
from mirror.vocabulary.actions import ScriptCall

# These tell what has happened, and start nothing. Scripts run one at a time: one that does not end
# must not hold up a stop for ever.
TELL = frozenset({"transition", "update", "poststop"})
# A class of one's own is enabled by hand, where the application runs.
STARTED_BY = {"both": "start_both", "second": "start_second", "sec": "start_sec"}


class ScriptsPort:
    """Implements ports.Scripts. Without <user> in the configuration no script is run.

    of_script(name): variables of one script beyond those of <user>. processes: watched from after
    start_CLASS until before stop_CLASS.
    """

    def __init__(
        self,
        runner: ScriptRunner,
        user: User | None,
        log: ModuleLog,
        of_script: Callable[[str], Mapping[str, str]],
        processes: ProcessPort,
    ) -> None:
        self._runner = runner
        self._user = user
        self._log = log
        self._of_script = of_script
        self._processes = processes

    async def run(self, call: ScriptCall) -> None:
        user = self._user
        if user is None:
            return
        what, _, process_class = call.name.partition("_")
        if what == "stop":
            self._processes.pause(process_class)
        try:
            await self._run(call, user)
        finally:
            if what == "start":
                self._processes.resume(process_class)

    async def _run(self, call: ScriptCall, user: User) -> None:
        if call.name == "prestart":
            await self._runner.prune_logs(user.userlogsize_bytes)
        arguments = ("force", *call.arguments) if call.forced else call.arguments
        timeout_s = None
        if call.name.startswith("stop") or call.name in TELL:
            timeout_ms = user.forcestoptimeout_ms if call.forced else user.nicestoptimeout_ms
            timeout_s = timeout_ms / 1000
        if not await asyncio.to_thread(self._runner.has, call.name):
            return  # most modules have few of SafeKit's scripts
        self._say_begin(call)
        variables = {**user.variables, **self._of_script(call.name)}
        result = await self._runner.run(call.name, arguments, variables, timeout_s)
        self._say_end(result)

    async def handle(self, script: str, process_class: str) -> bool:
        """Run a handler; whether it is there and ended with exit code 0. Raises: MirrorError.

        What it leaves running is the application, as what the start script of the class does.
        """
        user = self._user
        if user is None or not await asyncio.to_thread(self._runner.has, script):
            self._log.append("E", "errd", f"Handler {script}: no such program in bin")
            return False
        self._log.append("S", "errd", f"Handler {script}")
        # Scripts run one at a time: one that does not end must not hold up a stop for ever.
        timeout_s = user.nicestoptimeout_ms / 1000
        starts = STARTED_BY.get(process_class, "start_prim")
        self._processes.pause(process_class)
        try:
            result = await self._runner.run(
                script, (), user.variables, timeout_s, starts_as=starts
            )
        finally:
            self._processes.resume(process_class)
        self._say_end(result)
        return result.succeeded

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

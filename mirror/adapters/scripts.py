"""Runs the scripts of a module: one at a time, in their own group, with SafeKit's environment.

Never a shell string: the script is executed with its arguments as they are. What `start_*`
scripts leave running is the application; it stays in a group of its own until `end_application`.
"""

import asyncio
import contextlib
import os
import signal
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from mirror.adapters import clock, script_in_hand
from mirror.adapters.cgroups import find_cgroup2
from mirror.adapters.process_marks import MarkedGroup
from mirror.adapters.script_place import Group, ScriptPlace, not_started
from mirror.config.layout import Layout
from mirror.errors import ProcessesRemain
from mirror.vocabulary.said import say

# What these leave running outlives them, and ends with the stop script of the same ending:
# on a swap stop_prim must not take what start_both runs with it.
APPLICATION_GROUPS: dict[str, str] = {
    "start_prim": "app",
    "start_both": "app-both",
    "start_second": "app-second",
    "start_sec": "app-sec",
}
TERM_GRACE_S = 5.0
KILL_WAIT_S = 5.0


@dataclass(frozen=True, slots=True)
class ScriptResult:
    """How a script ended.

    exit_code: 0 to 255; negative: killed by that signal; None: it did not die of SIGKILL within
    KILL_WAIT_S, being held in the kernel. skipped: there is no such script, which is no failure.
    """

    script: str
    exit_code: int | None
    timed_out: bool
    duration_ms: int
    log_path: Path | None
    skipped: bool = False

    @property
    def succeeded(self) -> bool:
        """Whether it ended by itself with exit code 0, or does not exist."""
        return self.exit_code == 0 and not self.timed_out


class ScriptRunner:
    """The scripts of one module. Used by one event loop.

    cgroup2: where control groups are mounted; None to do without. logging: False: output is
    discarded (`<user logging="none">`).
    """

    def __init__(
        self, layout: Layout, module: str, *, cgroup2: Path | None, logging: bool = True
    ) -> None:
        self.place = ScriptPlace(layout, module, cgroup2=cgroup2, logging=logging)
        self._module = layout.module(module)
        self._cgroup2 = cgroup2
        self._one_at_a_time = asyncio.Lock()
        # One thread, so that notes reach the file in order, and a slow disk delays no script.
        self._notes = ThreadPoolExecutor(1, thread_name_prefix="script")

    @classmethod
    def probe(cls, layout: Layout, module: str, *, logging: bool = True) -> "ScriptRunner":
        """A runner with control groups if this host has them; `protection` says it."""
        return cls(layout, module, cgroup2=find_cgroup2(), logging=logging)

    @property
    def protection(self) -> str | None:
        """None with control groups; else the sentence for the module log."""
        if self._cgroup2 is not None:
            return None
        return (
            "no cgroup2 here: processes of the application are followed by session and"
            " environment; a daemon that hides from both survives a forced stop"
        )

    @property
    def is_busy(self) -> bool:
        """Whether a script runs now."""
        return self._one_at_a_time.locked()

    def has(self, script: str) -> bool:
        """Whether the module has this script. Blocking."""
        return (self._module.applied_bin / script).exists()

    async def run(
        self,
        script: str,
        arguments: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
        timeout_s: float | None = None,
        *,
        starts_as: str = "",
    ) -> ScriptResult:
        """Run a script and wait for it; a second call waits for the first.

        environment: the `<var>` of the configuration. timeout_s: None is no limit; when it is
        over, SIGTERM and after TERM_GRACE_S SIGKILL go to the script, not to the application.
        starts_as: the start script whose application this one starts parts of, "" for its own.
        Cancelled: the script is killed at once; what it started as application stays.
        Raises: ScriptNotStarted (MIR-209).
        """
        assert "/" not in script
        path = self._module.applied_bin / script
        async with self._one_at_a_time:
            if not await asyncio.to_thread(path.exists):
                return ScriptResult(script, 0, False, 0, None, skipped=True)
            group = APPLICATION_GROUPS.get(starts_as or script, "")
            return await self._run(script, path, group, arguments, environment or {}, timeout_s)

    async def end_application(
        self, script: str = "start_prim", *, timeout_s: float = KILL_WAIT_S
    ) -> list[int]:
        """Kill everything that this start script has left running. Returns: the killed processes.

        Raises: ProcessesRemain (MIR-210) when some are still there after timeout_s.
        """
        return await self._kill(self.place.group(APPLICATION_GROUPS[script]), timeout_s)

    async def end_everything(self, *, timeout_s: float = KILL_WAIT_S) -> list[int]:
        """Kill every process of the module, running scripts included. Returns: the killed ones.

        Also what a control plane before this one has started.
        Raises: ProcessesRemain (MIR-210) when some are still there after timeout_s.
        """
        everything = self.place.group("")
        killed = await self._kill(everything, timeout_s)
        await asyncio.to_thread(everything.remove)
        return killed

    async def end_left_script(self) -> str:
        """Kill the script that a control plane before this one left running, before any is run.

        What it started as application stays, as when a script is cancelled. Returns: its name, ""
        when there was none.
        """
        found = await asyncio.to_thread(script_in_hand.find, self._module.state)
        if found is None:
            self._notes.submit(script_in_hand.forget, self._module.state)  # room for later
            return ""
        await asyncio.to_thread(script_in_hand.kill, found, KILL_WAIT_S)
        if found.group:
            group = self.place.group(found.group)
            await asyncio.to_thread(group.signal, signal.SIGKILL)
            await group.wait_empty(KILL_WAIT_S)
            await asyncio.to_thread(group.remove)
        return found.script

    async def application_processes(self, script: str = "start_prim") -> list[int]:
        """Processes that this start script has left running."""
        return await asyncio.to_thread(self.place.group(APPLICATION_GROUPS[script]).processes)

    async def prune_logs(self, size_bytes_max: int) -> None:
        """At module start: remove the oldest userlogs until they fit (`userlogsize`)."""
        await asyncio.to_thread(_prune, self._module.working, size_bytes_max)

    async def _kill(self, group: Group, timeout_s: float) -> list[int]:
        killed = await asyncio.to_thread(group.processes)
        if killed:
            await asyncio.to_thread(group.signal, signal.SIGKILL)
        if not await group.wait_empty(timeout_s):
            left = await asyncio.to_thread(group.processes)
            raise ProcessesRemain(
                group=group.name,
                observed=say("script.survivors", pids=" ".join(map(str, left))),
            )
        return killed

    async def _run(
        self,
        script: str,
        path: Path,
        application: str,
        arguments: Sequence[str],
        variables: Mapping[str, str],
        timeout_s: float | None,
    ) -> ScriptResult:
        """application: the group in which what it leaves running stays, "" for none."""
        group_name = application or script
        group = self.place.group(group_name)
        started_ms = clock.monotonic_ms()
        output, log_path = await asyncio.to_thread(self.place.prepare, script, path, group)
        try:
            process = await asyncio.create_subprocess_exec(
                *group.enter([str(path), *arguments]),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=self.place.environment(group_name, variables),
                cwd=self._module.applied_bin,
                start_new_session=True,
            )
        except OSError as error:
            raise not_started(path, error) from error
        finally:
            os.close(output)
        if isinstance(group, MarkedGroup):
            group.note_session(process.pid)
        own_group = None if application else group
        own_name = "" if application else group_name
        self._notes.submit(script_in_hand.note, self._module.state, script, process.pid, own_name)
        try:
            timed_out = await self._wait(process, timeout_s)
            if timed_out:
                await self._end(process, own_group, (signal.SIGTERM, signal.SIGKILL))
        except asyncio.CancelledError:
            await self._end(process, own_group, (signal.SIGKILL,))
            raise
        finally:
            self._notes.submit(script_in_hand.forget, self._module.state)
        if own_group is not None:
            await asyncio.to_thread(own_group.remove)
        return ScriptResult(
            script,
            process.returncode,
            timed_out,
            clock.monotonic_ms() - started_ms,
            log_path,
        )

    async def _wait(self, process: asyncio.subprocess.Process, timeout_s: float | None) -> bool:
        """Returns: whether the time was over first."""
        try:
            async with asyncio.timeout(timeout_s):
                await process.wait()
        except TimeoutError:
            return True
        return False

    async def _end(
        self,
        process: asyncio.subprocess.Process,
        group: Group | None,
        numbers: Sequence[signal.Signals],
    ) -> None:
        """Send these signals in turn to the script's session and, if given, to its whole group."""
        for number in numbers:
            wait_s = KILL_WAIT_S if number is signal.SIGKILL else TERM_GRACE_S
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, number)
            if group is not None:
                await asyncio.to_thread(group.signal, number)
            if not await self._wait(process, wait_s) and group is None:
                return
        if group is not None:
            await group.wait_empty(KILL_WAIT_S)


def _prune(directory: Path, size_bytes_max: int) -> None:
    logs = sorted(directory.glob("userlog_*.ulog"), reverse=True)  # the name sorts as time does
    total_bytes = 0
    for path in logs:
        with contextlib.suppress(OSError):
            total_bytes += path.stat().st_size
            if total_bytes > size_bytes_max:
                path.unlink()

"""The ports of one module on a real host: thin shells over the adapters, one class a port."""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mirror.adapters.addresses import AddressKeeper
from mirror.adapters.data_plane_client import DataPlaneClient
from mirror.adapters.errd import ProcessChecker
from mirror.adapters.heartbeats import Heartbeats
from mirror.adapters.module_log import ModuleLog
from mirror.adapters.records import write_record
from mirror.adapters.scripts import ScriptRunner
from mirror.adapters.witness import EtcdWitness, PingWitness, WitnessValue
from mirror.config.models import User
from mirror.core.witness_rule import may_replace
from mirror.daemon.plane.directories import Directory
from mirror.errors import MirrorError
from mirror.vocabulary.actions import ScriptCall

WITNESS_S = 3.0
RECORD_S = 5.0


class HostData:
    """The data plane, and the mounts that a dead one leaves."""

    def __init__(self, client: DataPlaneClient, directories: tuple[Directory, ...]) -> None:
        self._client = client
        self._directories = directories

    async def ensure(self) -> None:
        await self._client.ensure()

    async def call(self, verb: str, fields: Mapping[str, Any]) -> Mapping[str, Any]:
        return await self._client.call(verb, fields)

    async def close(self) -> None:
        await self._client.end()
        await self.clear_dead_mount()

    async def clear_dead_mount(self) -> None:
        await self._client.wait_gone()
        for directory in self._directories:
            await asyncio.to_thread(directory.clear)


class HostRecords:
    """The durable record; a disk that hangs is a disk that failed."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def write(self, record: Mapping[str, Any]) -> None:
        async with asyncio.timeout(RECORD_S):
            await asyncio.to_thread(write_record, self._path, dict(record))


class HostScripts:
    """The module's scripts; none is run without <user> in the configuration."""

    def __init__(self, runner: ScriptRunner, user: User | None, log: ModuleLog) -> None:
        self._runner = runner
        self._user = user
        self._log = log

    async def run(self, call: ScriptCall) -> None:
        if self._user is None:
            return
        arguments = ("force", *call.arguments) if call.forced else call.arguments
        timeout_s = None
        if call.name.startswith("stop"):
            user = self._user
            timeout_ms = user.forcestoptimeout_ms if call.forced else user.nicestoptimeout_ms
            timeout_s = timeout_ms / 1000
        result = await self._runner.run(call.name, arguments, self._user.variables, timeout_s)
        if result.skipped:
            return
        level = "S" if result.succeeded else "E"
        outcome = "" if result.succeeded else f": exit code {result.exit_code}"
        if result.timed_out:
            outcome = ": ended for lasting too long"
        forced = " force" if call.forced else ""
        text = f"Script {call.name}{forced}{outcome}"
        self._log.append(level, "userplug", text, duration_ms=result.duration_ms)

    async def end_application(self, scripts: Sequence[str]) -> None:
        for script in scripts:
            await self._runner.end_application(script)


class HostAddresses:
    """All virtual addresses of the module: together, or none."""

    def __init__(self, keepers: tuple[AddressKeeper, ...]) -> None:
        self._keepers = keepers

    async def take(self) -> None:
        try:
            for keeper in self._keepers:
                await keeper.take()
        except BaseException:
            await self.release()
            raise

    async def release(self) -> None:
        for keeper in self._keepers:
            await keeper.release()


class EtcdPort:
    """The witness that knows who is newer."""

    def __init__(self, witness: EtcdWitness, node: str) -> None:
        self._witness = witness
        self._node = node

    async def ask(
        self,
        generation: str,
        may_serve: frozenset[str],
        then: tuple[str, frozenset[str]],
        *,
        forced: bool,
    ) -> tuple[bool, str]:
        try:
            state = await self._witness.read(WITNESS_S)
            held = None
            if state.value is not None:
                held = (state.value.generation, frozenset(state.value.may_serve))
            if not forced and not may_replace(held, (generation, may_serve), self._node):
                return False, f"the witness holds {held}"
            wanted = WitnessValue(then[0], tuple(sorted(then[1])))
            if await self._witness.compare_and_swap(state.revision, wanted, WITNESS_S):
                return True, ""
        except MirrorError as error:
            return False, str(error)
        return False, "the witness was changed by the other node meanwhile"


class PingPort:
    """SafeKit's witness: whoever reaches it may go on."""

    def __init__(self, witness: PingWitness) -> None:
        self._witness = witness

    async def ask(
        self,
        generation: str,
        may_serve: frozenset[str],
        then: tuple[str, frozenset[str]],
        *,
        forced: bool,
    ) -> tuple[bool, str]:
        del generation, may_serve, then
        if forced or await self._witness.reachable(WITNESS_S):
            return True, ""
        return False, "splitbraincheck: no witness answers"


class HostHeart:
    """What the peer hears."""

    def __init__(self, heartbeats: Heartbeats) -> None:
        self._heartbeats = heartbeats

    def say(self, word: Mapping[str, Any], *, urgent: bool) -> None:
        self._heartbeats.set_body(dict(word), urgent=urgent)


class HostProcesses:
    """The process checker, if the configuration has one; switched off it watches nothing."""

    def __init__(self, checker: ProcessChecker | None) -> None:
        self._checker = checker
        self._classes: tuple[str, ...] = ()
        self._switched_on = True

    def watch(self, classes: Sequence[str]) -> None:
        self._classes = tuple(classes)
        self._apply()

    def switch(self, *, on: bool) -> None:
        """`errd on|off`."""
        self._switched_on = on
        self._apply()

    async def close(self) -> None:
        """Watch nothing any more."""
        if self._checker is not None:
            await self._checker.close()

    def _apply(self) -> None:
        if self._checker is not None:
            self._checker.watch(self._classes if self._switched_on else ())


class HostReboot:
    """Restarts this host."""

    async def reboot(self) -> None:
        process = await asyncio.create_subprocess_exec("systemctl", "reboot")
        await process.wait()

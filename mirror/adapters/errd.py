"""The process checker (`<errd>`): says when a process of the application is there and when not.

New processes are found by polling; the death of a known one is seen at once, through its
descriptor. Before `down` is said a fresh scan must agree, because a process may have replaced
itself; and who has just begun to look waits for one more poll, because a start script may return
before its daemon has its name. What is to be done about it is decided elsewhere.
"""

import asyncio
import contextlib
import os
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from pathlib import Path

from mirror.adapters import clock
from mirror.adapters.checkers.scan_client import Found, Query, ScanClient
from mirror.config.models import Errd, WatchedProcess

SCAN_TIMEOUT_S = 5.0
SERVICE_TIMEOUT_S = 5.0
# Enough to see the death that matters among many; each one is a descriptor of the control plane.
WATCH_MORE = 16

_SYSTEMCTL = Path("/usr/bin/systemctl")
_RUNNING = {"active", "activating", "reloading"}


@dataclass(slots=True)
class _Watch:
    """One <proc>. state: as it was last said. from_ms: not looked at before that."""

    process: WatchedProcess
    enabled: bool = False
    from_ms: int = 0
    state: str = "init"
    count: int = 0
    pidfds: set[int] = field(default_factory=set)

    def agrees(self, count: int) -> bool:
        """Whether so many are neither too few nor too many; -1 is no limit."""
        at_most = self.process.atmax
        return count >= self.process.atleast and (at_most < 0 or count <= at_most)


class ProcessChecker:
    """The processes of one module. Used by one event loop.

    on_resource(name, state): `proc.NAME` became `up` or `down`, or `init` when it is no longer
    looked at. Each change once.
    """

    def __init__(self, errd: Errd, on_resource: Callable[[str, str], None]) -> None:
        self._errd = errd
        self._on_resource = on_resource
        self._watches = [_Watch(process) for process in errd.processes]
        self._scanner = ScanClient()
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def watch(self, classes: Collection[str]) -> None:
        """Look at the processes of these classes from now on, and at no others.

        A class that is new begins as `init`; start_after postpones its first look. `down` is not
        said of it before a poll has passed.
        """
        now_ms = clock.boottime_ms()
        for each in self._watches:
            enabled = each.process.process_class in classes
            if enabled and not each.enabled:
                polls = max(0, each.process.start_after - 1)
                each.from_ms = now_ms + polls * self._errd.polltimer_ms
            elif each.enabled and not enabled:
                self._forget(each)
                self._say(each, "init")
            each.enabled = enabled
        if self._task is None and any(each.enabled for each in self._watches):
            self._task = asyncio.create_task(self._run(), name="errd")
        self._wake.set()

    async def close(self) -> None:
        """Stop looking; nothing is said any more."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None
        for each in self._watches:
            self._forget(each)
        await self._scanner.close()

    async def _run(self) -> None:
        while True:
            self._wake.clear()
            await self._look()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._errd.polltimer_ms / 1000):
                    await self._wake.wait()

    async def _look(self) -> None:
        now_ms = clock.boottime_ms()
        due = [each for each in self._watches if each.enabled and each.from_ms <= now_ms]
        processes = [each for each in due if not each.process.is_service]
        if processes:
            queries = [_query(each.process) for each in processes]
            found = await self._scanner.scan(queries, SCAN_TIMEOUT_S)
            for each, seen in zip(processes, found, strict=True):
                self._take(each, seen)
        for each in due:
            if each.process.is_service and each.enabled:
                running = await _service_runs(each.process.name)
                if running is not None and each.enabled:
                    self._found(each, as_wanted=running)

    def _take(self, each: _Watch, seen: Found | None) -> None:
        if seen is None:
            return  # not known: what was known by descriptors stays true
        if not each.enabled:  # switched off while it was being looked for
            for pidfd in seen.pidfds:
                os.close(pidfd)
            return
        self._forget(each)
        each.count = seen.count
        each.pidfds.update(seen.pidfds)
        for pidfd in seen.pidfds:
            asyncio.get_running_loop().add_reader(pidfd, self._died, each, pidfd)
        self._found(each, as_wanted=each.agrees(seen.count))

    def _found(self, each: _Watch, *, as_wanted: bool) -> None:
        begins = clock.boottime_ms() - each.from_ms < self._errd.polltimer_ms
        if as_wanted or each.state != "init" or not begins:
            self._say(each, "up" if as_wanted else "down")

    def _died(self, each: _Watch, pidfd: int) -> None:
        asyncio.get_running_loop().remove_reader(pidfd)
        each.pidfds.discard(pidfd)
        os.close(pidfd)
        each.count -= 1
        if each.state == "up" and not each.agrees(each.count):
            self._wake.set()  # look again before saying it: milliseconds

    def _forget(self, each: _Watch) -> None:
        for pidfd in each.pidfds:
            asyncio.get_running_loop().remove_reader(pidfd)
            os.close(pidfd)
        each.pidfds.clear()

    def _say(self, each: _Watch, state: str) -> None:
        if each.state != state:
            each.state = state
            self._on_resource(f"proc.{each.process.name}", state)


def _query(process: WatchedProcess) -> Query:
    watch_max = max(process.atleast, 0) + WATCH_MORE
    return Query(process.name, process.nameregex, process.argregex, watch_max)


async def _service_runs(unit: str) -> bool | None:
    """Whether systemd has the unit running. Returns: None when systemd does not say."""
    try:
        asked = await asyncio.create_subprocess_exec(
            _SYSTEMCTL,
            "is-active",
            "--",
            unit,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
    except OSError:
        return None
    try:
        async with asyncio.timeout(SERVICE_TIMEOUT_S):
            output, _ = await asked.communicate()
    except TimeoutError:
        asked.kill()
        await asked.wait()
        return None
    word = output.decode(errors="replace").strip()
    return word in _RUNNING if word else None

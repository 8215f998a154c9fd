"""All <check> of one module: each looks while its class is on, and its resource says what it sees.

A checker that begins says `init` until it knows; one that ends leaves `init`; one that cannot look
says `unknown`. What is done about a value is decided elsewhere.
"""

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from typing import assert_never

from mirror.adapters.checkers.custom import keep_running
from mirror.adapters.checkers.own_network import AddressLook, watch_interface
from mirror.adapters.checkers.reach import accepts, echoes, serves
from mirror.adapters.network_feed import NetworkFeed
from mirror.adapters.script_place import ScriptPlace
from mirror.config.check_models import (
    Check,
    CustomCheck,
    IntfCheck,
    IpCheck,
    ModuleCheck,
    PingCheck,
    TcpCheck,
)
from mirror.errors import MirrorError

AGAIN_S = 5.0  # a checker that could not look at all: a name that is not known, no netlink


@dataclass(frozen=True, slots=True)
class Neighbour:
    """Another module of this host. starts: how often it began to serve since it was loaded."""

    serves: bool
    starts: int


@dataclass(frozen=True, slots=True)
class CheckWorld:
    """What checkers need of where they run.

    neighbour(name): another module of this host, None when it is not loaded.
    restarted(check): the module that `check` looks at stopped and serves again.
    note(sentence): for the module log.
    """

    module: str
    place: ScriptPlace
    variables: Mapping[str, str]
    peer_addresses: tuple[str, ...]
    tls: ssl.SSLContext | None
    neighbour: Callable[[str], Neighbour | None]
    restarted: Callable[[ModuleCheck], None]
    note: Callable[[str], None]


class Checkers:
    """The checkers of one module. Used by one event loop.

    on_resource(name, value): a value changed; each change once.
    """

    def __init__(
        self, checks: Collection[Check], world: CheckWorld, on_resource: Callable[[str, str], None]
    ) -> None:
        self._checks = tuple(checks)
        self._world = world
        self._on_resource = on_resource
        self._feed = NetworkFeed()
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._ending: set[asyncio.Task[None]] = set()
        self._values: dict[str, str] = {}

    def begin(self) -> None:
        """Say `init` of every checker, so that nobody takes silence for an answer."""
        for check in self._checks:
            self._say(check, "init")

    def watch(self, classes: Collection[str]) -> None:
        """Look with the checkers of these classes from now on, and with no others."""
        for check in self._checks:
            running = self._tasks.get(check.resource)
            if check.when in classes and running is None:
                self._say(check, "init")
                work = self._run(check)
                self._tasks[check.resource] = asyncio.create_task(work, name=check.resource)
            elif check.when not in classes and running is not None:
                self._end(check)
                self._say(check, "init")

    def seen(self, resource: str, value: str) -> None:
        """Take what somebody else said of a resource, so that the next change is one."""
        if resource in self._values:
            self._values[resource] = value

    async def close(self) -> None:
        """Stop looking; nothing is said any more, no program of a checker is left."""
        for task in self._tasks.values():
            task.cancel()
        waiting = (*self._tasks.values(), *self._ending)
        self._tasks.clear()
        await asyncio.gather(*waiting, return_exceptions=True)

    def _end(self, check: Check) -> None:
        task = self._tasks.pop(check.resource)
        task.cancel()
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    async def _run(self, check: Check) -> None:
        # The one before, of an earlier class, may still be ending its program.
        await asyncio.gather(
            *(task for task in self._ending if task.get_name() == check.resource),
            return_exceptions=True,
        )
        noted = ""
        while True:
            try:
                await self._look(check)
            except (MirrorError, OSError, TimeoutError) as error:
                self._say(check, "unknown")
                if str(error) != noted:
                    noted = str(error)
                    self._world.note(f"Checker {check.resource} cannot look: {error}")
            await asyncio.sleep(AGAIN_S)

    async def _look(self, check: Check) -> None:
        world, mine = self._world, asyncio.current_task()

        def say(value: str) -> None:
            if self._tasks.get(check.resource) is mine:  # not one that is being ended
                self._say(check, value)

        match check:
            case TcpCheck():
                await _ask_again(lambda: accepts(check), check.interval_ms, say)
            case PingCheck():
                await _ask_again(lambda: echoes(check), check.interval_ms, say)
            case ModuleCheck():
                await self._ask_module(check, say)
            case IntfCheck():
                await watch_interface(check, self._feed, say)
            case IpCheck():
                look = AddressLook(check, world.peer_addresses, say=say, note=world.note)
                await look.run(self._feed)
            case CustomCheck():
                await keep_running(
                    check, world.place, world.module, world.variables, say=say, note=world.note
                )
            case _:
                assert_never(check)

    async def _ask_module(self, check: ModuleCheck, say: Callable[[str], None]) -> None:
        if not check.is_local:
            await _ask_again(lambda: serves(check, self._world.tls), check.interval_ms, say)
            return
        starts: int | None = None
        while True:
            now = self._world.neighbour(check.name)
            if now is not None and now.serves:
                if starts is not None and now.starts > starts:
                    self._world.restarted(check)
                starts = now.starts
            say("up" if now is not None and now.serves else "down")
            await asyncio.sleep(check.interval_ms / 1000)

    def _say(self, check: Check, value: str) -> None:
        if self._values.get(check.resource) != value:
            self._values[check.resource] = value
            self._on_resource(check.resource, value)


async def _ask_again(
    ask: Callable[[], Awaitable[bool]], interval_ms: int, say: Callable[[str], None]
) -> None:
    while True:
        say("up" if await ask() else "down")
        await asyncio.sleep(interval_ms / 1000)

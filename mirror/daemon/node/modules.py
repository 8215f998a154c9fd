"""All modules of this node: loaded, started at boot, configured anew one by one, stopped in order.

One that cannot be loaded is shown with its reason and hinders no other; nor does one that is slow
to load. What was begun is ended, whoever asked for it and does not wait any more.
"""

import asyncio
import json
import os
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

from mirror.adapters import clock
from mirror.adapters.alive_writer import AliveWriter
from mirror.adapters.checkers.board import Neighbour
from mirror.adapters.heartbeats import HeartbeatThread
from mirror.adapters.scripts import ScriptRunner
from mirror.config.cluster import Cluster, load_cluster
from mirror.config.files import read_bytes
from mirror.config.layout import Layout
from mirror.config.module_store import ModuleStore
from mirror.config.user_settings import ON, read_user_setting
from mirror.daemon.fence import is_left, silence
from mirror.daemon.node.module_runner import ModuleRunner
from mirror.daemon.node.settings_builder import ModuleSettings, build_settings
from mirror.errors import (
    ChangesNotTaken,
    ClusterNotConfigured,
    MirrorError,
    ModuleNotLoaded,
    ModuleUnknown,
)
from mirror.vocabulary.said import said_of, say
from mirror.vocabulary.states import State

log = structlog.get_logger()

STOPPED_S_MAX = 600.0
LOADED_AT_ONCE = 16
LEFT_EVERY_S = 2.0
FAILURES = (MirrorError, OSError, ValueError)
_ANSWERS = (ModuleNotLoaded, ChangesNotTaken)


@dataclass(slots=True)
class Modules:
    """The modules of one node. Used by one event loop.

    refused: module -> why it is not loaded. left: those of them whose application runs here all
    the same. behind: module that runs -> why it did not take up what is in force. on_crash, armed:
    see ModuleRunner.
    """

    layout: Layout
    on_crash: Callable[[str], None]
    armed: asyncio.Event | None = None
    node: str = ""
    cluster: Cluster | None = None
    running: dict[str, ModuleRunner] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    left: set[str] = field(default_factory=set)
    behind: dict[str, str] = field(default_factory=dict)
    _heartbeats: HeartbeatThread = field(default_factory=HeartbeatThread)
    _one_at_a_time: asyncio.Lock = field(default_factory=asyncio.Lock)
    _alive: AliveWriter = field(default_factory=AliveWriter)
    _booting: set["asyncio.Task[None]"] = field(default_factory=set)
    _under_way: set["asyncio.Task[None]"] = field(default_factory=set)
    _looking: dict[str, "asyncio.Task[None]"] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Begin to keep the moments at which the modules ran."""
        self._alive.start()

    async def load_all(self) -> None:
        """Load every configured module; start those that are to start with the host.

        Several at once: the peer of one that runs here waits for its word, whatever becomes of
        another.
        """
        some = asyncio.Semaphore(LOADED_AT_ONCE)

        async def load(name: str) -> None:
            async with some:
                await self._load(name)

        async with self._one_at_a_time:
            await self._read_cluster()
            names = await asyncio.to_thread(_found, ModuleStore(self.layout))
            try:
                async with asyncio.TaskGroup() as group:
                    for name in names:
                        group.create_task(load(name))
            except ExceptionGroup as error:  # a defect: the first one is told
                raise error.exceptions[0] from error

    async def reconfigure(self, name: str) -> None:
        """A module is new, changed or gone: only this one is touched.

        One that runs is handed over to a fresh engine, as after a restart of the control plane,
        when it is in no transition; what needs a stop was refused by who changed the files. When
        that fails it runs on as it was configured before.
        Raises: ModuleNotLoaded (MIR-404); ChangesNotTaken (MIR-406): it runs on, also when it is
        in a transition.
        """
        work = asyncio.get_running_loop().create_task(self._reconfigure(name))
        self._under_way.add(work)
        work.add_done_callback(self._reconfigured)
        await asyncio.shield(work)

    def _reconfigured(self, work: "asyncio.Task[None]") -> None:
        self._under_way.discard(work)
        error = None if work.cancelled() else work.exception()
        if error is not None and not isinstance(error, _ANSWERS):
            # A defect half-way: a fresh control plane goes on with what runs.
            self.on_crash(f"module not configured anew: {error!r}")

    async def _reconfigure(self, name: str) -> None:
        word: str | None = None
        async with self._one_at_a_time:
            held = self.running.get(name)
            runs = held is not None and held.state is not State.STOP
            configured = self.layout.module(name).applied_userconfig.is_file()
            if held is not None and runs and not (configured and held.is_settled):
                raise _not_settled(held)
            await self._read_cluster()
            if held is not None and runs:
                try:
                    settings = await self._build(name)
                except FAILURES as error:  # refused before anything is let go
                    raise ChangesNotTaken(module=name, observed=said_of(error)) from error
                if not held.is_settled:  # meanwhile something has begun
                    raise _not_settled(held)
                # A fresh engine has not yet said what it is: it takes up what this one was.
                word = str(held.notebook.shown.word)
                await self._hand_over(held, settings)
            else:
                if held is not None:
                    del self.running[name]
                    await held.detach()
                self.refused.pop(name, None)
                if configured:
                    await self._load(name, boot=False)
            self.behind.pop(name, None)
        if name in self.refused:
            raise ModuleNotLoaded(module=name, observed=self.refused[name])
        if word is not None:
            await self.running[name].updated(word)

    async def _hand_over(self, held: ModuleRunner, settings: ModuleSettings) -> None:
        """Have a fresh engine go on with a module that runs.

        Raises: ChangesNotTaken (MIR-406): it goes on as before; ModuleNotLoaded (MIR-404): that
        failed too.
        """
        name = held.name
        del self.running[name]
        await held.detach()
        try:
            self.running[name] = await self._started(settings)
        except FAILURES as error:
            self.behind[name] = said_of(error)
        else:
            return
        try:
            before = self.running[name] = await self._started(held.settings)
        except FAILURES as error:
            await self._refuse(name, error)
            raise ModuleNotLoaded(module=name, observed=self.refused[name]) from error
        why = ChangesNotTaken(module=name, observed=self.behind[name])
        before.log.append("C", "heart", str(why))
        raise why

    def put_back(self, name: str) -> None:
        """What is in force is again what this module runs with: nothing was taken up."""
        self.behind.pop(name, None)

    async def end_left(self, name: str) -> None:
        """End what runs here of a module that is not loaded, by force.

        Raises: ModuleNotLoaded (MIR-404) when nothing does, ProcessesRemain (MIR-210).
        """
        if name not in self.left:
            raise ModuleNotLoaded(module=name, observed=self.refused[name])
        await ScriptRunner.probe(self.layout, name).end_everything()
        self.left.discard(name)

    async def at_rest(self) -> None:
        """Wait until no module is being loaded or configured anew."""
        async with self._one_at_a_time:
            return

    async def cluster_changed(self) -> None:
        """Read cluster.xml again; stopped modules take it at once, others when they are loaded."""
        await self._read_cluster()
        names = await asyncio.to_thread(ModuleStore(self.layout).configured)
        for name in names:
            held = self.running.get(name)
            if held is None or held.state is State.STOP:
                try:
                    await self.reconfigure(name)
                except MirrorError as error:
                    log.warning("module not loaded", module=name, error=str(error))

    def get(self, name: str) -> ModuleRunner:
        """Give a loaded module. Raises: ModuleNotLoaded (MIR-404), ModuleUnknown (MIR-102)."""
        if name in self.running:
            return self.running[name]
        if name in self.refused:
            raise ModuleNotLoaded(module=name, observed=self.refused[name])
        raise ModuleUnknown(module=name, observed=say("module.unconfigured"))

    async def stop_all(self) -> None:
        """Stop every module in order, together; return when all are in STOP."""
        self._boot_no_more()
        await self.at_rest()  # what is being configured anew is stopped as well
        self._boot_no_more()
        await asyncio.gather(*(self._stop(one) for one in tuple(self.running.values())))

    async def detach_all(self) -> None:
        """Leave what runs as it is."""
        self._boot_no_more()
        for looks in self._looking.values():
            looks.cancel()
        await asyncio.gather(*self._under_way, return_exceptions=True)
        for runner in tuple(self.running.values()):
            await runner.detach()
        self.running.clear()

    def revision(self) -> str:
        """Name what `state` shows, figures apart: another when anything may have changed."""
        moves = tuple((one.incarnation, one.driver.moves) for one in self.running.values())
        refused = tuple((*one, one[0] in self.left) for one in self.refused.items())
        return format(hash((moves, refused, tuple(self.behind.items()))), "x")

    def figures(self) -> str:
        """Name the figures that `state` shows: another when one may have moved.

        Their ages apart, and what is known of heartbeats, which never rest.
        """
        now_ms = clock.boottime_ms()
        seen = tuple(
            (
                one.incarnation,
                one.figures.moves,
                one.client.pid,
                one.driver.engine.context.mute_ms(now_ms) > 0,
            )
            for one in self.running.values()
        )
        return format(hash(seen), "x")

    def guarded(self) -> bool:
        """Tell whether a module that wants the watchdog is not stopped."""
        return any(
            one.settings.config.heart.watchdog and one.state is not State.STOP
            for one in self.running.values()
        )

    # --- inside ---

    def _boot_no_more(self) -> None:
        for task in tuple(self._booting):
            task.cancel()

    def _neighbour(self, name: str) -> Neighbour | None:
        runner = self.running.get(name)
        if runner is None:
            return None
        return Neighbour(runner.notebook.serves, runner.notebook.starts)

    async def _read_cluster(self) -> None:
        try:
            self.node, self.cluster = await asyncio.to_thread(_cluster_of, self.layout)
        except (MirrorError, OSError, ValueError, KeyError) as error:
            self.node, self.cluster = "", None
            log.warning("no cluster", error=str(error))

    async def _build(self, name: str) -> ModuleSettings:
        """Raises: MirrorError, OSError, ValueError."""
        if self.cluster is None:
            raise ClusterNotConfigured(file=self.layout.cluster_config)
        return await asyncio.to_thread(
            build_settings, self.layout, self.cluster, self.node, name, dict(os.environ)
        )

    async def _started(self, settings: ModuleSettings) -> ModuleRunner:
        """Raises: MirrorError, OSError, ValueError; nothing of it is left then."""
        runner = ModuleRunner(
            self.layout,
            settings,
            self.on_crash,
            self._neighbour,
            self.armed,
            self._alive,
            self._heartbeats,
        )
        try:
            await runner.start()
        except BaseException:
            await runner.detach()
            raise
        return runner

    async def _load(self, name: str, *, boot: bool = True) -> None:
        try:
            runner = await self._started(await self._build(name))
        except FAILURES as error:
            await self._refuse(name, error)
            return
        self.refused.pop(name, None)
        self.running[name] = runner
        if boot:
            task = asyncio.get_running_loop().create_task(self._boot(runner))
            self._booting.add(task)
            task.add_done_callback(self._booting.discard)

    async def _refuse(self, name: str, error: Exception) -> None:
        """It is not loaded: nobody speaks for it any more.

        What it may serve here, the peer serves in a moment: it is silenced. A light module has no
        peer, and its application runs on, which is said.
        """
        self.refused[name] = said_of(error)
        self.behind.pop(name, None)
        log.warning("module not loaded", module=name, error=str(error))
        silenced = False
        try:
            silenced = await asyncio.to_thread(silence, self.layout, name)
        except FAILURES as failure:
            log.error("module not silenced", module=name, error=str(failure))  # noqa: TRY400
        if not silenced and await asyncio.to_thread(is_left, name):
            self.left.add(name)
        if name not in self._looking:
            looks = asyncio.get_running_loop().create_task(self._look_at_left(name))
            self._looking[name] = looks
            looks.add_done_callback(lambda _: self._looking.pop(name, None))

    async def _look_at_left(self, name: str) -> None:
        """Know whether its application runs, as long as the module is not loaded."""
        while name in self.refused:
            await asyncio.sleep(LEFT_EVERY_S)
            runs = await asyncio.to_thread(is_left, name)
            (self.left.add if runs and name in self.refused else self.left.discard)(name)

    async def _boot(self, runner: ModuleRunner) -> None:
        """Start what starts with the host, unless somebody said otherwise. No mere restart.

        `on`; `auto` if it ran before; `ignore` if `mirror boot on` was said.
        """
        service = runner.settings.config.service
        wanted = {
            "on": True,
            "auto": runner.notebook.wanted(),
            "ignore": read_user_setting(self.layout.module(runner.name), "boot") == ON,
        }.get(service.boot, False)
        if runner.notebook.found_of_this_boot or not wanted:
            return
        if service.boot_delay_ms:
            await asyncio.sleep(service.boot_delay_ms / 1000)
        held = self.running.get(runner.name)  # it may have been configured anew meanwhile
        if held is not None and not (runner.commanded or held.commanded):
            await held.command("start", (), "boot")

    async def _stop(self, runner: ModuleRunner) -> None:
        await runner.command("stop", (), "")
        async with asyncio.timeout(STOPPED_S_MAX), runner.notebook.changed:
            await runner.notebook.changed.wait_for(lambda: runner.state is State.STOP)


def _found(store: ModuleStore) -> tuple[str, ...]:
    """Give the configured modules, also one whose configuration was just being replaced."""
    try:
        store.recover()
    except OSError as error:
        log.warning("modules not looked over", error=str(error))
    return store.configured()


def _not_settled(held: ModuleRunner) -> ChangesNotTaken:
    observed = say("module.runs_now", state=held.state)
    return ChangesNotTaken(module=held.name, observed=observed)


def _cluster_of(layout: Layout) -> tuple[str, Cluster]:
    identity = json.loads(read_bytes(layout.node_identity))
    text = read_bytes(layout.cluster_config)
    return str(identity["name"]), load_cluster(text, str(layout.cluster_config))

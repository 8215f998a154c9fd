"""One module on this node while the control plane runs: its ports, its engine, its driver.

Ending it (`detach`) leaves application, mount, address and data plane as they are: the next
control plane goes on with them (design 3).
"""

import asyncio
import contextlib
import os
from collections.abc import Callable, Coroutine, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from mirror.adapters import clock, virtual_host
from mirror.adapters.addresses import AddressKeeper, VirtualAddress
from mirror.adapters.alive_writer import AliveWriter
from mirror.adapters.checkers.board import CheckWorld, Neighbour
from mirror.adapters.connection_count import ConnectionCount
from mirror.adapters.data_plane_client import DataPlaneClient
from mirror.adapters.fencing import Fencer
from mirror.adapters.heartbeats import (
    HeartbeatListener,
    Heartbeats,
    HeartbeatSettings,
    HeartbeatThread,
)
from mirror.adapters.module_log import ModuleLog
from mirror.adapters.records import read_record
from mirror.adapters.scripts import ScriptRunner
from mirror.config.layout import Layout, ModuleLayout
from mirror.config.user_settings import ON, read_user_setting, write_user_setting
from mirror.core.engine import Engine
from mirror.daemon.driver import Driver
from mirror.daemon.node.addresses_port import AddressesPort
from mirror.daemon.node.checkers_port import CheckersPort
from mirror.daemon.node.data_port import DataPort, copied_line, event_of
from mirror.daemon.node.disk_alarm import DiskAlarm
from mirror.daemon.node.fence_file import FenceFile, remove_fence_file, write_fence_file
from mirror.daemon.node.fence_port import FencePort
from mirror.daemon.node.heart_port import HeartPort
from mirror.daemon.node.host_ports import RebootPort, RecordsPort
from mirror.daemon.node.link_watch import LinkWatch
from mirror.daemon.node.no_heart import NoHeart
from mirror.daemon.node.notebook_port import Notebook
from mirror.daemon.node.plane_figures import PlaneFigures
from mirror.daemon.node.process_port import ProcessPort
from mirror.daemon.node.replication import LastReintegration, verify_by_schedule
from mirror.daemon.node.scripts_port import ScriptsPort
from mirror.daemon.node.settings_builder import ModuleSettings
from mirror.daemon.node.timetable import at_times
from mirror.daemon.node.witness_port import make_witness
from mirror.daemon.ports import Ports
from mirror.errors import MirrorError, WatchdogNotArmed
from mirror.vocabulary.actions import SaveState, ScriptCall
from mirror.vocabulary.crontab import Crontab
from mirror.vocabulary.events import (
    CheckpointReached,
    CommandAsked,
    DataPlaneLost,
    Event,
    ResourceChanged,
    Resumed,
    Stalled,
    SwitchSet,
    SyncDue,
    SyncedAgo,
    Ticked,
)
from mirror.vocabulary.record import Record, record_from_map
from mirror.vocabulary.said import say
from mirror.vocabulary.states import SERVING, Goal, State
from mirror.wire.local import Message

SWITCHES = ("errd", "checker", "failover")
TICKS_PER_TIMEOUT = 10
TICK_MS_MAX = 500
STATUS_S = 1.0
# Where a module may rest: a fresh engine takes it up there as it is.
SETTLED = frozenset({State.WAIT, State.ALONE, State.PRIM, State.SECOND, State.UP})
# Modes of a data plane that accepts changes, or is about to.
SERVES = frozenset({"alone", "leading", "prim"})
ARMED_S_MAX = 3.0
SEED_BYTES = 16
COPIED_FIGURES = ("files", "bytes_copied", "bytes_compared", "seconds")


class ModuleRunner:
    """One loaded module. Made and used inside one event loop.

    on_crash(sentence): the engine is not to be used any more; whoever hears it ends the process.
    neighbour(name): what the module checker sees of another module of this node. armed: set while
    the guardian's watchdog counts, None without a guardian. alive: started, one for all modules.
    """

    def __init__(
        self,
        layout: Layout,
        settings: ModuleSettings,
        on_crash: Callable[[str], None],
        neighbour: Callable[[str], Neighbour | None],
        armed: asyncio.Event | None,
        alive: AliveWriter,
        heartbeats: HeartbeatThread,
    ) -> None:
        self.name = settings.name
        self.settings = settings
        self._layout = layout
        self._paths: ModuleLayout = layout.module(settings.name)
        self._on_crash = on_crash
        self._armed = armed
        self._heartbeats = heartbeats
        self._paths.working.mkdir(parents=True, exist_ok=True)
        self.log = ModuleLog(self._paths.log_database, self.name)
        self.notebook = Notebook(self._paths, self.log, alive)
        self.figures = PlaneFigures()
        self.last_reintegration = LastReintegration(self._paths.working)
        self.loop_count = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._disk_alarm = DiskAlarm()
        self.commanded = False  # somebody has decided what it does
        self.scripts = ScriptRunner.probe(
            layout, self.name, logging=settings.config.user is None or _logs(settings)
        )
        self.client = DataPlaneClient(
            self.name,
            self._paths.data_plane_config,
            self._paths.data_socket,
            self._paths.working / "data-plane.log",
            on_event=self._data_event,
            on_lost=lambda sentence: self.post(DataPlaneLost(sentence)),
        )
        self.heart = NoHeart() if settings.heart is None else self._make_heart(settings.heart)
        self._peer_addresses = settings.heart.peer_addresses if settings.heart else ()
        self.processes = ProcessPort(
            settings.config.errd, self.post, self.notebook.set_resource, self._run_handler
        )
        self.checkers = CheckersPort(settings.checks, self._check_world(neighbour), self.post)
        self._witness = make_witness(layout, settings, self._resource_seen)
        self.addresses = AddressesPort(
            tuple(map(self._keeper, settings.addresses)),
            self._peer_addresses,
            tuple(self._count(one.address) for one in settings.addresses if one.counts),
        )
        self.driver = self._make_driver()

    # --- life ---

    async def start(self) -> None:
        """Find what an earlier control plane left, go on with it, and be heard by the peer.

        Raises: HeartbeatPortTaken (MIR-321), OSError.
        """
        self.notebook.open()
        saved, down_ms = self.notebook.found()
        if self.settings.heart is not None:
            self.settings.plane.write(self._paths.data_plane_config)
            write_fence_file(self._paths, FenceFile.of(self.settings, self.settings.heart))
        else:  # a light module serves whoever else does, also one that had a peer before
            remove_fence_file(self._paths)
        await self._take_up(saved, down_ms)
        self.show_user_settings()  # after Resumed: the first word said is of the state found
        self.checkers.begin()
        synced_ago_ms = self.notebook.synced_ago_ms()
        if synced_ago_ms is not None:
            self.post(SyncedAgo(synced_ago_ms))
        self.post(Ticked())
        if self.scripts.protection:
            self.log.append("W", "userplug", self.scripts.protection)
        self.heart.start()
        self._spawn(self._drive())
        self._spawn(self._watch_plane())
        if isinstance(self.heart, HeartPort):
            self._spawn(self._link_watch(self.heart).run())
        rfs = self.settings.config.rfs
        if rfs is not None and rfs.verifyat is not None:
            schedule = Crontab.parse(rfs.verifyat)
            self._spawn(at_times(schedule, lambda: self._spawn(verify_by_schedule(self))))
        if rfs is not None and rfs.syncat is not None:
            self._spawn(at_times(rfs.syncat, lambda: self.post(SyncDue())))

    async def _take_up(self, saved: SaveState, down_ms: int) -> None:
        """Go on with what an earlier control plane left, or end what it left half done."""
        hello = await self._attach()
        if left := await self.scripts.end_left_script():
            text = f"Script {left}, left by a control plane that is gone, was ended"
            self.log.append("E", "userplug", text)
        if saved.state is State.STOP and hello is not None and hello.get("mode") in SERVES:
            # What was saved is lost, or could not be written: what serves here is ended in order.
            self.log.append("C", "heart", "The state of this module was lost: it starts again")
            saved = SaveState(State.TAKING_OVER, Goal.START.value, str(hello.get("session") or ""))
        if saved.state is not State.STOP:
            await self._go_on(saved, down_ms, hello)
        elif hello is not None:
            # Of a control plane that ended in the middle of a stop, or of an older boot.
            await self.client.end()

    async def _go_on(self, saved: SaveState, down_ms: int, hello: Message | None) -> None:
        """Take up what runs here where an earlier control plane left it."""
        self.post(
            Resumed(
                saved_state=saved.state,
                goal=Goal(saved.goal),
                saved_session=saved.session,
                mode=str(hello.get("mode") or "") if hello else "",
                session=str(hello.get("session") or "") if hello else "",
                gate=str(hello.get("gate") or "") if hello else "",
                down_ms=down_ms,
            )
        )
        if self.notebook.owes_start():
            self.post(CommandAsked("restart", identity="heart"))
        if saved.state in SERVING and hello is not None:
            # The addresses are here already: defended and announced again, never removed.
            with contextlib.suppress(MirrorError, OSError):
                await self.addresses.take()

    async def detach(self) -> None:
        """End the engine; what runs is left as it is. With a stopped module nothing runs."""
        self.heart.stop()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.processes.close()
        await self.checkers.close()
        await self.addresses.stop_counting()
        await self.client.detach()
        if self._witness is not None:
            await self._witness.close()
        self.notebook.leave()
        await asyncio.to_thread(self.notebook.close)

    # --- what is asked ---

    def post(self, event: Event) -> None:
        """Give the engine an event."""
        self.driver.post(event)

    async def command(self, verb: str, arguments: tuple[str, ...], identity: str) -> str:
        """Ask the engine; return "" or the sentence of its refusal."""
        self.commanded = True
        number, answer = self.notebook.command_begins()
        self.post(CommandAsked(verb, arguments, identity, number))
        return await answer

    def set_resource(self, name: str, value: str, by: str = "") -> None:
        """Set a resource, because a script or a program of the module says so."""
        self.checkers.seen(name, value)
        self.post(ResourceChanged(name, value, by))

    @property
    def incarnation(self) -> str:
        """Names the life of its engine."""
        return self.driver.engine.context.incarnation

    @property
    def working(self) -> Path:
        """The folder of what this node keeps of the module."""
        return self._paths.working

    @property
    def record_file(self) -> Path:
        """The durable record."""
        return self._paths.record

    @property
    def state(self) -> State:
        """The engine's state."""
        return self.driver.engine.state

    def show_user_settings(self) -> None:
        """Take up what people switched earlier, and show it, as SafeKit does."""
        self.notebook.set_resource("usersetting.boot", read_user_setting(self._paths, "boot"))
        for name in SWITCHES:
            if found := read_user_setting(self._paths, name):
                self.post(SwitchSet(name, found == ON))

    async def switch(self, name: str, *, on: bool) -> None:
        """`errd|checker|failover on|off`: it holds for the next start too."""
        await asyncio.to_thread(write_user_setting, self._paths, name, on=on)
        self.post(SwitchSet(name, on))

    @property
    def is_settled(self) -> bool:
        """Whether it runs and nothing is on its way: no transition, no plan, no script."""
        in_hand = self.driver.engine.context.plan_id or self.scripts.is_busy
        return self.state in SETTLED and not in_hand

    async def updated(self, word: str) -> None:
        """Run the script `update`: the configuration changed and the module goes on as `word`."""
        self.log.append("E", "heart", "Configuration updated without a stop")
        await self._run_script("update", (word, word, "update"))

    # --- inside ---

    def _make_driver(self) -> Driver:
        held = read_record(self._paths.record)
        record = record_from_map(held) if held is not None else Record()
        engine = Engine(
            self.settings.core,
            record,
            os.urandom(SEED_BYTES),
            self.heart.incarnation.hex(),
            clock.boottime_ms(),
        )
        ports = Ports(
            data=DataPort(self.client, self.settings.plane, self._before_serving),
            records=RecordsPort(self._paths.record, self.settings.core.timeout_ms / 1000),
            scripts=self._scripts_port(),
            addresses=self.addresses,
            witness=self._witness,
            heart=self.heart,
            notebook=self.notebook,
            processes=self.processes,
            host=RebootPort(),
            checkers=self.checkers,
            fence=self._fence(),
        )
        tick_ms = min(self.settings.core.timeout_ms // TICKS_PER_TIMEOUT, TICK_MS_MAX)
        return Driver(
            engine,
            ports,
            now_ms=clock.boottime_ms,
            tick_ms=tick_ms,
            tick=self.heart.tick,
            on_handled=self._handled,
        )

    def _scripts_port(self) -> ScriptsPort:
        config = self.settings.config
        of_script = partial(virtual_host.of_script, self._layout, config.vhost)
        return ScriptsPort(self.scripts, config.user, self.log, of_script, self.processes)

    def _fence(self) -> FencePort | None:
        fence = self.settings.config.fence
        if fence is None:
            return None
        return FencePort(Fencer(fence, self._paths.applied_bin), self.log)

    def _check_world(self, neighbour: Callable[[str], Neighbour | None]) -> CheckWorld:
        user = self.settings.config.user
        return CheckWorld(
            module=self.name,
            place=self.scripts.place,
            variables=user.variables if user is not None else {},
            peer_addresses=self._peer_addresses,
            tls=self.settings.check_tls,
            neighbour=neighbour,
            restarted=lambda check: self.post(CommandAsked("stopstart", (), check.resource)),
            note=lambda sentence: self.log.append("W", "check", sentence),
        )

    def _resource_seen(self, name: str, value: str) -> None:
        """Tell the core of a resource that has no checker: the witness, a network."""
        self.post(ResourceChanged(name, value))

    async def _before_serving(self) -> None:
        """A watchdog counts before a change is accepted. Raises: WatchdogNotArmed (MIR-222)."""
        device = self.settings.config.heart.watchdog
        if not device:
            return
        try:
            async with asyncio.timeout(ARMED_S_MAX):
                await (self._armed or asyncio.Event()).wait()
        except TimeoutError as error:
            observed = say("watchdog.not_armed")
            raise WatchdogNotArmed(device=device, observed=observed) from error

    def _make_heart(self, heart: HeartbeatSettings) -> HeartPort:
        idents = {one.name: one.ident for one in self.settings.config.heart.heartbeats}

        def heartbeats(listener: HeartbeatListener) -> Heartbeats:
            return Heartbeats(self._heartbeats, heart, listener)

        def on_lan(lan: str, state: str) -> None:
            self.set_resource(f"heartbeat.{idents.get(lan, lan)}", state)

        return HeartPort(heart, self.log, self.post, heartbeats, on_lan)

    def _link_watch(self, heart: HeartPort) -> LinkWatch:
        return LinkWatch(
            self.settings.core.timeout_ms,
            heart,
            self.client,
            self.log,
            lambda: self.driver.engine,
            self.post,
            self._changes,
        )

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _attach(self) -> Message | None:
        """Greet a living data plane; one that is silent is killed and counts as none."""
        try:
            return await self.client.attach()
        except MirrorError as error:
            self.log.append("E", "nfsbox", str(error))
            self.client.kill()
            await self.client.wait_gone()
            return None

    async def _drive(self) -> None:
        try:
            await self.driver.run()
        except Exception as error:  # noqa: BLE001 - an engine that broke a rule must not go on
            self.log.append("C", "heart", f"The automaton stopped: {error!r}")
            self._on_crash(f"{self.name}: {error!r}")

    def _handled(self, event: Event) -> None:
        self.notebook.still_alive()
        synced_ms = self.driver.engine.context.synced_ms
        if synced_ms is not None and self.settings.core.syncdelta_ms:  # nobody else asks for it
            self.notebook.note_synced(synced_ms)
        if isinstance(event, Stalled):
            self.heart.say_again()

    def _data_event(self, message: Message) -> None:
        if message.get("event") in ("in_sync", "target_in_sync"):
            figures = {name: message.get(name) for name in COPIED_FIGURES}
            self.log.append("E", "reintegre", copied_line(message), **figures)
            self._spawn(self.last_reintegration.record(message))
        if message.get("event") in ("verified", "index_lost"):
            self.log.append("E", "nfsbox", str(message.get("sentence") or ""))
        event = event_of(message)
        if event is not None:
            self.post(event)

    async def _changes(self) -> object:
        """Count what the secondary acknowledged so far; it grows only while the link lives."""
        with contextlib.suppress(MirrorError, OSError):
            await self._read_status()
        return (self.figures.status.get("counters") or {}).get("changes")

    async def _watch_plane(self) -> None:
        """Keep the data plane's own figures, for people, and its checkpoint, for the record.

        At the same moments for all modules of a node: the loop wakes once for them.
        """
        loop = asyncio.get_running_loop()
        while True:
            next_s = (round(loop.time() / STATUS_S) + 1) * STATUS_S
            await asyncio.sleep(next_s - loop.time())
            if self.client.pid:
                with contextlib.suppress(MirrorError, OSError):
                    await self._read_status()

    async def _read_status(self) -> None:
        status = await self.client.call("status", {})
        before = int(self.figures.status.get("checkpoint") or 0)
        trouble = _trouble(status)
        if trouble and trouble != _trouble(self.figures.status):
            self.log.append("W", "nfsbox", trouble)
        self.figures.take(status, clock.boottime_ms())
        for level, text in self._disk_alarm.look(status.get("disks") or ()):
            self.log.append(level, "nfsbox", text)
        checkpoint = int(status.get("checkpoint") or 0)
        if checkpoint > before:
            self.post(CheckpointReached(checkpoint))

    def _keeper(self, address: VirtualAddress) -> AddressKeeper:
        def claimed(mac: str) -> None:
            text = f"Address {address.address} is claimed by {mac} too"
            self.log.append("E", "arpreroute", text, mac=mac)

        return AddressKeeper(address, on_claim=claimed)

    def _count(self, address: str) -> ConnectionCount:
        resource = f"connections.{address}"
        return ConnectionCount(address, lambda text: self.notebook.set_resource(resource, text))

    def _run_handler(self, script: str, process_class: str) -> None:
        self._spawn(self._handler(script, process_class))

    async def _handler(self, script: str, process_class: str) -> None:
        """Run a handler of errd; when it does not answer 0 the module starts again."""
        handled = False
        with contextlib.suppress(MirrorError, OSError):
            handled = await self._scripts_port().handle(script, process_class)
        if not handled:
            self.post(CommandAsked("stopstart", (), f"errd:{script}"))

    async def _run_script(self, script: str, arguments: tuple[str, ...]) -> None:
        port = self._scripts_port()
        with contextlib.suppress(MirrorError, OSError):
            await port.run(ScriptCall(script, arguments))


def _logs(settings: ModuleSettings) -> bool:
    user = settings.config.user
    return user is not None and user.logging != "none"


def _trouble(status: Mapping[str, Any]) -> str:
    """What makes capture="watch" later than it might be."""
    return str((status.get("watch") or {}).get("trouble") or "")

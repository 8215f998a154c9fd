"""One module on this node while the control plane runs: its ports, its engine, its driver.

Ending it (`detach`) leaves application, mount, address and data plane as they are: the next
control plane goes on with them (design 3).
"""

import asyncio
import contextlib
import hashlib
import os
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from mirror.adapters import clock
from mirror.adapters.addresses import AddressKeeper, VirtualAddress
from mirror.adapters.data_plane_client import DataPlaneClient
from mirror.adapters.heartbeats import HeartbeatListener, Heartbeats
from mirror.adapters.module_log import ModuleLog
from mirror.adapters.pki_files import PkiFiles, read_file
from mirror.adapters.records import read_record
from mirror.adapters.scripts import ScriptRunner
from mirror.adapters.witness import EtcdSettings, EtcdWitness, PingWitness
from mirror.config.layout import Layout, ModuleLayout
from mirror.core.engine import Engine
from mirror.daemon.driver import Driver
from mirror.daemon.node.addresses_port import AddressesPort
from mirror.daemon.node.data_port import DataPort, copied_line, event_of
from mirror.daemon.node.fence_file import FenceFile, write_fence_file
from mirror.daemon.node.heart_port import HeartPort
from mirror.daemon.node.host_ports import RebootPort, RecordsPort
from mirror.daemon.node.notebook_port import Notebook
from mirror.daemon.node.process_port import ProcessPort
from mirror.daemon.node.scripts_port import ScriptsPort
from mirror.daemon.node.settings_builder import ModuleSettings
from mirror.daemon.node.witness_port import EtcdPort, PingPort
from mirror.daemon.ports import Ports
from mirror.errors import MirrorError
from mirror.vocabulary.actions import ScriptCall
from mirror.vocabulary.events import (
    CheckpointReached,
    CommandAsked,
    DataPlaneLost,
    Event,
    LinkAlive,
    LinkLost,
    Resumed,
    Stalled,
    Ticked,
)
from mirror.vocabulary.record import Record, record_from_map
from mirror.vocabulary.states import SERVING, Goal, State
from mirror.wire.local import Message

TICKS_PER_TIMEOUT = 10
TICK_MS_MAX = 500
STATUS_S = 1.0
SAMPLES_PER_TIMEOUT = 8
SEED_BYTES = 16
COPIED_FIGURES = ("files", "bytes_copied", "bytes_compared", "seconds")


@dataclass(slots=True)
class PlaneFigures:
    """What the data plane last said of itself, and when (boot clock)."""

    status: Message
    at_ms: int


class ModuleRunner:
    """One loaded module. Made and used inside one event loop.

    on_crash(sentence): the engine is not to be used any more; whoever hears it ends the process.
    """

    def __init__(
        self, layout: Layout, settings: ModuleSettings, on_crash: Callable[[str], None]
    ) -> None:
        self.name = settings.name
        self.settings = settings
        self._layout = layout
        self._paths: ModuleLayout = layout.module(settings.name)
        self._on_crash = on_crash
        self._paths.working.mkdir(parents=True, exist_ok=True)
        self.log = ModuleLog(self._paths.log_database, self.name)
        self.notebook = Notebook(self._paths, self.log)
        self.figures = PlaneFigures({}, 0)
        self.loop_count = 0
        self._tasks: set[asyncio.Task[None]] = set()
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
        self.heart = HeartPort(
            settings.heart, self.log, self.post, self._all_silent, self._make_heartbeats
        )
        self.processes = ProcessPort(
            settings.config.errd, self.post, self.notebook.set_resource, self._run_handler
        )
        self._witness = _witness(layout, settings)
        self.addresses = AddressesPort(
            tuple(map(self._keeper, settings.addresses)),
            tuple(lan.peer_addr for lan in settings.heart.lans),
        )
        self.driver = self._make_driver()

    # --- life ---

    async def start(self) -> None:
        """Find what an earlier control plane left, go on with it, and be heard by the peer.

        Raises: HeartbeatPortTaken (MIR-321), OSError.
        """
        self.notebook.open()
        saved, down_ms = self.notebook.found()
        self.settings.plane.write(self._paths.data_plane_config)
        write_fence_file(self._paths, FenceFile.of(self.settings))
        hello = await self._attach()
        if saved.state is not State.STOP:
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
            if saved.state in SERVING and hello is not None:
                # The addresses are here already: defended and announced again, never removed.
                with contextlib.suppress(MirrorError, OSError):
                    await self.addresses.take()
        elif hello is not None:
            # Of a control plane that ended in the middle of a stop, or of an older boot.
            await self.client.end()
        self.post(Ticked())
        if self.scripts.protection:
            self.log.append("W", "userplug", self.scripts.protection)
        self.heart.heartbeats.start()
        self._spawn(self._drive())
        self._spawn(self._watch_plane())

    async def detach(self) -> None:
        """End the engine; what runs is left as it is. With a stopped module nothing runs."""
        self.heart.heartbeats.stop()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.processes.close()
        await self.client.detach()
        if self._witness is not None:
            await self._witness.close()
        await asyncio.to_thread(self.notebook.close)

    # --- what is asked ---

    def post(self, event: Event) -> None:
        """Give the engine an event."""
        self.driver.post(event)

    async def command(self, verb: str, arguments: tuple[str, ...], identity: str) -> str:
        """Ask the engine; return "" or the sentence of its refusal."""
        number, answer = self.notebook.command_begins()
        self.post(CommandAsked(verb, arguments, identity, number))
        return await answer

    @property
    def state(self) -> State:
        """The engine's state."""
        return self.driver.engine.state

    # --- inside ---

    def _make_driver(self) -> Driver:
        held = read_record(self._paths.record)
        record = record_from_map(held) if held is not None else Record()
        engine = Engine(
            self.settings.core,
            record,
            os.urandom(SEED_BYTES),
            self.heart.heartbeats.incarnation.hex(),
            clock.boottime_ms(),
        )
        ports = Ports(
            data=DataPort(self.client, self.settings.plane),
            records=RecordsPort(self._paths.record),
            scripts=ScriptsPort(self.scripts, self.settings.config.user, self.log),
            addresses=self.addresses,
            witness=self._witness,
            heart=self.heart,
            notebook=self.notebook,
            processes=self.processes,
            host=RebootPort(),
        )
        tick_ms = min(self.settings.core.timeout_ms // TICKS_PER_TIMEOUT, TICK_MS_MAX)
        return Driver(
            engine,
            ports,
            now_ms=clock.boottime_ms,
            tick_ms=tick_ms,
            on_handled=self._handled,
        )

    def _make_heartbeats(self, listener: HeartbeatListener) -> Heartbeats:
        return Heartbeats(self.settings.heart, asyncio.get_running_loop(), listener)

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
        if isinstance(event, Stalled):
            self.heart.say_again()

    def _data_event(self, message: Message) -> None:
        if message.get("event") in ("in_sync", "target_in_sync"):
            figures = {name: message.get(name) for name in COPIED_FIGURES}
            self.log.append("E", "reintegre", copied_line(message), **figures)
        event = event_of(message)
        if event is not None:
            self.post(event)

    def _all_silent(self) -> None:
        """Ask whether the data link lives, when no network brings a word of the peer.

        A link that carries nothing is no proof of life, and a host that lost its power resets no
        connection: without this a primary would wait for the link's own, longer timeout.
        """
        self._spawn(self._judge_link())

    async def _judge_link(self) -> None:
        pause_s = self.settings.core.timeout_ms / SAMPLES_PER_TIMEOUT / 1000
        while not self.heart.lans_heard:
            session = self.driver.engine.context.session
            if not session or self.state not in {State.PRIM, State.ALONE}:
                return
            before = await self._changes()
            await asyncio.sleep(pause_s)
            if self.heart.lans_heard:
                return
            if before == await self._changes():
                await self._part(session)
                return
            self.post(LinkAlive(session))

    async def _part(self, session: str) -> None:
        """Have the data plane give the session up; what waits for the peer is held then."""
        reason = "no heartbeat on any network, the link is silent"
        self.log.append("E", "nfsbox", f"Link lost: {reason}")
        try:
            await self.client.call("part", {"reason": reason})
        except (MirrorError, OSError) as error:
            self.post(LinkLost(session, str(error)))

    async def _changes(self) -> object:
        """Count what the secondary acknowledged so far; it grows only while the link lives."""
        with contextlib.suppress(MirrorError, OSError):
            await self._read_status()
        return (self.figures.status.get("counters") or {}).get("changes")

    async def _watch_plane(self) -> None:
        """Keep the data plane's own figures, for people, and its checkpoint, for the record."""
        while True:
            await asyncio.sleep(STATUS_S)
            if self.client.pid:
                with contextlib.suppress(MirrorError, OSError):
                    await self._read_status()

    async def _read_status(self) -> None:
        status = await self.client.call("status", {})
        before = int(self.figures.status.get("checkpoint") or 0)
        self.figures = PlaneFigures(status, clock.boottime_ms())
        checkpoint = int(status.get("checkpoint") or 0)
        if checkpoint > before:
            self.post(CheckpointReached(checkpoint))

    def _keeper(self, address: VirtualAddress) -> AddressKeeper:
        def claimed(mac: str) -> None:
            text = f"Address {address.address} is claimed by {mac} too"
            self.log.append("E", "arpreroute", text, mac=mac)

        return AddressKeeper(address, on_claim=claimed)

    def _run_handler(self, script: str) -> None:
        self._spawn(self._handler(script))

    async def _handler(self, script: str) -> None:
        port = ScriptsPort(self.scripts, self.settings.config.user, self.log)
        with contextlib.suppress(MirrorError, OSError):
            await port.run(ScriptCall(script, ()))


def _logs(settings: ModuleSettings) -> bool:
    user = settings.config.user
    return user is not None and user.logging != "none"


def _witness(layout: Layout, settings: ModuleSettings) -> EtcdPort | PingPort | None:
    split = settings.config.splitbrain
    if split is None:
        return None
    if split.exec == "ping":
        return PingPort(PingWitness(split.witnesses))
    # Both nodes have the same authority, and no other cluster has it.
    authority = read_file(PkiFiles(layout.pki).ca_certificate)
    etcd = EtcdSettings(
        endpoints=split.witnesses,
        cluster=hashlib.sha256(authority).hexdigest()[:16],
        module=settings.name,
    )
    return EtcdPort(EtcdWitness(etcd), settings.core.node)

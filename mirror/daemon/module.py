"""One module on this node: configuration, ports, engine and loop, put together here."""

import asyncio
import contextlib
import secrets
import socket
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import structlog

from mirror.adapters import clock
from mirror.adapters.addresses import AddressKeeper, VirtualAddress
from mirror.adapters.data_plane_client import DataPlaneClient
from mirror.adapters.errd import ProcessChecker
from mirror.adapters.heartbeats import HeartbeatListener, Heartbeats, HeartbeatSettings, Lan
from mirror.adapters.module_log import ModuleLog
from mirror.adapters.pki_files import read_cluster_key
from mirror.adapters.records import read_record
from mirror.adapters.scripts import ScriptRunner
from mirror.adapters.witness import EtcdSettings, EtcdWitness, PingWitness
from mirror.config.cluster import Cluster
from mirror.config.layout import Layout, ports_of
from mirror.config.models import ModuleConfig
from mirror.core import speech
from mirror.core.engine import Engine
from mirror.core.settings import Settings
from mirror.daemon import host_ports, plane_events
from mirror.daemon.driver import Driver
from mirror.daemon.notebook import Notebook
from mirror.daemon.plane.directories import Directory
from mirror.daemon.plane.settings import PlaneSettings
from mirror.daemon.ports import Ports, Witness
from mirror.errors import MirrorError
from mirror.vocabulary.actions import Log
from mirror.vocabulary.events import (
    CommandAsked,
    DataPlaneLost,
    Event,
    PeerHeard,
    Resumed,
    Stalled,
)
from mirror.vocabulary.facts import WitnessKind
from mirror.vocabulary.record import Record, record_from_map
from mirror.vocabulary.states import SERVING, SHOWN, Goal, State
from mirror.vocabulary.words import word_from_map

TICK_MS_MAX = 200
trace = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class NodeFacts:
    """What all modules of a node share."""

    layout: Layout
    node: str
    cluster: Cluster


class ModuleRunner:
    """A configured module. Made, started and closed inside the event loop."""

    def __init__(self, facts: NodeFacts, name: str, module_id: int, config: ModuleConfig) -> None:
        peer = facts.cluster.peer_of(facts.node)
        assert peer is not None, "config has checked that there are two nodes"
        self.name, self.config, self.peer = name, config, peer
        self._facts = facts
        self._ports_of = ports_of(module_id)
        self._paths = facts.layout.module(name)
        self.log = ModuleLog(self._paths.log_database, name)
        self.notebook = Notebook(self._paths, self.log)
        self.data = DataPlaneClient(
            name,
            self._paths.data_plane_config,
            self._paths.data_socket,
            self._paths.working / "data-plane.log",
            on_event=self._on_data_event,
            on_lost=lambda sentence: self.post(DataPlaneLost(sentence)),
        )
        self.timeout_ms = max(beat.timeout_ms for beat in config.heart.heartbeats)
        self._heartbeats: Heartbeats | None = None
        self._driver: Driver | None = None
        self._run: asyncio.Task[None] | None = None
        self._addresses: host_ports.HostAddresses | None = None
        self.processes: host_ports.HostProcesses | None = None
        self._bad_words = 0

    @property
    def engine(self) -> Engine:
        """The automaton; to be read only."""
        assert self._driver is not None
        return self._driver.engine

    # --- life ---

    async def start(self, on_broken: Callable[["ModuleRunner", BaseException], None]) -> None:
        """Begin: heartbeats, the loop, and whatever an earlier control plane left running.

        on_broken: the loop ended by a broken invariant; the gate is to be closed.
        Raises: MirrorError (a torn record, a taken port...), OSError.
        """
        await asyncio.to_thread(self._prepare)
        record = await asyncio.to_thread(self._read_record)
        loop = asyncio.get_running_loop()
        beats = Heartbeats(
            await asyncio.to_thread(self._heartbeat_settings),
            loop,
            HeartbeatListener(
                on_heard=self._on_heard,
                on_silent=lambda _lan: None,  # the engine counts silence itself, over all networks
                on_stall=lambda stalled_ms: self.post(Stalled(stalled_ms)),
                on_note=self._on_note,
            ),
        )
        self._heartbeats = beats
        settings = self._settings(await asyncio.to_thread(self._data_addresses))
        now_ms = clock.boottime_ms()
        engine = Engine(settings, record, secrets.token_bytes(16), beats.incarnation.hex(), now_ms)
        self._driver = Driver(
            engine,
            self._make_ports(beats),
            now_ms=clock.boottime_ms,
            tick_ms=min(TICK_MS_MAX, max(20, self.timeout_ms // 10)),
            on_handled=lambda _event: self.notebook.still_alive(),
        )
        await self._resume()
        self._run = loop.create_task(self._driver.run(), name=f"module-{self.name}")
        self._run.add_done_callback(lambda task: self._ended(task, on_broken))
        beats.start()

    async def close(self) -> None:
        """End this control plane's part; application, mount and address are left as they are."""
        if self._run is not None:
            self._run.cancel()
            await asyncio.gather(self._run, return_exceptions=True)
        if self._heartbeats is not None:
            await asyncio.to_thread(self._heartbeats.stop)
        if self.processes is not None:
            await self.processes.close()
        await self.data.detach()
        await asyncio.to_thread(self.notebook.close)

    def post(self, event: Event) -> None:
        """Hand an event to the engine."""
        if self._driver is not None:
            self._driver.post(event)

    async def command(self, verb: str, arguments: tuple[str, ...], identity: str) -> str:
        """Ask the engine; "" or the sentence of its refusal."""
        number, answer = self.notebook.command_begins()
        self.post(CommandAsked(verb, arguments, identity, number))
        return await answer

    def _ended(
        self,
        task: "asyncio.Task[None]",
        on_broken: Callable[["ModuleRunner", BaseException], None],
    ) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self.log.append("C", "heart", f"stopped by a broken rule: {error}")
            on_broken(self, error)

    async def _resume(self) -> None:
        saved, down_ms = self.notebook.found()
        hello = await self._attach()
        assert self._driver is not None
        if saved.state is State.STOP and hello is None:
            return
        self._driver.post(
            Resumed(
                saved_state=saved.state,
                goal=Goal(saved.goal),
                saved_session=saved.session,
                mode=str(hello["mode"]) if hello else "",
                session=str(hello["session"]) if hello else "",
                gate=str(hello["gate"]) if hello else "",
                down_ms=down_ms,
            )
        )
        if saved.state in SERVING and hello is not None and self._addresses is not None:
            # It is here already: defended and announced again, never removed.
            with contextlib.suppress(MirrorError):
                await self._addresses.take()

    async def _attach(self) -> dict[str, Any] | None:
        try:
            return await self.data.attach()
        except MirrorError as error:
            trace.warning("data plane found silent", module=self.name, error=str(error))
            return None

    # --- building ---

    def _prepare(self) -> None:
        self._paths.working.mkdir(parents=True, exist_ok=True)
        self._facts.layout.run.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.notebook.open()
        layout, rfs = self._facts.layout, self.config.rfs
        PlaneSettings(
            module=self.name,
            node=self._facts.node,
            peer=self.peer,
            socket=str(self._paths.data_socket),
            directories=self.config.directories,
            lower_prefix=str(layout.run / f"{self.name}.lower."),
            index_directory=str(self._paths.index),
            listen_port=self._ports_of.data_tcp,
            ca=str(layout.certificate_authority),
            certificate=str(layout.node_certificate),
            key=str(layout.node_key),
            writeback=rfs is not None and rfs.barrier == "fsync",
            sync_both=rfs is not None and rfs.acknowledge == "none",
            reintegration_threads=rfs.nbrei if rfs else 6,
            reintegration_bytes_s=(rfs.reiallowedbw_bytes_s or 0) if rfs else 0,
            io_timeout_ms=min(rfs.locktimeout_ms, rfs.sendtimeout_ms) if rfs else 30_000,
        ).write(self._paths.data_plane_config)

    def _read_record(self) -> Record:
        values = read_record(self._paths.record)
        return Record() if values is None else record_from_map(values)

    def _settings(self, addresses: tuple[str, ...]) -> Settings:
        service = self.config.service
        return Settings(
            node=self._facts.node,
            peer=self.peer,
            timeout_ms=self.timeout_ms,
            peer_addresses=addresses,
            data_port=self._ports_of.data_tcp,
            failover=service.failover,
            defaultprim=service.defaultprim,
            witness=self._witness_kind(),
            maxloop=service.maxloop,
            loop_interval_ms=service.loop_interval_ms,
            automatic_reboot=service.automatic_reboot,
        )

    def _witness_kind(self) -> WitnessKind:
        found = self.config.splitbrain
        return WitnessKind(found.exec) if found else WitnessKind.NONE

    def _heartbeat_settings(self) -> HeartbeatSettings:
        cluster, node = self._facts.cluster, self._facts.node
        lans = []
        for beat in self.config.heart.heartbeats:
            lan = cluster.lan(beat.name or "")
            mine = lan.node(node) if lan else None
            other = lan.node(self.peer) if lan else None
            if lan is None or mine is None or other is None:
                continue  # the old <server> syntax: no network of cluster.xml
            lans.append(
                Lan(
                    name=lan.name,
                    local_addr=_numeric(mine.local_address or mine.address),
                    peer_addr=_numeric(other.address),
                    pulse_ms=beat.pulse_ms,
                    timeout_ms=beat.timeout_ms,
                )
            )
        return HeartbeatSettings(
            module=self.name,
            node=node,
            peer=self.peer,
            lans=tuple(lans),
            port=self.config.heart.port or self._ports_of.heartbeat_udp,
            cluster_key=read_cluster_key(self._facts.layout.pki),
        )

    def _data_addresses(self) -> tuple[str, ...]:
        """Addresses of the peer's data link: the network named for it, then the others."""
        names = [self.config.flow_network]
        names += [beat.name for beat in self.config.heart.heartbeats]
        found = []
        for name in names:
            lan = self._facts.cluster.lan(name or "")
            other = lan.node(self.peer) if lan else None
            if other is not None:
                found.append(_numeric(other.address))
        return tuple(dict.fromkeys(found))

    def _make_ports(self, beats: Heartbeats) -> Ports:
        config, user = self.config, self.config.user
        runner = ScriptRunner.probe(
            self._facts.layout, self.name, logging=user is None or user.logging == "userlog"
        )
        if runner.protection is not None:
            self.log.append("I", "userplug", runner.protection)
        vip = config.vip
        keepers = tuple(
            AddressKeeper(
                VirtualAddress(
                    one.addr,
                    interface.name or "",
                    one.prefix_length,
                    tcp_reset=vip.tcpreset if vip else True,
                ),
                on_claim=lambda mac: self._on_note("virtual ip claimed by another", {"mac": mac}),
            )
            for interface in (vip.interfaces if vip else ())
            for one in interface.addresses
        )
        self._addresses = host_ports.HostAddresses(keepers)
        checker = ProcessChecker(config.errd, self._on_resource) if config.errd else None
        self.processes = host_ports.HostProcesses(checker)
        lower = str(self._facts.layout.run / f"{self.name}.lower.")
        directories = tuple(
            Directory(number, path, f"{lower}{number}")
            for number, path in enumerate(config.directories)
        )
        return Ports(
            data=host_ports.HostData(self.data, directories),
            records=host_ports.HostRecords(self._paths.record),
            scripts=host_ports.HostScripts(runner, user, self.log),
            addresses=self._addresses,
            witness=self._make_witness(),
            heart=host_ports.HostHeart(beats),
            notebook=self.notebook,
            processes=self.processes,
            host=host_ports.HostReboot(),
        )

    def _make_witness(self) -> Witness | None:
        found = self.config.splitbrain
        if found is None:
            return None
        if found.exec == "ping":
            return host_ports.PingPort(PingWitness(found.witnesses))
        cluster = "-".join(self._facts.cluster.node_names)
        settings = EtcdSettings(found.witnesses, cluster=cluster, module=self.name)
        return host_ports.EtcdPort(EtcdWitness(settings), self._facts.node)

    # --- what comes in ---

    def _on_heard(self, lan: str, body: dict[str, Any], incarnation: bytes) -> None:
        del lan, incarnation
        if not body:
            return  # the peer has just begun and has not said anything yet
        try:
            word = word_from_map(body)
        except ValueError as error:
            self._bad_words += 1
            if self._bad_words == 1:
                self._on_note("word of the peer not understood", {"why": str(error)})
            return
        self.post(PeerHeard(word))

    def _on_data_event(self, message: dict[str, Any]) -> None:
        event = plane_events.translate(message)
        if event is not None:
            self.post(event)

    def _on_note(self, text: str, fields: Mapping[str, object]) -> None:
        self.notebook.log(Log("W", "heart", text, dict(fields)))

    def _on_resource(self, name: str, value: str) -> None:
        self.set_resource(name, value)
        errd = self.config.errd
        if value != "down" or errd is None:
            return
        process = next((one for one in errd.processes if f"proc.{one.name}" == name), None)
        action = process.action if process else "noaction"
        if action in {"restart", "stopstart", "stop"}:
            self.log.append("E", "errd", f"Process {name.removeprefix('proc.')} is down")
            self.post(CommandAsked(action, (), "errd"))

    def set_resource(self, name: str, value: str) -> None:
        """Set a resource, from a checker or a script."""
        self.notebook.set_resource(name, value)

    # --- what is told ---

    def status(self) -> dict[str, Any]:
        """What `state` shows."""
        context = self.engine.context
        word, readiness = speech.shown(context)
        peer = context.word_now(clock.boottime_ms())
        there = ("UNKNOWN", "Unknown") if peer is None else SHOWN[peer.state]
        return {
            "state": str(word),
            "ready": readiness == "Ready",
            "transient": readiness == "Transient",
            "readiness": str(readiness),
            "local": {
                "node": self._facts.node,
                "state": str(word),
                "ready": str(readiness),
                "internal": str(context.state),
            },
            "remote": {"node": self.peer, "state": str(there[0]), "ready": str(there[1])},
            "rfs": {
                "uptodate": context.complete(),
                "generation": context.record.current,
                "may_serve": sorted(context.record.may_serve),
                "term": context.record.term,
            },
            "progress": dict(context.progress) if context.leading else {},
            "reason": context.reason or context.refusal,
            "row": context.row,
            "safety": speech.safety(context),
            "heartbeats": self._heartbeat_facts(),
        }

    def _heartbeat_facts(self) -> dict[str, Any]:
        if self._heartbeats is None:
            return {}
        return {name: asdict(one) for name, one in self._heartbeats.statistics().items()}


def _numeric(address: str) -> str:
    """Resolve a name of cluster.xml. Blocking. Raises: OSError."""
    found = socket.getaddrinfo(address, None, type=socket.SOCK_DGRAM)
    return str(found[0][4][0])

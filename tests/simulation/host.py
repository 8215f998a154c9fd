"""One simulated host: what survives a power loss, what does not, and the ports of one module."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mirror.core.engine import Engine
from mirror.core.rules import RuleSettings, WatchedResource, default_rules
from mirror.core.settings import Settings
from mirror.core.witness_rule import may_replace
from mirror.daemon.driver import Driver
from mirror.daemon.ports import Ports
from mirror.errors import NodeNotReachable, ProcessesRemain, RecordNotWritten
from mirror.vocabulary.actions import (
    Action,
    CallData,
    Log,
    Plan,
    PlanAction,
    SaveState,
    ScriptCall,
    ShowState,
)
from mirror.vocabulary.events import (
    CommandAsked,
    DataFault,
    DataPlaneLost,
    Event,
    PeerHeard,
    ResourceChanged,
    Resumed,
)
from mirror.vocabulary.facts import Hearing, WitnessKind
from mirror.vocabulary.record import Record, record_from_map
from mirror.vocabulary.states import Goal, State
from mirror.vocabulary.words import Word, word_from_map
from tests.simulation.ledger import Disk, Ledger, Violation
from tests.simulation.network import LANS, Network
from tests.simulation.plane import SimPlane
from tests.simulation.process import Signal

if TYPE_CHECKING:
    from tests.simulation.world import World

FENCE_DELAY_MS, FENCE_TIMEOUT_MS = 3_000, 2_500
HANGS = 0.3  # a stop script that leaves its application running: it must be killed
AGENT_FAILS = 0.25
LOOKED_AT_ANYWAY = 4  # one seed in so many: it makes a run twice as long
LOOKED_AT_OF_MIXED = 16
STAYS = 0.1  # a process that a kill does not end at once
IN_STEP = {State.PRIM, State.FREEZING, State.SECOND, State.ORPHANED}
GOES_ON = {State.SETTLING, State.TAKING_OVER, State.GOING_ALONE}
CHECKERS = (
    WatchedResource("intf.net1", "pre", "wait"),
    WatchedResource("tcp.web", "prim", "restart"),
    WatchedResource("custom.load", "prim", "swap"),
    WatchedResource("custom.deep", "both", "stopstart"),
)
PRE = frozenset({"intf.net1"})
RULES_EVERY_MS, RULES_HOLD_MS = 200, 600


class ToldEngine(Engine):
    """The production engine; what it asks for goes into the story."""

    def __init__(self, host: "SimHost", settings: Settings, record: Record, seed: bytes) -> None:
        self._host = host
        # Made some time before its first event, as on a host that is busy.
        made_ms = max(0, host.now_ms() - host.world.random.choice((0, 50, 1500)))
        super().__init__(settings, record, seed, seed.hex(), made_ms)

    def rests(self, event: Event, now_ms: int) -> bool:
        """What is passed over without a look would have had no effect."""
        if self._rest is None or not self._host.world.looks_anyway:
            return super().rests(event, now_ms)
        looking = self.twin()
        if not super().rests(event, now_ms):
            return False
        looking._rest = None
        actions = Engine.handle(looking, event, now_ms)
        assert not actions, f"passed over: {actions}"
        assert looking.context == self.context, "passed over, and something changed"
        return True

    def handle(self, event: Event, now_ms: int) -> tuple[Action, ...]:
        before = self.state
        actions = super().handle(event, now_ms)
        host, row = self._host, self.context.row
        went_on = self.state is not before and self.state in GOES_ON and before in IN_STEP
        if went_on and self.context.hearing(now_ms) is Hearing.SILENT:
            host.world.check_silence(host)
        if self.state is not before:
            host.world.stir()
            host.world.story(f"{host.name} state  {before} -> {self.state} row={row}")
        for action in actions:
            if isinstance(action, Plan) and action.actions:
                host.world.story(f"{host.name} action {' '.join(map(_name, action.actions))}")
        return actions


def _name(action: PlanAction) -> str:
    return f"Call({action.verb})" if isinstance(action, CallData) else type(action).__name__


class GatedDriver(Driver):
    """The production loop, on a host that may stand still."""

    def __init__(self, host: "SimHost", engine: Engine, ports: Ports) -> None:
        self._host = host
        super().__init__(engine, ports, now_ms=host.now_ms, tick_ms=host.world.timing.tick_ms)

    async def _next(self) -> Event:
        event = await super()._next()
        await self._host.running.wait()
        return event

    def _passes_over(self, event: Event) -> bool:
        return self._host.running.is_set() and super()._passes_over(event)


class SimHost:
    """A host. Fields above `powered` survive everything; the rest is gone with the power."""

    def __init__(self, world: "World", name: str) -> None:
        self.world = world
        self.name = name
        self.peer: SimHost
        self.saved_record: dict[str, Any] = {}
        self.disk = Disk()
        self.saved = SaveState(State.STOP, Goal.STOP.value, "")
        self.owes_start = False
        self.disk_fails = False
        self.disk_full = False
        self.drift = world.random.uniform(0.98, 1.02)  # of this host's clock
        self.jumped_ms = 0
        self.checked: dict[str, str] = {}
        self.powered = False
        self.running = Signal()
        self.running.set()
        self.plane: SimPlane | None = None
        self.driver: GatedDriver | None = None
        self.app = False
        self.address = False
        self.word: Mapping[str, Any] | None = None
        self.sequence = 0
        self.heard_sequence = 0
        self.heard_map: Mapping[str, Any] = {}  # read once: most words say again what was said
        self.heard_word: Word
        self.tasks: list[asyncio.Task[None]] = []
        self.control_died_ms = 0
        self.command_refusals: list[str] = []

    @property
    def network(self) -> Network:
        return self.world.network

    @property
    def ledger(self) -> Ledger:
        return self.world.ledger

    @property
    def state(self) -> State:
        return self.driver.engine.state if self.driver else State.STOP

    def now_ms(self) -> int:
        """The boot clock of this host: it drifts, and jumps ahead when the host was suspended."""
        return round(self.world.now_ms() * self.drift) + self.jumped_ms

    def set_checker(self, name: str, value: str) -> None:
        """A checker found something; it tells while it runs."""
        self.checked[name] = value
        self.post(ResourceChanged(name, value))

    def check_disk(self) -> None:
        """A checkpoint on a disk that is full or broken fails, and is told."""
        if self.disk_full and self.plane is not None and self.plane.mode == "second":
            self.disk_fault()

    def disk_fault(self) -> None:
        """The data plane could not apply what it received."""
        plane = self.plane
        if plane is not None and plane.session:
            session = plane.session
            mate = plane.peer
            plane.lose(session, "no space left")
            if mate is not None:
                mate.lose(session, "parted")
        self.post(DataFault("local", "no space left on device"))

    def acknowledges(self) -> bool:
        """Tell whether a client that reaches this host is told that its change is done."""
        plane = self.plane
        open_here = plane is not None and plane.alive and plane.gate == "open" and self.app
        return open_here and self.powered and self.running.is_set()

    def post(self, event: Event) -> None:
        if self.driver is not None and self.powered:
            self.driver.post(event)

    # --- life ---

    def boot(self) -> None:
        """Power on: the control plane starts, the module's state is STOP."""
        self.powered, self.app, self.address, self.plane = True, False, False, None
        self.word = None  # what it said before its fall is nobody's word now
        self.saved = SaveState(State.STOP, Goal.STOP.value, "")
        self.owes_start = False
        self.start_control(resumed=False)

    def start_control(self, *, resumed: bool) -> None:
        settings = Settings(
            node=self.name,
            peer=self.peer.name,
            timeout_ms=self.world.timing.timeout_ms,
            peer_addresses=("10.0.0.2",),
            data_port=5600,
            witness=WitnessKind.ETCD if self.world.witness_used else WitnessKind.NONE,
            maxloop=0,
            rules=RuleSettings(
                default_rules(CHECKERS),
                round(self.world.lasting(RULES_EVERY_MS)),
                round(self.world.lasting(RULES_HOLD_MS)),
                PRE,
            ),
            checkers=CHECKERS,
            fence=self.world.fence_used,
            fence_delay_ms=FENCE_DELAY_MS,
            fence_timeout_ms=FENCE_TIMEOUT_MS,
            **self.world.settings,
        )
        record = record_from_map(self.saved_record) if self.saved_record else Record()
        seed = self.world.random.randbytes(16)
        engine = ToldEngine(self, settings, record, seed)
        ports = Ports(
            data=_Data(self),
            records=_Records(self),
            scripts=_Scripts(self),
            addresses=_Addresses(self),
            witness=_Witness(self) if self.world.witness_used else None,
            heart=_Heart(self),
            notebook=_Notebook(self),
            processes=_Processes(),
            host=_Reboot(),
            checkers=_Checkers(self),
            fence=_Fence(self),
        )
        self.heard_sequence = 0
        self.driver = GatedDriver(self, engine, ports)
        loop = asyncio.get_running_loop()
        run = loop.create_task(self.driver.run())
        run.add_done_callback(self.world.task_ended)
        self.tasks = [run, loop.create_task(self._pulse())]
        if resumed:
            plane = self.plane if self.plane is not None and self.plane.alive else None
            self.driver.post(
                Resumed(
                    saved_state=self.saved.state,
                    goal=Goal(self.saved.goal),
                    saved_session=self.saved.session,
                    mode=plane.mode if plane else "",
                    session=plane.session if plane else "",
                    gate=plane.gate if plane else "",
                    down_ms=self.now_ms() - self.control_died_ms,
                )
            )
            if self.owes_start:
                self.driver.post(CommandAsked("restart", identity="heart"))

    def kill_control(self) -> None:
        """The control plane dies; application, address and data plane live on."""
        for task in self.tasks:
            task.cancel()
        self.tasks, self.driver = [], None
        self.control_died_ms = self.now_ms()

    def power_off(self) -> None:
        """Everything that is not on disk is gone; the peer's connections just hang."""
        self.kill_control()
        self.powered = False
        if self.plane is not None:
            self.plane.die()
        self.plane, self.app, self.address = None, False, False
        self.running.set()

    def kill_plane(self) -> None:
        if self.plane is not None and self.plane.alive:
            self.plane.die()
            # Its peer may know of it first, as a busy host is told of the end of a child late.
            late_s = self.world.loop.now_ms() % 40 / 1000 if self.world.more_faults else 0
            if late_s:
                self.world.loop.call_later(late_s, self.post, DataPlaneLost("killed"))
            else:
                self.post(DataPlaneLost("killed"))

    def command(self, verb: str, *arguments: str) -> None:
        self.world.story(f"{self.name} command {verb} {' '.join(arguments)}".rstrip())
        self.post(CommandAsked(verb, arguments))

    async def _pulse(self) -> None:
        while True:
            await self.running.wait()
            self.send_word()
            await asyncio.sleep(self.world.timing.pulse_s)

    def send_word(self) -> None:
        if self.word is None or not self.powered:
            return
        self.sequence += 1
        number, word = self.sequence, self.word
        for lan in LANS:
            self.network.send(lan, self.name, lambda: self.peer.hear(number, word))

    def hear(self, number: int, word: Mapping[str, Any]) -> None:
        if self.powered and self.driver is not None and number > self.heard_sequence:
            self.heard_sequence = number
            if word is not self.heard_map:
                self.heard_map, self.heard_word = word, word_from_map(word)
            self.post(PeerHeard(self.heard_word))


class _Port:
    def __init__(self, host: SimHost) -> None:
        self.host = host

    async def _takes(self, low_s: float, high_s: float) -> None:
        await self.host.running.wait()
        await asyncio.sleep(self.host.world.random.uniform(low_s, high_s))
        await self.host.running.wait()


class _Data(_Port):
    async def ensure(self) -> None:
        await self._takes(0.01, 0.05)
        if self.host.plane is None or not self.host.plane.alive:
            self.host.plane = SimPlane(self.host)

    async def call(self, verb: str, fields: Mapping[str, Any]) -> Mapping[str, Any]:
        plane = self.host.plane
        if plane is None:
            raise NodeNotReachable(socket="data.sock", observed=f"nobody to ask {verb}")
        return await plane.call(verb, fields)

    async def close(self) -> None:
        plane = self.host.plane
        if plane is not None and plane.alive:
            await plane.do_unserve()
            plane.alive = False
        self.host.plane = None

    async def clear_dead_mount(self) -> None:
        await self._takes(0.001, 0.01)


class _Records(_Port):
    async def write(self, record: Mapping[str, Any]) -> None:
        await self._takes(0.001, 0.01)
        if self.host.disk_fails:
            raise RecordNotWritten(file="record.json", observed="input/output error")
        self.host.saved_record = dict(record)


class _Scripts(_Port):
    async def run(self, call: ScriptCall) -> None:
        await self._takes(0.005, 0.05)
        if call.name == "start_prim":
            self.host.world.check_start_prim(self.host)
            self.host.app = True
        elif call.name == "stop_prim" and self.host.world.random.random() > HANGS:
            self.host.app = False

    async def end_application(self, scripts: Sequence[str]) -> None:
        await self._takes(0.001, 0.01)
        if "start_prim" in scripts:
            if self.host.app and self.host.world.random.random() < STAYS:
                raise ProcessesRemain(group=self.host.name, observed="one is uninterruptible")
            self.host.app = False


class _Addresses(_Port):
    async def take(self, *, agreed: bool = False) -> None:
        await self._takes(0.01, 0.05)
        if agreed and self.host.peer.address and not self.host.world.both_may_run:
            raise Violation(f"{self.host.name} asks nobody, and the peer holds the address")
        self.host.world.check_address(self.host)
        self.host.address = True

    async def release(self) -> None:
        await self._takes(0.001, 0.01)
        self.host.address = False


class _Witness(_Port):
    async def ask(
        self,
        generation: str,
        may_serve: frozenset[str],
        history: Collection[str],
        then: tuple[str, frozenset[str]],
        *,
        forced: bool,
    ) -> tuple[bool | None, str]:
        await self._takes(0.002, 0.02)
        world, name = self.host.world, self.host.name
        if name in world.witness_cut or "witness" in world.witness_cut:
            return None, "witness not reachable"
        if forced or may_replace(world.witness, (generation, may_serve), history, name):
            world.witness = then
            world.witness_forced = world.witness_forced and len(then[1]) == 1
            world.story(f"witness {name} {sorted(then[1])}")
            return True, ""
        return False, f"the witness holds {world.witness}"


class _Fence(_Port):
    """An agent: it shoots after a while, and may fail before or after it has."""

    async def fence(self, peer: str) -> tuple[bool, str]:
        world, other = self.host.world, self.host.peer
        assert peer == other.name
        world.story(f"{self.host.name} fences {peer}")
        if world.random.random() < AGENT_FAILS:
            await self._takes(0.1, 1.0)
            return False, "the agent does not answer"
        # Its own process: it goes on when the control plane dies.
        world.loop.call_later(world.random.uniform(0.1, 1.0), self._shoot)
        heard_of = world.random.random() > AGENT_FAILS
        for _ in range(20 if heard_of else 5):
            await self._takes(0.1, 0.11)
            if heard_of and not other.powered:
                return True, f"{peer} is off"
        return False, f"{peer} does not go off"

    def _shoot(self) -> None:
        if self.host.powered and self.host.peer.powered and not self.host.world.healed:
            self.host.world.story(f"{self.host.peer.name} is switched off")
            self.host.peer.power_off()


class _Heart(_Port):
    def say(self, word: Mapping[str, Any], *, urgent: bool) -> None:
        self.host.word = dict(word)
        if urgent:
            self.host.send_word()


class _Notebook(_Port):
    def owe_start(self, *, owed: bool) -> None:
        self.host.owes_start = owed

    def log(self, line: Log) -> None:
        if line.level in "CE":
            self.host.world.story(f"{self.host.name} log    {line.text}")

    def save(self, saved: SaveState) -> None:
        self.host.saved = saved

    def show(self, state: ShowState) -> None:
        pass

    def set_resource(self, name: str, value: str) -> None:
        pass

    def answer(self, command_id: int, refusal: str) -> None:
        del command_id
        if refusal:
            self.host.command_refusals.append(refusal)
            self.host.world.story(f"{self.host.name} refused {refusal}")


class _Checkers(_Port):
    """The checkers: each says once more what it sees when it begins to look."""

    def watch(self, classes: Sequence[str]) -> None:
        for one in CHECKERS:
            if one.when in classes:
                value = self.host.checked.get(one.resource, "up")
                self.host.post(ResourceChanged(one.resource, value))


class _Processes:
    def watch(self, classes: Sequence[str]) -> None:
        pass


class _Reboot:
    async def reboot(self) -> None:
        pass

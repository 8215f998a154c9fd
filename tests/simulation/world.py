"""The simulated world: two hosts, two networks, clients, a witness; faults drawn from a seed.

The engine, the driver and the executor are the production ones; only the ports are imitated. Time
jumps, so a minute takes a moment. A run that breaks a rule raises Violation with its story.
"""

import asyncio
import random
from typing import Any

from mirror.vocabulary.states import State
from tests.simulation.host import LOOKED_AT_ANYWAY, LOOKED_AT_OF_MIXED, SimHost
from tests.simulation.ledger import BLOCKS, Disk, Ledger, Violation, check_equal
from tests.simulation.loop import VirtualLoop
from tests.simulation.network import LANS, Network
from tests.simulation.plane import Closed, SimPlane, pulses
from tests.simulation.process import EVER, Process, Signal, Steps
from tests.simulation.timing import Timing, timing

CLIENTS = 3
PATIENCE_S = 20.0  # of a client, in the fast profile
SETTLE_S, SETTLE_MORE_S = 40.0, 4.0  # until both are together; for each second of the timeout more
STIRRED_S = 1.0  # how long clients write where something happens
FAST = timing("fast")
FORCED = "an administrator forced"


class World:
    """One run."""

    def __init__(
        self,
        loop: VirtualLoop,
        seed: int,
        *,
        witness_used: bool,
        fence_used: bool = False,
        timing: Timing = FAST,
    ) -> None:
        self.loop = loop
        self.timing = timing
        self.seed = seed
        self.steady = timing == FAST  # clients never rest
        self.looks_anyway = seed % (LOOKED_AT_ANYWAY if self.steady else LOOKED_AT_OF_MIXED) == 0
        self.random = random.Random(seed)
        self.witness_used = witness_used
        self.fence_used = fence_used
        self.healed = False
        self.more_faults = False
        self.settings: dict[str, Any] = {}  # of the module, beside what every simulation has
        self.witness: tuple[str, frozenset[str]] | None = None
        self.witness_cut: set[str] = set()
        self.ledger = Ledger()
        self.network = Network(loop, self.random)
        self.hosts = {name: SimHost(self, name) for name in ("n1", "n2")}
        self.n1, self.n2 = self.hosts["n1"], self.hosts["n2"]
        self.n1.peer, self.n2.peer = self.n2, self.n1
        self.told: list[str] = []
        self.failed: BaseException | None = None
        self.both_may_run = False
        self.judged = True  # a transcript is told, not judged
        self.witness_forced = False  # an administrator overrode it, and it holds one node still
        self.clients: list[Process] = []
        self.stirred = Signal()  # clients write
        self._calm_s = 0.0

    def now_ms(self) -> int:
        return self.loop.now_ms()

    def story(self, line: str) -> None:
        self.told.append(f"{self.now_ms():>7} {line}")

    def task_ended(self, task: "asyncio.Task[None]") -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self.fail(error)

    def fail(self, error: BaseException) -> None:
        """The first one ends the run."""
        self.failed = self.failed or error

    # --- checks ---

    def ledger_check_serves(self, host: SimHost) -> None:
        record = host.saved_record
        if record.get("forced"):
            self.ledger.excused = self.ledger.excused or "forced"
        if host.powered and host.heard_sequence and host.heard_word.wants_full:
            self.ledger.excused = self.ledger.excused or "an administrator gave the peer's data up"
        self.ledger.check_holds_all(host.name, host.disk)

    def check_start_prim(self, host: SimHost) -> None:
        """Invariant 8, whenever the two nodes can know of each other."""
        apart = self.both_may_run or not self.judged
        if host.peer.app and host.peer.powered and not apart:
            raise Violation(f"start_prim on {host.name} while it runs on {host.peer.name}")

    def check_address(self, host: SimHost) -> None:
        """Invariant 8 for the address, under the same condition."""
        apart = self.both_may_run or not self.judged
        if host.peer.address and host.peer.powered and not apart:
            raise Violation(f"{host.name} takes the address that {host.peer.name} holds")

    def check_silence(self, host: SimHost) -> None:
        """A living data link counts as a heartbeat: nobody goes on beside it out of silence."""
        plane = host.plane
        other = plane.peer if plane is not None else None
        if plane is None or other is None or not pulses(plane, other):
            return
        # It carries again, somebody decides for the source again, or this clock jumped, and the
        # link has not said anything since.
        if plane.unanswered or not plane.attended or plane.looked_jumped_ms != host.jumped_ms:
            return
        if not self._someone_stands():
            raise Violation(f"{host.name} goes on out of silence, and the link lives")

    def in_step_again(self, disk: Disk) -> None:
        """Both disks hold the same: every excuse ends here."""
        if not self.judged:
            return
        self.ledger.together(disk)
        self.both_may_run = not self.fence_used and (self.cut_off() or self._someone_stands())
        if self.both_may_run and self._nobody_decides() and self.cut_off():
            self.ledger.excused = "partition without a witness"

    def _someone_stands(self) -> bool:
        return any(not host.running.is_set() for host in self.hosts.values())

    def check_acknowledged(self, host: SimHost) -> None:
        """Invariants 2, 4 and 6 at the moment a client is told."""
        may_serve = host.saved_record.get("may_serve", [])
        if host.name not in may_serve:
            raise Violation(f"{host.name} acknowledges and may not serve: {may_serve}")
        if host.plane is not None and host.plane.mode == "alone" and len(may_serve) != 1:
            raise Violation(f"{host.name} acknowledges alone, its record says {may_serve}")
        other = host.peer
        if other.acknowledges() and not self.both_may_run:
            raise Violation(f"{host.name} and {other.name} acknowledge, and hear each other")
        if not self._witness_knows(host):
            held = self.witness
            raise Violation(f"{host.name} acknowledges; the witness says {held}")

    def _witness_knows(self, host: SimHost) -> bool:
        """Whoever acknowledges stands there, or what stands there is what it has moved on from.

        Or who stands there has it too: a secondary that was silent for a moment had been granted
        what it then did not need. To go on without the primary it ends their session first.
        """
        if self.witness is None or self.witness_forced or host.name in self.witness[1]:
            return True
        mirrored = host.plane is not None and host.plane.mode == "prim"
        if mirrored and self.witness[1] == {host.peer.name} and not host.peer.acknowledges():
            return True
        return self.witness[0] in host.saved_record["history"]

    # --- clients ---

    def _client(self, number: int) -> Steps:
        mine = [block for block in range(BLOCKS) if block % CLIENTS == number]
        draw = self.random
        while True:
            yield draw.uniform(0.005, 0.03)
            if not self.stirred.is_set():
                yield self.stirred, EVER
            servers = [host for host in self.hosts.values() if host.address and host.app]
            if not servers:
                continue
            host = draw.choice(servers)
            plane = host.plane
            if plane is None or not plane.alive or not host.powered:
                continue
            if not host.running.is_set():
                yield host.running, EVER
            block = draw.choice(mine)
            value = self.ledger.begin(host.disk, block)
            try:
                yield from plane.write(block, value, self.loop.time() + self.lasting(PATIENCE_S))
            except (Closed, TimeoutError):
                continue
            self._tell_client(host, plane, block, value)

    def _tell_client(self, host: SimHost, plane: SimPlane, block: int, value: int) -> None:
        """Acknowledge, unless the host or its application is gone meanwhile."""
        if host.powered and host.plane is plane and host.app:
            self.check_acknowledged(host)
            self.ledger.acknowledge(host.name, block, value)

    def start_clients(self) -> None:
        self.stir()
        for number in range(CLIENTS):
            self.clients.append(Process(self.loop, self._client(number), self.fail))

    def stir(self) -> None:
        """Have clients write for a while: always in the fast profile, else where things happen."""
        self._calm_s = self.loop.time() + STIRRED_S
        if not self.stirred.is_set():
            self.stirred.set()
            if not self.steady:
                self.loop.call_at(self._calm_s, self._calm)

    def _calm(self) -> None:
        """Let clients rest, unless something has happened meanwhile."""
        if self._calm_s > self.loop.time():
            self.loop.call_at(self._calm_s, self._calm)
        else:
            self.stirred.clear()

    # --- time ---

    def lasting(self, seconds: float) -> float:
        """Give a duration of the fast profile in that of this life."""
        return seconds * self.timing.slower

    async def sleep(self, seconds: float) -> None:
        """Let the world go on; stop at the first broken rule."""
        end = self.loop.time() + seconds
        while self.loop.time() < end:
            await asyncio.sleep(min(self.timing.look_s, end - self.loop.time()))
            if self.failed is not None:
                raise self.failed
            if Violation.seen:
                raise Violation.seen[0]

    async def wait_for(self, states: tuple[State, State], seconds: float) -> bool:
        """Wait until the nodes are in these states, in either order of nodes."""
        end = self.loop.time() + seconds
        while self.loop.time() < end:
            if sorted((self.n1.state, self.n2.state)) == sorted(states):
                return True
            await self.sleep(self.timing.look_s)
        return False

    def cut_off(self) -> bool:
        """Tell whether one direction is cut on all networks, or will be when the link breaks."""
        if self.network.cut_words:
            return True
        return any(all((lan, name) in self.network.cut for lan in LANS) for name in self.hosts)

    def note_partition(self) -> None:
        """Without a witness two nodes that cannot hear each other may both go on (design 9).

        A host that only stood still is no excuse: it may find itself superseded, but never
        acknowledges anything then. With a fencing agent nothing is: whoever may run is off first.
        """
        apart = not self.fence_used and (self._someone_stands() or self.cut_off())
        self.both_may_run = self.both_may_run or apart
        if self.cut_off() and self._nobody_decides():
            self.ledger.excused = "partition without a witness"

    def _nobody_decides(self) -> bool:
        return not self.witness_used and not self.fence_used


async def first_start(world: World) -> None:
    """Both nodes for the first time: prim on one, second on the other."""
    world.n1.boot()
    world.n2.boot()
    world.n1.command("prim")
    await world.sleep(world.lasting(4))
    world.n2.command("second")
    if not await world.wait_for((State.PRIM, State.SECOND), world.lasting(20)):
        raise Violation(f"no first pairing: {world.n1.state} {world.n2.state}")


async def heal(world: World) -> None:
    """End every fault, start what is stopped, and see that both come together again."""
    world.story("heal")
    world.healed = True
    world.network.cut.clear()
    world.network.cut_words.clear()
    world.network.loss, world.network.delay_ms_max = 0.0, 3.0
    world.witness_cut.clear()
    for host in world.hosts.values():
        host.disk_fails = host.disk_full = False
        for name in tuple(host.checked):
            host.set_checker(name, "up")
        host.running.set()
        if not host.powered:
            host.boot()
        elif host.driver is None:
            host.start_control(resumed=True)
    settle_s = SETTLE_S + SETTLE_MORE_S * (world.timing.slower - 1)
    for _ in range(3):
        for host in world.hosts.values():
            if host.state is State.STOP:
                host.command("start")
        if not await world.wait_for((State.PRIM, State.SECOND), settle_s):
            force_one(world)
            continue
        await world.sleep(2)
        if is_together(world):  # else what a rule asked for before goes on, a swap
            check_together(world)
            await check_served(world)
            return
    raise Violation(f"never together again: {world.n1.state} {world.n2.state}")


def force_one(world: World) -> None:
    """Do what an administrator does when no node can prove that it is current."""
    waiting = [host for host in world.hosts.values() if host.state is State.WAIT]
    if len(waiting) == 2:
        world.ledger.excused = world.ledger.excused or FORCED
        world.witness_forced = True
        waiting[0].command("primforce")
        waiting[1].command("stop")
        return
    for host in waiting or [host for host in world.hosts.values() if is_refused(host)]:
        host.command("stop")
        host.command("second", "fullsync")


def is_refused(host: SimHost) -> bool:
    """Tell whether the primary refuses it: a person chooses between the data of the two.

    `state` says how. This one keeps those that serve; what the other has is kept aside there.
    """
    peer = host.peer.driver
    return host.state is State.JOINING and peer is not None and peer.engine.context.refusal != ""


def is_together(world: World) -> bool:
    """Tell whether one is PRIM and the other SECOND."""
    return sorted((world.n1.state, world.n2.state)) == [State.PRIM, State.SECOND]


async def check_served(world: World) -> None:
    """Nobody waits for ever: clients of a healthy pair are answered."""
    before = world.ledger.acked_count
    world.stir()
    await world.sleep(3)
    if is_together(world) and world.clients and world.ledger.acked_count == before:
        raise Violation("the pair is whole, and no client is answered")


def check_together(world: World) -> None:
    """Invariant 10: in step, and nothing in flight, both disks are equal."""
    prim = next(host for host in world.hosts.values() if host.state is State.PRIM)
    plane = prim.plane
    if plane is None or plane.in_flight:
        return
    check_equal(prim.disk, prim.peer.disk)

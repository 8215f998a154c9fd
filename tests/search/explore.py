"""Every state of the small world, breadth first, until there is no new one."""

import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from mirror.core.invariants import InvariantBroken
from mirror.core.settings import Settings
from mirror.core.whatif.values import Broken, Disk, Node
from mirror.core.whatif.world import World
from mirror.vocabulary.events import Ticked
from mirror.vocabulary.facts import WitnessKind
from mirror.vocabulary.states import State
from tests.search.key import key_of

FAILURES = (Broken, InvariantBroken, AssertionError)
NODES = ("n1", "n2")
TIMEOUT_MS = 60_000
STEP_MS = 30_001  # whatever is due later than the next step is due after a timeout
Step = tuple[str, Callable[[World], None]]
CRASHES, CUTS, FREEZES, WRITES, PRIMS = range(5)


@dataclass(frozen=True, slots=True)
class Bound:
    """How often each thing may happen in one story. Restart, heal and thaw always may.

    paired: begin with PRIM and SECOND, else with two hosts that never held data.
    states: give up beyond so many; 0: never.
    """

    crashes: int = 1
    cuts: int = 1
    freezes: int = 1
    writes: int = 3
    prims: int = 2
    witness: bool = True
    paired: bool = True
    states: int = 0

    @property
    def budget(self) -> tuple[int, ...]:
        """As a world carries it."""
        return (self.crashes, self.cuts, self.freezes, self.writes, self.prims)


@dataclass(frozen=True, slots=True)
class Found:
    """What the search saw. broken: "" when every rule held; story: how it came to that."""

    states: int
    steps: int
    finished: bool
    broken: str
    story: tuple[str, ...]
    seconds: float
    paired: int  # states in which both nodes were in step
    served: int  # acknowledged writes, over all steps


def first_world(bound: Bound) -> World:
    """Two hosts with power that never held data, both started (reference 3.3, row 2)."""
    kind = WitnessKind.ETCD if bound.witness else WitnessKind.NONE
    first, second = NODES
    settings = {
        name: Settings(name, other, TIMEOUT_MS, witness=kind, maxloop=0)
        for name, other in ((first, second), (second, first))
    }
    nodes = {name: Node(Disk()) for name in NODES}
    world = World(nodes, settings, STEP_MS, budget=bound.budget)
    for name in NODES:
        world.boot(name)
        world.ask(name, "start")
    return world


def paired_world(bound: Bound) -> World:
    """The same two hosts when n1 is PRIM, n2 SECOND and one write is on both."""
    world = first_world(replace(bound, prims=1, writes=1))
    while world.nodes["n1"].plan:
        world.step_plan("n1")
    _prim(world, "n1")
    wanted = ("plan n1", "plan n2", "hear n1", "hear n2", "copied n1", "in sync n1")
    while True:
        found = {label: act for label, act in steps_of(world) if label in wanted}
        if not found:
            break
        next(iter(found.values()))(world)
    _write(world, "n1", half=False)
    world.budget = bound.budget
    return world


def explore(bound: Bound) -> Found:
    """Walk all states that can be reached."""
    began = time.process_time()
    try:
        first = paired_world(bound) if bound.paired else first_world(bound)
    except FAILURES as error:
        return Found(0, 0, False, _text(error), ("first start",), _since(began), 0, 0)
    key = key_of(first)
    parents: dict[int, tuple[int, str]] = {key: (0, "")}
    waiting = deque([(key, first)])
    steps = paired = served = 0
    while waiting and not (bound.states and len(parents) > bound.states):
        key, world = waiting.popleft()
        paired += {node.engine.state for node in world.nodes.values() if node.engine} == {
            State.PRIM,
            State.SECOND,
        }
        for label, act in steps_of(world):
            following = world.copy()
            steps += 1
            try:
                act(following)
            except FAILURES as error:
                story = (*_story(parents, key), label)
                seen = (len(parents), steps, False)
                return Found(*seen, _text(error), story, _since(began), paired, served)
            served += len(following.acknowledged) > len(world.acknowledged)
            reached = key_of(following)
            if reached not in parents:
                parents[reached] = (key, label)
                waiting.append((reached, following))
    seconds = _since(began)
    return Found(len(parents), steps, not waiting, "", (), seconds, paired, served)


def _text(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


def _since(began: float) -> float:
    return time.process_time() - began


def _story(parents: dict[int, tuple[int, str]], key: int) -> Iterator[str]:
    lines = []
    while parents[key][1]:
        key, label = parents[key]
        lines.append(label)
    yield from reversed(lines)


def steps_of(world: World) -> Iterator[Step]:
    """Everything that may happen next."""
    for name in NODES:
        yield from _of_node(world, name)
    if world.cut or world.data_cut:
        yield "heal", _heal
    elif world.budget[CUTS]:
        yield "cut the data link", _cut_data
    if not any(node.plan and not node.frozen for node in world.nodes.values()):
        yield "time", World.pass_time


def _of_node(world: World, name: str) -> Iterator[Step]:  # noqa: C901 - a line a step
    node, other = world.nodes[name], world.nodes[world.other(name)]
    left = world.budget
    if node.engine is None:
        yield f"boot {name}", lambda world: _boot(world, name)
        return
    if node.frozen:
        yield f"thaw {name}", lambda world: _thaw(world, name)
        return
    if node.plan:
        yield f"plan {name}", lambda world: world.step_plan(name)
    if world.hears(name) and other.word != node.heard:
        yield f"hear {name}", lambda world: world.hear(name)
    yield from _of_plane(world, name)
    if world.may_write(name) and left[WRITES]:
        yield f"write {name}", lambda world: _write(world, name, half=False)
        if world.mate(name) is not None:
            yield f"write {name}, half", lambda world: _write(world, name, half=True)
    if node.engine.state is State.STOP:
        yield f"start {name}", lambda world: world.ask(name, "start")
    if left[PRIMS] and node.engine.state is State.WAIT:
        yield f"prim {name}", lambda world: _prim(world, name)
    if left[CRASHES]:
        yield f"crash {name}", lambda world: _crash(world, name)
    if left[CUTS] and name not in world.cut:
        yield f"cut {name}", lambda world: _cut(world, name)
    if left[FREEZES]:
        yield f"freeze {name}", lambda world: _freeze(world, name)


def _of_plane(world: World, name: str) -> Iterator[Step]:
    plane = world.nodes[name].plane
    if plane is None or not plane.session:
        return
    mate = world.mate(name)
    if mate is None:
        if not world.waits_for_source(name):
            yield f"link lost {name}", lambda world: world.lose(name, "silent")
    elif plane.mode == "leading" and mate.mode == "following":
        if not plane.told:
            yield f"copied {name}", lambda world: world.copied(name)
        elif mate.confirmed:
            yield f"in sync {name}", lambda world: world.in_sync(name)


def _spend(world: World, what: int) -> None:
    left = list(world.budget)
    left[what] -= 1
    world.budget = tuple(left)


def _boot(world: World, name: str) -> None:
    world.boot(name)
    world.ask(name, "start")


def _crash(world: World, name: str) -> None:
    _spend(world, CRASHES)
    world.crash(name)


def _write(world: World, name: str, *, half: bool) -> None:
    _spend(world, WRITES)
    world.write(name, half=half)


def _prim(world: World, name: str) -> None:
    first = all(
        node.engine is None or not node.engine.context.intent for node in world.nodes.values()
    )
    blank = all(node.disk.record.blank for node in world.nodes.values())
    _spend(world, PRIMS)
    if not (first and blank) or world.cut:
        world.excused = True  # an administrator overrules what the nodes can prove
    world.ask(name, "prim")


def _cut(world: World, name: str) -> None:
    _spend(world, CUTS)
    world.cut |= {name}
    world.excused = world.excused or not world.witness_used
    _excuse(world)


def _cut_data(world: World) -> None:
    """The heartbeats live: nobody may go on without the other's word."""
    _spend(world, CUTS)
    world.data_cut = True


def _excuse(world: World) -> None:
    """Nodes that cannot hear each other cannot keep invariant 8 for the application alone."""
    for node in world.nodes.values():
        node.excused = node.app


def _heal(world: World) -> None:
    world.cut, world.data_cut = frozenset(), False


def _freeze(world: World, name: str) -> None:
    _spend(world, FREEZES)
    world.nodes[name].frozen = True
    _excuse(world)


def _thaw(world: World, name: str) -> None:
    world.nodes[name].frozen = False
    world.happen(name, Ticked())


def without_faults(bound: Bound) -> Bound:
    """Give the bound of a world in which nothing ever fails."""
    return replace(bound, crashes=0, cuts=0, freezes=0)

"""Every state of the small world, the fewest faults first, until there is no new one.

A state is a world's key and its mark. One is walked unless another with its key covers it: those
that may undergo more come first, so that few are walked twice.
"""

import time
from array import array
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from mirror.core.invariants import InvariantBroken
from mirror.core.settings import Settings
from mirror.core.whatif.values import Broken, Disk, Node
from mirror.vocabulary.facts import WitnessKind
from mirror.vocabulary.states import State
from tests.search.marks import Mark, mark_of
from tests.search.small import SmallWorld
from tests.search.steps import FAULTS, NODES, ask_prim, steps_of, write_all

FAILURES = (Broken, InvariantBroken, AssertionError)
TIMEOUT_MS = 60_000
STEP_MS = 30_001  # whatever is due later than the next step is due after a timeout


@dataclass(frozen=True, slots=True)
class Bound:
    """How often each thing may happen in one story, and all of them together: faults.

    Writes, restart, heal and thaw always may. paired: begin with PRIM and SECOND, else with two
    hosts that never held data. states: give up beyond so many; 0: never.
    """

    crashes: int = 2
    cuts: int = 2
    freezes: int = 2
    prims: int = 2
    faults: int = 2
    witness: bool = True
    paired: bool = True
    states: int = 0

    @property
    def budget(self) -> tuple[int, ...]:
        """As a world carries it."""
        each = (self.crashes, self.cuts, self.freezes, self.prims)
        return (*(min(one, self.faults) for one in each), self.faults)


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


def first_world(bound: Bound) -> SmallWorld:
    """Two hosts with power that never held data, both started (reference 3.3, row 2)."""
    kind = WitnessKind.ETCD if bound.witness else WitnessKind.NONE
    first, second = NODES
    settings = {
        name: Settings(name, other, TIMEOUT_MS, witness=kind, maxloop=0)
        for name, other in ((first, second), (second, first))
    }
    nodes = {name: Node(Disk()) for name in NODES}
    world = SmallWorld(nodes, settings, STEP_MS, budget=bound.budget)
    for name in NODES:
        world.boot(name)
        world.ask(name, "start")
    return world


def paired_world(bound: Bound) -> SmallWorld:
    """The same two hosts when n1 is PRIM, n2 SECOND and what was written is on both."""
    world = first_world(replace(bound, prims=1, faults=1))
    while world.nodes["n1"].plan:
        world.step_plan("n1")
    ask_prim(world, "n1")
    wanted = ("plan n1", "plan n2", "hear n1", "hear n2", "copied n1", "in sync n1")
    while True:
        found = {label: act for label, act in steps_of(world) if label in wanted}
        if not found:
            break
        next(iter(found.values()))(world)
    write_all(world)
    world.budget = bound.budget
    return world


@dataclass(slots=True)
class _Seen:
    """States that were met: how, and of each key the marks that no other one covers.

    A number for each state: its story is where it came from, and by which step.
    """

    marks: dict[int, tuple[Mark, ...]] = field(default_factory=dict)
    shared: dict[Mark, Mark] = field(default_factory=dict)
    came_from: "array[int]" = field(default_factory=lambda: array("I"))
    came_by: "array[int]" = field(default_factory=lambda: array("B"))
    labels: list[str] = field(default_factory=list)

    def take(self, key: int, mark: Mark, before: int, label: str) -> bool:
        """Note a state; tell whether it is a new one."""
        known = self.marks.get(key, ())
        if any(one.covers(mark) for one in known):
            return False
        mark = self.shared.setdefault(mark, mark)
        self.marks[key] = (*(one for one in known if not mark.covers(one)), mark)
        if label not in self.labels:
            self.labels.append(label)
        self.came_from.append(before)
        self.came_by.append(self.labels.index(label))
        return True

    def stands(self, key: int, mark: Mark) -> bool:
        """Tell whether nothing has come that covers it."""
        return mark in self.marks[key]

    def story(self, number: int) -> Iterator[str]:
        """Tell how a state was reached."""
        lines = []
        while number:
            lines.append(self.labels[self.came_by[number]])
            number = self.came_from[number]
        yield from reversed(lines)


def explore(bound: Bound) -> Found:
    """Walk all states that can be reached."""
    began = time.process_time()
    try:
        first = paired_world(bound) if bound.paired else first_world(bound)
    except FAILURES as error:
        return Found(0, 0, False, _text(error), ("first start",), _since(began), 0, 0)
    seen = _Seen()
    key, mark = first.key(None), mark_of(first)
    seen.take(key, mark, 0, "")
    # By how many faults are left: what is taken from a queue adds to it, or to one with fewer.
    waiting = {bound.faults: deque([(0, key, mark, first)])}
    steps = paired = served = 0
    while waiting:
        queue = waiting[max(waiting)]
        if not queue:
            del waiting[max(waiting)]
            continue
        if bound.states and len(seen.came_by) > bound.states:
            break
        number, key, mark, world = queue.popleft()
        if not seen.stands(key, mark):
            continue
        paired += {node.engine.state for node in world.nodes.values() if node.engine} == {
            State.PRIM,
            State.SECOND,
        }
        for label, act in steps_of(world):
            following = world.copy()
            steps += 1
            try:
                act(following)
                served += write_all(following)
            except FAILURES as error:
                story = (*seen.story(number), label)
                counts = (len(seen.came_by), steps, False)
                return Found(*counts, _text(error), story, _since(began), paired, served)
            key, mark = following.key(world), mark_of(following)
            if seen.take(key, mark, number, label):
                left = following.budget[FAULTS]
                added = (len(seen.came_by) - 1, key, mark, following)
                waiting.setdefault(left, deque()).append(added)
    counts = (len(seen.came_by), steps, not waiting)
    return Found(*counts, "", (), _since(began), paired, served)


def _text(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


def _since(began: float) -> float:
    return time.process_time() - began

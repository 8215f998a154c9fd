"""Puts two engines where two nodes stand, by the production's own ways: a resume, or a start.

What a node said in its heartbeats, with its resources, is enough. A node in the middle of a start
or a stop is put where that leads: what-if answers about states that hold.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from mirror.core.settings import Settings
from mirror.core.whatif.values import Disk, Node, Plane
from mirror.core.whatif.world import World
from mirror.vocabulary.events import CommandAsked, PeerHeard, ResourceChanged, Resumed, SwitchSet
from mirror.vocabulary.states import Goal, State
from mirror.vocabulary.words import Word

STEP_MS_MIN = 400
# How a data plane stands in a state that is resumed.
MODES = {
    State.ALONE: "alone",
    State.PAIRING: "alone",
    State.PRIM: "prim",
    State.FREEZING: "prim",
    State.GOING_ALONE: "alone",
    State.TAKING_OVER: "alone",
    State.SECOND: "second",
    State.ORPHANED: "second",
    State.SETTLING: "second",
}
STOPPED = frozenset({State.STOP, State.LEAVING, State.CLOSING})
RESUMED_AS = {
    State.PAIRING: State.ALONE,
    State.GOING_ALONE: State.ALONE,
    State.TAKING_OVER: State.ALONE,
    State.FREEZING: State.PRIM,
    State.ORPHANED: State.SECOND,
    State.SETTLING: State.SECOND,
}


@dataclass(frozen=True, slots=True)
class Standing:
    """Where one node stands. word None: nothing is heard of it, so it counts as without power."""

    word: Word | None
    resources: Mapping[str, str] = field(default_factory=dict)
    switches: Mapping[str, bool] = field(default_factory=dict)
    loops: int = 0


def place(settings: Mapping[str, Settings], standing: Mapping[str, Standing]) -> World:
    """Give a world in which both nodes stand so. What it told while it was placed is forgotten."""
    first = next(iter(settings.values()))
    # Two steps and a bit are a timeout; shorter ones only cost time.
    step_ms = max(first.timeout_ms // 2 + 1, STEP_MS_MIN)
    world = World({name: Node(Disk()) for name in settings}, dict(settings), step_ms)
    for name, stands in standing.items():
        if stands.word is not None:
            identity = stands.word.record.roots[0][1] if stands.word.record.roots else ""
            disk = Disk(stands.word.record, generation=stands.word.record.current)
            world.nodes[name].disk = replace(disk, identity=identity)
    if all(one.light for one in settings.values()):
        _place_light(world, standing)
    else:
        _place_pair(world, standing)
    world.told = []
    return world


def _place_light(world: World, standing: Mapping[str, Standing]) -> None:
    for name, stands in standing.items():
        world.boot(name)
        _tell(world, name, stands)
        if stands.word is not None and stands.word.state is State.UP:
            world.happen(name, Resumed(State.UP, Goal.START, "", "", "", "", 0))
            world.nodes[name].app = True


def _place_pair(world: World, standing: Mapping[str, Standing]) -> None:
    for name, stands in standing.items():
        if stands.word is None:
            continue
        world.boot(name)
        _tell(world, name, stands)
        state = stands.word.state
        if state in MODES:
            _resume(world, name, stands.word)
    _hear_each_other(world)
    for name, stands in standing.items():
        state = State.STOP if stands.word is None else stands.word.state
        if state not in MODES and state not in STOPPED:
            world.ask(name, "start")


def _tell(world: World, name: str, stands: Standing) -> None:
    for resource, value in stands.resources.items():
        world.happen(name, ResourceChanged(resource, value))
    for switch, on in stands.switches.items():
        world.happen(name, SwitchSet(switch, on))
    for _ in range(stands.loops):
        world.happen(name, CommandAsked("incloop", (), "what-if"))


def _resume(world: World, name: str, word: Word) -> None:
    """Go on with what runs, as after a restart of the control plane."""
    mode, node = MODES[word.state], world.nodes[name]
    session = word.session if mode != "alone" else ""
    gate = "closed" if mode == "second" else "open"
    node.plane = Plane(mode, gate, session)
    node.app = mode != "second"
    state = RESUMED_AS.get(word.state, word.state)
    world.happen(name, Resumed(state, Goal.START, session, mode, session, "open", 0))


def _hear_each_other(world: World) -> None:
    for name in world.nodes:
        other = world.nodes[world.other(name)]
        if world.hears(name) and other.word is not None:
            world.happen(name, PeerHeard(other.word))

"""Everything that may happen next in the small world, and what it takes from the budget."""

from collections.abc import Callable, Iterator

from mirror.vocabulary.events import Ticked
from mirror.vocabulary.states import State
from tests.search.key import ids_of, values_of
from tests.search.small import SmallWorld

NODES = ("n1", "n2")
Step = tuple[str, Callable[[SmallWorld], None]]
CRASHES, CUTS, FREEZES, PRIMS, FAULTS = range(5)
SHORTLY, LONG = 1, 2


def steps_of(world: SmallWorld) -> Iterator[Step]:
    """Everything that may happen next."""
    for name in NODES:
        yield from _of_node(world, name)
    if world.cut or world.data_cut:
        yield "heal", _heal
    elif world.budget[CUTS]:
        yield "cut the data link", _cut_data
    if not any(node.plan and not node.frozen for node in world.nodes.values()):
        yield "time", SmallWorld.pass_time


def _of_node(world: SmallWorld, name: str) -> Iterator[Step]:
    node = world.nodes[name]
    left = world.budget
    if node.engine is None:
        yield f"boot {name}", lambda world: _boot(world, name)
        return
    if node.frozen:
        yield f"thaw {name}", lambda world: _thaw(world, name)
        return
    if node.plan:
        yield f"plan {name}", lambda world: world.step_plan(name)
    if world.hears(name) and _is_news(world, name):
        yield f"hear {name}", lambda world: world.hear(name)
    yield from _of_plane(world, name)
    if node.engine.state is State.STOP:
        yield f"start {name}", lambda world: world.ask(name, "start")
    if left[PRIMS] and node.engine.state is State.WAIT:
        yield f"prim {name}", lambda world: ask_prim(world, name)
    if left[CRASHES]:
        yield f"crash {name}", lambda world: _crash(world, name)
    if left[CUTS] and name not in world.cut:
        yield f"cut {name}", lambda world: _cut(world, name)
    if left[FREEZES]:
        yield f"freeze {name}", lambda world: _freeze(world, name)


def _is_news(world: SmallWorld, name: str) -> bool:
    """Tell whether a heartbeat would tell this node anything; time brings the others."""
    node, word = world.nodes[name], world.nodes[world.other(name)].word
    assert node.engine is not None
    assert word is not None
    known = node.engine.context.word_now(world.now_ms)
    if known is None:
        return True
    return values_of(known) != values_of(word) or ids_of(known) != ids_of(word)


def _of_plane(world: SmallWorld, name: str) -> Iterator[Step]:
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


def _spend(world: SmallWorld, what: int) -> None:
    if not world.witness_used:
        # Silent and not dead: as with a cut, nobody can tell without a witness.
        lost = world.stood == LONG or _stand_still(world)
        world.excused |= lost or (what == FREEZES and world.stood == SHORTLY)
    left = list(world.budget)
    left[what] -= 1
    left[FAULTS] -= 1
    world.budget = tuple(min(one, left[FAULTS]) for one in left)


def _boot(world: SmallWorld, name: str) -> None:
    world.boot(name)
    world.ask(name, "start")


def _crash(world: SmallWorld, name: str) -> None:
    _spend(world, CRASHES)
    world.crash(name)


def write_all(world: SmallWorld) -> int:
    """Have the application make each kind of change that it may make now and that is not there.

    It changes nothing but the kinds of writes, and a world with more of them is only judged more
    strictly (marks.py): so every world is walked as if applications never paused. Returns: how
    many were acknowledged.
    """
    before = len(world.acknowledged)
    for name in NODES:
        if not world.may_write(name):
            continue
        for half in (False, True) if world.mate(name) is not None else (False,):
            kinds = world.kinds_of_writes()
            tried = world.copy()
            tried.write(name, half=half)
            if tried.kinds_of_writes() != kinds:
                world.write(name, half=half)
    return len(world.acknowledged) - before


def ask_prim(world: SmallWorld, name: str) -> None:
    first = all(
        node.engine is None or not node.engine.context.intent for node in world.nodes.values()
    )
    blank = all(node.disk.record.blank for node in world.nodes.values())
    _spend(world, PRIMS)
    if not (first and blank) or world.cut:
        world.excused = True  # an administrator overrules what the nodes can prove
    world.ask(name, "prim")


def _cut(world: SmallWorld, name: str) -> None:
    _spend(world, CUTS)
    world.cut |= {name}
    world.excused = world.excused or not world.witness_used
    _excuse(world)


def _cut_data(world: SmallWorld) -> None:
    """The heartbeats live: nobody may go on without the other's word."""
    _spend(world, CUTS)
    world.data_cut = True


def _excuse(world: SmallWorld) -> None:
    """Nodes that cannot hear each other cannot keep invariant 8 for the application alone."""
    for node in world.nodes.values():
        node.excused = node.app


def _heal(world: SmallWorld) -> None:
    world.cut, world.data_cut = frozenset(), False


def _freeze(world: SmallWorld, name: str) -> None:
    _spend(world, FREEZES)
    if not world.witness_used:
        world.stood = max(world.stood, SHORTLY)
    world.nodes[name].frozen = True
    _excuse(world)


def _stand_still(world: SmallWorld) -> bool:
    """Tell whether a node is frozen for so long that the other counts it as lost.

    A secondary knows when it wakes, and takes over from nobody: that excuses nothing.
    """
    return any(
        node.frozen
        and node.engine is not None
        and node.engine.state not in {State.SECOND, State.ORPHANED}
        and world.now_ms - (node.engine.context.last_ms or 0) > world.settings[name].timeout_ms
        for name, node in world.nodes.items()
    )


def _thaw(world: SmallWorld, name: str) -> None:
    if not world.witness_used and _stand_still(world):
        world.stood = LONG
    world.nodes[name].frozen = False
    world.happen(name, Ticked())

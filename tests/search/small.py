"""The world on paper, cheap to copy: a step copies the nodes, and an engine when it is given more.

Every copy knows the parts of its key, and takes over those of the nodes that a step left alone.
"""

from dataclasses import dataclass, field, fields
from operator import attrgetter
from typing import Any

from mirror.core.context import Context
from mirror.core.engine import Engine
from mirror.core.rules.machine import Judging
from mirror.core.whatif.values import NONE, Node
from mirror.core.whatif.world import World
from mirror.vocabulary.events import Event
from tests.search.key import Part, key_of, part_of


def _values_of(kind: type) -> Any:
    return attrgetter(*(one.name for one in fields(kind)))


_CONTEXT, _NODE = _values_of(Context), _values_of(Node)


def _twin(engine: Engine) -> Engine:
    """Do as `Engine.twin` does, at a fifth of the cost."""
    twin = Engine.__new__(Engine)
    twin.__dict__.update(engine.__dict__)
    context = Context(*_CONTEXT(engine.context))
    context.loops_ms, context.resources = list(context.loops_ms), dict(context.resources)
    context.switches = dict(context.switches)
    judging = context.judging
    context.judging = Judging(judging.next_ms, judging.asked, judging.since_ms)
    twin._context, twin._deferred = context, list(engine._deferred)
    return twin


@dataclass(slots=True)
class SmallWorld(World):
    """own: whose engines are not shared with the world this one was copied from.

    stood: whether, without a witness, a node stood still: never, shortly, or for so long that the
        other counted it as lost.
    """

    stood: int = 0
    own: set[str] = field(default_factory=set)
    parts: dict[str, Part] = field(default_factory=dict)

    def copy(self) -> "SmallWorld":
        """Give a world to take a step in."""
        twin = SmallWorld(*_WORLD(self))
        twin.nodes = {name: Node(*_NODE(node)) for name, node in self.nodes.items()}
        twin.own, twin.parts = set(), dict(self.parts)
        return twin

    def happen(self, name: str, event: Event) -> None:
        """Give an engine an event; another world may hold the one that is here."""
        node = self.nodes[name]
        if name not in self.own:
            assert node.engine is not None
            node.engine = _twin(node.engine)
            self.own.add(name)
        World.happen(self, name, event)

    def key(self, before: "SmallWorld | None") -> int:
        """Give its key; before: the world from which one step led here."""
        for name, node in self.nodes.items():
            aged = before is None or before.now_ms != self.now_ms
            if aged or before is None or not _alike(node, before.nodes[name]):
                self.parts[name] = part_of(node, self)
        return key_of(self, self.parts.values())

    def kinds_of_writes(self) -> int:
        """Say which kinds of writes there are: a bit for each.

        Disks, indexes and planes only ever do to a write what they do to each like it, and every
        rule asks whether there is a write such that: how many are of a kind makes no difference.
        """
        holders = [self.acknowledged]
        for node in self.nodes.values():
            recent = NONE if node.plane is None else node.plane.recent
            holders += (node.disk.writes, node.disk.index, recent)
        kinds = 0
        for one in frozenset().union(*holders):
            kinds |= 1 << sum(1 << place for place, held in enumerate(holders) if one in held)
        return kinds


_WORLD = _values_of(SmallWorld)


def _alike(node: Node, before: Node) -> bool:
    """Tell whether a step left a node as it was: its values are replaced, never changed."""
    return (
        node.engine is before.engine
        and node.disk is before.disk
        and node.plane is before.plane
        and node.todo is before.todo
        and node.plan == before.plan
        and node.app == before.app
        and node.frozen == before.frozen
    )

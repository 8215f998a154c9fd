"""The events that a what-if may be given, and what each does to the world on paper."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from mirror.core.rules.language import CLASSES, STATES
from mirror.core.whatif.world import World
from mirror.errors import WhatIfRefused
from mirror.vocabulary.events import DataFault, DataPlaneLost, ResourceChanged, Ticked
from mirror.vocabulary.said import say

Act = Callable[[World, str, tuple[str, ...]], None]
DATA = "data link"


@dataclass(frozen=True, slots=True)
class Kind:
    """One sort of event. words: how many follow the node; -1: any number."""

    form: str
    meaning: str
    on_node: bool
    words: int
    act: Act


def _lost(world: World, node: str, _: tuple[str, ...]) -> None:
    world.crash(node)


def _back(world: World, node: str, _: tuple[str, ...]) -> None:
    world.boot(node)
    world.ask(node, "start")


def _reset(world: World, node: str, words: tuple[str, ...]) -> None:
    _lost(world, node, words)
    _back(world, node, words)


def _cut(world: World, _: str, __: tuple[str, ...]) -> None:
    world.cut = frozenset(world.nodes)


def _deaf(world: World, node: str, _: tuple[str, ...]) -> None:
    world.cut |= {world.other(node)}


def _heal(world: World, _: str, __: tuple[str, ...]) -> None:
    world.cut, world.data_cut = frozenset(), False


def _cut_data(world: World, _: str, __: tuple[str, ...]) -> None:
    world.data_cut = True


def _kill_data(world: World, node: str, _: tuple[str, ...]) -> None:
    world.part(node, "connection reset")
    world.nodes[node].plane = None
    world.happen(node, DataPlaneLost("the data plane ended"))


def _disk(world: World, node: str, _: tuple[str, ...]) -> None:
    world.happen(node, DataFault("local", "input/output error"))


def _pause(world: World, node: str, _: tuple[str, ...]) -> None:
    world.nodes[node].frozen = True


def _resume(world: World, node: str, _: tuple[str, ...]) -> None:
    world.nodes[node].frozen = False
    world.happen(node, Ticked())


def _resource(value: str) -> Act:
    def act(world: World, node: str, words: tuple[str, ...]) -> None:
        resource_class = words[0].partition(".")[0]
        if resource_class not in CLASSES or "." not in words[0]:
            known = ", ".join(CLASSES)
            raise WhatIfRefused(event=words[0], observed=say("whatif.no_resource", known=known))
        world.happen(node, ResourceChanged(words[0], value))

    return act


def _ask(world: World, node: str, words: tuple[str, ...]) -> None:
    world.ask(node, words[0], *words[1:])


def _witness(*, reachable: bool) -> Act:
    def act(world: World, _: str, __: tuple[str, ...]) -> None:
        world.witness_reachable = reachable

    return act


def _wait(_: World, __: str, ___: tuple[str, ...]) -> None:
    """Time passes after every event."""


assert set(STATES) >= {"up", "down"}
KINDS: Mapping[str, Kind] = {
    "lost": Kind("lost NODE", "its power is gone", True, 0, _lost),
    "back": Kind("back NODE", "it boots, and the module is started", True, 0, _back),
    "reset": Kind("reset NODE", "it boots anew before anybody has missed it", True, 0, _reset),
    "cut": Kind("cut", "no network joins the two", False, 0, _cut),
    "cut-data": Kind("cut-data", "only the data link is cut", False, 0, _cut_data),
    "deaf": Kind("deaf NODE", "it hears nothing, and is heard", True, 0, _deaf),
    "heal": Kind("heal", "every network is whole", False, 0, _heal),
    "kill-data": Kind("kill-data NODE", "its data plane dies", True, 0, _kill_data),
    "bad-disk": Kind("bad-disk NODE", "its disk fails", True, 0, _disk),
    "pause": Kind("pause NODE", "it stands still", True, 0, _pause),
    "resume": Kind("resume NODE", "it goes on", True, 0, _resume),
    "down": Kind("down NODE RESOURCE", "a checker says down", True, 1, _resource("down")),
    "up": Kind("up NODE RESOURCE", "a checker says up", True, 1, _resource("up")),
    "ask": Kind("ask NODE COMMAND ...", "an administrator's command", True, -1, _ask),
    "witness-lost": Kind("witness-lost", "nobody reaches it", False, 0, _witness(reachable=False)),
    "witness-back": Kind("witness-back", "it answers again", False, 0, _witness(reachable=True)),
    "wait": Kind("wait", "time passes", False, 0, _wait),
}


def act(world: World, event: str) -> None:
    """Have the event happen. Raises: WhatIfRefused (MIR-603), before anything changed."""
    name, *words = event.split() or [""]
    kind = KINDS.get(name)
    if kind is None:
        known = ", ".join(sorted(KINDS))
        raise WhatIfRefused(event=event, observed=say("whatif.no_event", known=known))
    node = words.pop(0) if kind.on_node and words else ""
    wrong = len(words) != kind.words if kind.words >= 0 else not words
    if wrong or (kind.on_node and node not in world.nodes):
        nodes = ", ".join(world.nodes)
        observed = say("whatif.form", form=kind.form, nodes=nodes)
        raise WhatIfRefused(event=event, observed=observed)
    runs = world.nodes[node].engine is not None if kind.on_node else True
    if name not in {"lost", "back"} and not runs:
        raise WhatIfRefused(event=event, observed=say("whatif.off", node=node))
    if name == "back" and runs:
        raise WhatIfRefused(event=event, observed=say("whatif.runs", node=node))
    kind.act(world, node, tuple(words))

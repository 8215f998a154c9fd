"""`mirror simulate`: where both nodes stand, or stood when that was saved, and what would be."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from mirror.adapters import clock
from mirror.core import speech
from mirror.core.settings import Settings
from mirror.core.whatif.events import KINDS
from mirror.core.whatif.place import Standing, place
from mirror.core.whatif.story import tell
from mirror.daemon.node.module_runner import ModuleRunner
from mirror.errors import WhatIfRefused
from mirror.vocabulary.said import say
from mirror.vocabulary.words import word_from_map, word_to_map

EVENTS_MAX = 50


async def what_if(
    runner: ModuleRunner, events: Sequence[str], saved: Mapping[str, Any] | None
) -> dict[str, Any]:
    """Replay the events from the present state, or from a saved one. Raises: WhatIfRefused.

    The world on paper costs a moment of a processor, so it lives in a thread of its own.
    """
    if len(events) > EVENTS_MAX:
        raise WhatIfRefused(event=events[-1], observed=say("whatif.many", count=EVENTS_MAX))
    state = present(runner) if saved is None else saved
    mine = runner.settings.core
    told = await asyncio.to_thread(_replay, mine, state, tuple(events))
    return {"module": runner.name, "state": state, **told}


def present(runner: ModuleRunner) -> dict[str, Any]:
    """Give where both nodes stand, as JSON values that `--save` keeps."""
    context = runner.driver.engine.context
    peer = context.word_now(clock.boottime_ms())
    mine = {
        "word": word_to_map(speech.word_of(context)),
        "resources": dict(context.resources),
        "switches": dict(context.switches),
        "loops": len(context.loops_ms),
    }
    nodes = {context.settings.node: mine}
    if not context.settings.light:
        # Of the other node only its word is known; what its checkers found counts as up.
        said = word_to_map(peer) if peer is not None else None
        nodes[context.settings.peer] = {
            "word": said,
            "resources": {one.resource: "up" for one in context.settings.checkers},
        }
    return {"nodes": nodes}


def kinds() -> list[dict[str, str]]:
    """Give the events that there are."""
    return [{"event": kind.form, "meaning": kind.meaning} for kind in KINDS.values()]


def _replay(mine: Settings, state: Mapping[str, Any], events: tuple[str, ...]) -> dict[str, Any]:
    settings = {mine.node: mine}
    if not mine.light:
        settings[mine.peer] = mine.seen_from_peer()
    try:
        nodes = state["nodes"]
        standing = {name: _standing(nodes[name]) for name in settings}
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        observed = say("whatif.not_said", nodes=", ".join(settings), observed=repr(error))
        raise WhatIfRefused(event=say("whatif.saved"), observed=observed) from error
    return tell(place(settings, standing), events)


def _standing(values: Mapping[str, Any]) -> Standing:
    word = values.get("word")
    return Standing(
        word=None if word is None else word_from_map(word),
        resources={str(name): str(value) for name, value in values.get("resources", {}).items()},
        switches={str(name): on is True for name, on in values.get("switches", {}).items()},
        loops=int(values.get("loops", 0)),
    )

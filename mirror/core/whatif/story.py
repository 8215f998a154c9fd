"""Replays events of somebody's choice: what each node does, and by which row, in order."""

from collections.abc import Iterator, Sequence
from typing import Any

from mirror.core import automaton, election, generations, light, speech
from mirror.core.whatif import events
from mirror.core.whatif.world import World
from mirror.vocabulary.actions import (
    Action,
    Answer,
    CallData,
    KillApplication,
    Log,
    Plan,
    PlanAction,
    RunBackground,
    RunScripts,
    ScriptCall,
)
from mirror.vocabulary.said import Said, parts_of, say
from mirror.vocabulary.states import SHOWN, ScreenWord, State

QUIET_MS = 8_000  # nothing moved for so long, and for three timeouts: it stands
STORY_MS_MAX = 180_000
STEPS_MAX = 4_000
SAID = frozenset({"C", "E"})
SERVES = frozenset({ScreenWord.PRIM, ScreenWord.ALONE, ScreenWord.UP})
STOPS = frozenset({"stop_prim", "stop_both"})


def tell(world: World, asked: Sequence[str]) -> dict[str, Any]:
    """Give what happens: before, one entry an event with its steps, after. JSON values.

    Raises: WhatIfRefused (MIR-603).
    """
    _settle(world)
    told: dict[str, Any] = {"before": _standing(world), "events": []}
    for event in asked:
        world.told, world.broken = [], []
        events.act(world, event)
        rests = _settle(world)
        steps, warnings = list(_steps(world)), list(dict.fromkeys(world.broken))
        told["events"].append(
            {
                "event": event,
                "refusal": (refusal := _refusal(world)),
                "refusal_said": parts_of(refusal),
                "steps": steps,
                "interrupts": _interrupts(world),
                "warnings": warnings,
                "warnings_said": [parts_of(one) for one in warnings],
                "rests": rests,
            }
        )
    told["after"] = _standing(world)
    return told


def _settle(world: World) -> bool:
    """Let everything happen that follows; tell whether it came to rest."""
    since_ms = begun_ms = world.now_ms
    timeout_ms = max(one.timeout_ms for one in world.settings.values())
    quiet_ms = max(QUIET_MS, 3 * timeout_ms)
    for _ in range(STEPS_MAX):
        before = _where(world)
        if not _step(world):
            world.pass_time()
        if _where(world) != before:
            since_ms = world.now_ms
        if world.now_ms - since_ms > quiet_ms:
            return True
        if world.now_ms - begun_ms > max(STORY_MS_MAX, 10 * timeout_ms):
            return False
    return False


def _step(world: World) -> bool:
    """Do the next thing that takes no time; tell whether there was one."""
    for name, node in world.nodes.items():
        if node.engine is None or node.frozen:
            continue
        if node.plan:
            world.step_plan(name)
            return True
        if len(world.nodes) > 1:
            other = world.nodes[world.other(name)]
            if world.hears(name) and other.word != node.heard:
                world.hear(name)
                return True
            if world.step_plane(name):
                return True
    return False


def _where(world: World) -> tuple[object, ...]:
    return tuple(
        (node.engine.state if node.engine else None, node.plan, node.plane)
        for node in world.nodes.values()
    )


def _standing(world: World) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, node in world.nodes.items():
        if node.engine is None:
            found[name] = {
                "state": "UNKNOWN",
                "ready": "Unknown",
                "row": "",
                **_reason(say("whatif.no_power")),
            }
            continue
        context = node.engine.context
        word, ready = speech.shown(context)
        found[name] = {
            "state": str(word),
            "ready": str(ready),
            "row": context.row,
            **_reason(context.reason),
            "safety": str(speech.safety(context)),
            "application": node.app,
        }
    return found


def _reason(reason: str) -> dict[str, Any]:
    return {"reason": str(reason), "reason_said": parts_of(reason)}


def _steps(world: World) -> Iterator[dict[str, Any]]:
    told = world.told or []
    begun_ms = told[0].at_ms if told else 0
    for one in told:
        rows = dict.fromkeys(row for action in one.actions for row in _rows(action))
        says = [line for action in one.actions if (line := _said(action))]
        does = [name for action in one.actions for name in _does(action)]
        if one.before is one.after and not says and not does:
            continue
        yield {
            "at_ms": one.at_ms - begun_ms,
            "node": one.node,
            "cause": type(one.event).__name__,
            "from": _shown(one.before),
            "to": _shown(one.after),
            "rows": [_row(row) for row in rows],
            "says": says,
            "does": does,
        }


def _refusal(world: World) -> str:
    """The sentence of the node that refused what it was asked; "" when none did."""
    actions = (action for one in world.told or () for action in one.actions)
    return next((one.refusal for one in actions if isinstance(one, Answer) and one.refusal), "")


def _interrupts(world: World) -> bool:
    """Tell whether a node that served stops the application, be it only for a moment."""
    return any(
        SHOWN[one.before][0] in SERVES and any(_stops(action) for action in one.actions)
        for one in world.told or ()
    )


def _stops(action: Action | PlanAction) -> bool:
    match action:
        case Plan(_, _, actions):
            return any(_stops(one) for one in actions)
        case KillApplication():
            return True
        case RunScripts(calls) | RunBackground(calls):
            return any(call.name in STOPS for call in calls)
        case _:
            return False


def _rows(action: Action) -> list[Said]:
    """Why, by each row of the tables that stands behind a line of the log: `O04/P03/E08`."""
    row = str(action.fields.get("row") or "") if isinstance(action, Log) else ""
    first, *others = row.split("/")
    found = [_AUTOMATON.get(first), *(_DECISIONS.get(one) for one in others)]
    return [one for one in found if one is not None]


def _row(why: Said) -> dict[str, Any]:
    return {"row": why.code.partition(".")[2], "why": str(why), "said": parts_of(why)}


def _said(action: Action) -> str:
    if isinstance(action, Answer) and action.refusal:
        return f"refused: {action.refusal}"
    return action.text if isinstance(action, Log) and action.level in SAID else ""


def _does(action: Action) -> Iterator[str]:
    if isinstance(action, Plan):
        yield from (_name(one) for one in action.actions)
    elif isinstance(action, RunBackground) and action.scripts:
        yield _scripts(action.scripts)


def _name(action: PlanAction) -> str:
    if isinstance(action, CallData):
        return f"data plane: {action.verb}"
    if isinstance(action, RunScripts):
        return _scripts(action.scripts)
    return type(action).__name__


def _scripts(calls: Sequence[ScriptCall]) -> str:
    names = [call.name + (" force" if call.forced else "") for call in calls]
    return f"scripts: {', '.join(names)}"


def _shown(state: State) -> str:
    word, readiness = SHOWN[state]
    return f"{word} ({readiness})"


# A proof has the ids of rows of the automaton, which always stands first.
_AUTOMATON = {row.row_id: row.said for row in (*automaton.ROWS, *light.ROWS)}
_DECISIONS: dict[str, Said] = {
    **{row.row_id: row.said for row in generations.ROWS},
    **{row.row_id: row.said for row in election.PROOFS},
    **{case.row_id: case.said for case in election.CASES},
}

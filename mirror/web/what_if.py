"""The story that the decision code tells of a command, in words for people. Decides nothing. Pure.

Kept: what moves a node or has it do something. Left out: what is only heard of the other one.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from mirror.vocabulary.said import from_parts
from mirror.web.models.said import Said
from mirror.web.models.what_if import WhatIfAct, WhatIfNode, WhatIfRow, WhatIfStep

SCRIPTS, FORCED = "scripts: ", " force"
_SHOWN = re.compile(r"(\w+) \((\w+)\)")
# Of the story's names: a stable one, and words. What is not here is told by its own name.
ACTS: dict[str, tuple[str, str]] = {
    "KillApplication": ("kill", "sees to it that nothing of the application runs"),
    "TakeAddress": ("take_address", "takes the virtual address"),
    "ReleaseAddress": ("release_address", "gives the virtual address back"),
    "PersistRecord": ("record", "records on its disk who may serve"),
    "AskWitness": ("ask_witness", "asks the witness"),
    "TellWitness": ("tell_witness", "tells the witness"),
    "Fence": ("fence", "has the other node switched off"),
    "EnsureDataPlane": ("begin_data", "starts its data plane"),
    "CloseDataPlane": ("end_data", "ends its data plane: the directories are plain again"),
    "ClearDeadMount": ("clear_mount", "removes a dead mount"),
    "RebootHost": ("reboot", "reboots the host"),
    "data plane: cover": ("cover", "covers the directories"),
    "data plane: identify": ("identify", "looks at which data it holds"),
    "data plane: adopt": ("adopt", "marks the directories as its own"),
    "data plane: record_hidden": ("generation", "notes the generation beside the data"),
    "data plane: serve": ("serve", "opens the directories to the application"),
    "data plane: go_alone": ("go_alone", "goes on alone, and notes what changes"),
    "data plane: gate": ("gate", "lets no change through any more"),
    "data plane: drain": ("drain", "brings every change to both disks"),
    "data plane: unserve": ("unserve", "closes the directories"),
    "data plane: settle": ("settle", "brings what it received to its disk"),
    "data plane: follow": ("follow", "receives what it has not from the other node"),
    "data plane: lead": ("lead", "sends the other node what it has not"),
    "data plane: confirm_sync": ("confirm", "confirms that it holds everything"),
}


def steps_of(told: Mapping[str, Any]) -> list[WhatIfStep]:
    """Give the steps of all events, in order."""
    return [
        step
        for event in told.get("events") or ()
        for index, found in enumerate(event["steps"])
        if (step := _step(found)).moved or step.does or index == 0
    ]


def nodes_of(told: Mapping[str, Any]) -> list[WhatIfNode]:
    """Give where each node stands before and after."""
    before = told.get("before") or {}
    return [
        WhatIfNode(
            node=node,
            state_before=before[node]["state"],
            ready_before=before[node]["ready"],
            state=after["state"],
            ready=after["ready"],
            reason=after["reason"],
            reason_said=after.get("reason_said"),
            safety=after.get("safety", ""),
        )
        for node, after in (told.get("after") or {}).items()
    ]


def refusal_of(told: Mapping[str, Any]) -> str:
    """Give the engine's sentence when it refuses; "" when it does not."""
    refused = (event for event in told.get("events") or () if event["refusal"])
    event = next(refused, None)
    return from_parts(event["refusal_said"], event["refusal"]) if event else ""


def warnings_of(told: Mapping[str, Any]) -> list[Said]:
    """Give the rules that would not hold, each once."""
    found = [one for event in told.get("events") or () for one in event["warnings_said"]]
    return [Said.model_validate(one) for one in {one["text"]: one for one in found}.values()]


def _step(found: Mapping[str, Any]) -> WhatIfStep:
    shown = _SHOWN.fullmatch(found["to"])
    state, ready = shown.groups() if shown else (found["to"], "")
    rows = [WhatIfRow.model_validate(row) for row in found["rows"] if row["why"]]
    does, moved = list(_acts(found["does"])), found["from"] != found["to"]
    words = [*([f"becomes {found['to']}"] if moved else []), *(act.text for act in does)]
    told = "; ".join(words) or f"stays {found['to']}"
    return WhatIfStep(
        node=found["node"], state=state, ready=ready, moved=moved, rows=rows, does=does, text=told
    )


def _acts(names: list[str]) -> Iterator[WhatIfAct]:
    for name in names:
        if not name.startswith(SCRIPTS):
            what, text = ACTS.get(name, (name, name))
            yield WhatIfAct(what=what, scripts=[], text=text)
            continue
        # A script runs again with force only when it did not end: said once.
        called = (one.removesuffix(FORCED) for one in name.removeprefix(SCRIPTS).split(", "))
        if scripts := [one for one in dict.fromkeys(called) if one and one != "transition"]:
            yield WhatIfAct(what="scripts", scripts=scripts, text=f"runs {', '.join(scripts)}")

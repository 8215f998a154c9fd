"""Versions kept aside: list, restore, remove; and both sides of a split brain.

What the command line does (`mirror kept`), done by the command line.
"""

import asyncio

from mirror.config.names import check_module_name
from mirror.errors import ConfirmationNeeded, InputRefused, MirrorError
from mirror.vocabulary.said import Said, said_of, say
from mirror.web.command_line import LONG_S
from mirror.web.comparing import verdict_of
from mirror.web.console import Console, Here, Who
from mirror.web.endpoints.data import read_data
from mirror.web.endpoints.state import ModuleName
from mirror.web.identity import Caller
from mirror.web.models.data import NodeData, Verdict
from mirror.web.models.kept import (
    ChangedFile,
    ChangedFiles,
    ChosenVersions,
    KeptVersions,
    RemovedVersions,
    Restored,
    Split,
    SplitSide,
)
from mirror.web.models.said import told
from mirror.web.models.state import ModuleState
from mirror.web.notices import says_split
from mirror.web.on_nodes import PeerRefusal, fetch_from_peer, why_not

EXIT_SOME_FAILED = 1


async def list_kept_versions(console: Here, module: ModuleName) -> KeptVersions:
    """Every version kept aside; on the node that serves, those of the other node too."""
    name = check_module_name(module)
    answer = await console.command_line.mirror("kept", "list", "-m", name)
    return KeptVersions.model_validate(answer)


async def restore_versions(console: Here, module: ModuleName, body: ChosenVersions) -> Restored:
    """Write versions back where they stood, on the node that serves; what stands there is kept."""
    name = check_module_name(module)
    answer = await console.command_line.mirror(
        *("kept", "restore", "-m", name, *_chosen(body)),
        timeout_s=LONG_S,
        allowed_codes=(EXIT_SOME_FAILED,),
    )
    return Restored.model_validate(answer)


async def remove_versions(
    console: Here, module: ModuleName, body: ChosenVersions
) -> RemovedVersions:
    """Remove versions for good."""
    name = check_module_name(module)
    if body.confirm != name:
        raise ConfirmationNeeded(verb="remove", module=name, observed=say("seen.for_good"))
    answer = await console.command_line.mirror(
        *("kept", "remove", "--force", "-m", name, *_chosen(body)),
        timeout_s=LONG_S,
        allowed_codes=(EXIT_SOME_FAILED,),
    )
    return RemovedVersions.model_validate(answer)


async def read_changes(console: Here, module: ModuleName) -> ChangedFiles:
    """What this node changed since the pair parted."""
    name = check_module_name(module)
    answer = await console.command_line.mirror("kept", "changed", "-m", name)
    return ChangedFiles.model_validate(answer)


async def read_split(console: Here, caller: Who, module: ModuleName) -> Split:
    """Both sides of a split brain: what each changed alone, and which copy would stay."""
    name = check_module_name(module)
    await asyncio.to_thread(console.store.require_installed, name)
    asked = [_own_side(console, name)]
    if console.membership.peer:
        asked.append(_other_side(console, caller, name))
    sides = list(await asyncio.gather(*asked))
    split = any(says_split(one.reason) for one in sides)
    lists = [one.changed for one in sides if one.changed is not None]
    known = [one.since_us for one in lists if one.since_us]
    return Split(
        module=name,
        split=split,
        since_us=min(known, default=0),
        sentence=_sentence(sides, split=split),
        verdict=_verdict(sides),
        nodes=sides,
        both=_in_both(lists),
    )


def _chosen(body: ChosenVersions) -> list[str]:
    if body.all == bool(body.ids):
        raise InputRefused(
            what="ids", observed=say("seen.nothing_chosen"), remedy=say("do.choose")
        )
    # An id is a few letters; what is none is refused by the command.
    return ["--all"] if body.all else ["--", *body.ids]


async def _own_side(console: Console, name: str) -> SplitSide:
    seen = console.watcher.this_node().modules.get(name)
    data = await read_data(console, name)
    changed, observed = None, Said()
    try:
        changed = await read_changes(console, name)
    except MirrorError as error:
        observed = said_of(error)
    return _side(data, seen, changed, observed)


async def _other_side(console: Console, caller: Caller, name: str) -> SplitSide:
    peer, base = console.membership.peer, f"/api/v1/modules/{name}"
    try:
        data = NodeData.model_validate_json(await fetch_from_peer(console, caller, f"{base}/data"))
        state = ModuleState.model_validate_json(
            await fetch_from_peer(console, caller, f"{base}/state")
        )
    except (MirrorError, PeerRefusal) as error:
        observed = why_not(error)
        return SplitSide(
            node=peer,
            reachable=False,
            observed=str(observed),
            observed_said=told(observed),
            state="UNKNOWN",
            ready="",
            reason="",
            record=None,
            changed=None,
        )
    changed, observed = None, Said()
    try:
        found = await fetch_from_peer(console, caller, f"{base}/changes")
        changed = ChangedFiles.model_validate_json(found)
    except (MirrorError, PeerRefusal) as error:
        observed = why_not(error)
    return _side(data, state, changed, observed)


def _side(
    data: NodeData, state: ModuleState | None, changed: ChangedFiles | None, observed: Said
) -> SplitSide:
    return SplitSide(
        node=data.node,
        reachable=True,
        observed=str(observed),
        observed_said=told(observed),
        state=data.state,
        ready=data.ready,
        reason=state.reason if state else "",
        record=data.record,
        changed=changed,
    )


def _verdict(sides: list[SplitSide]) -> Verdict | None:
    if len(sides) != 2 or any(one.record is None for one in sides):
        return None
    left, right = (
        NodeData(
            node=one.node,
            reachable=one.reachable,
            observed="",
            state=one.state,
            ready=one.ready,
            record=one.record,
            directories=[],
        )
        for one in sides
    )
    return verdict_of(left, right)


def _sentence(sides: list[SplitSide], *, split: bool) -> str:
    if not split:
        return "The nodes do not disagree."
    away = next((one.node for one in sides if not one.reachable), "")
    if away:
        return f"The nodes disagree; {away} does not answer. Nothing was thrown away."
    return "The nodes disagree. Nothing was thrown away. Choose which one goes on."


def _in_both(lists: list[ChangedFiles]) -> list[str]:
    if len(lists) != 2:
        return []
    first, second = ({_place(one) for one in each.files} for each in lists)
    return sorted(first & second)


def _place(one: ChangedFile) -> str:
    return f"{one.directory.rstrip('/')}/{one.path}"

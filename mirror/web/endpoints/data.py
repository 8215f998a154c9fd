"""What the nodes hold of a module: facts of one node, both side by side, what would be replaced.

Directories are looked at by a program with a time limit, never by this process.
"""

import asyncio
from typing import Annotated, Any

from fastapi import Query

from mirror.adapters.failures import failure_of
from mirror.adapters.records import read_record
from mirror.config.names import check_module_name
from mirror.errors import MirrorError
from mirror.vocabulary.said import Said, said_of, say
from mirror.web.comparing import advice, choice, record_facts, verdict_of
from mirror.web.console import Console, Here, Who
from mirror.web.endpoints.state import ModuleName
from mirror.web.models.data import (
    DirectoryFacts,
    ListedDirectory,
    NewestFile,
    NodeData,
    RecordFacts,
    StartFacts,
)
from mirror.web.models.said import told
from mirror.web.modules_seen import changed
from mirror.web.on_nodes import PeerRefusal, fetch_from_peer, why_not

COUNT_S = 4.0
PROGRAM_S = 8.0
LISTED_MAX = 20_000
US_PER_NS = 1000
NO_RECORD: dict[str, Any] = {}


async def read_data(
    console: Here,
    module: ModuleName,
    listing: Annotated[bool, Query(description="The files too, as far as they go")] = False,  # noqa: FBT002 - a query
) -> NodeData:
    """What this node holds of a module: its record, its files, the newest ones."""
    name = check_module_name(module)
    await asyncio.to_thread(console.store.require_installed, name)
    return await _here(console, name, listing=listing)


async def read_start_facts(console: Here, caller: Who, module: ModuleName) -> StartFacts:
    """Which node has the good data: both side by side, and what each choice would replace."""
    name = check_module_name(module)
    await asyncio.to_thread(console.store.require_installed, name)
    peer = console.membership.peer
    asked = [_here(console, name, listing=True)]
    if peer:
        asked.append(_there(console, caller, name, peer))
    nodes = list(await asyncio.gather(*asked))
    both = len(nodes) == 2 and all(one.reachable for one in nodes)
    verdict = verdict_of(nodes[0], nodes[1]) if both else None
    needed, sentence = advice(nodes, verdict)
    choices = [choice(nodes[0], nodes[1]), choice(nodes[1], nodes[0])] if both else []
    for one in nodes:
        one.listed = []
    return StartFacts(
        module=name,
        needed=needed,
        advice=str(sentence),
        advice_said=told(sentence),
        verdict=verdict,
        nodes=nodes,
        choices=choices,
    )


async def _here(console: Console, name: str, *, listing: bool) -> NodeData:
    seen = console.watcher.this_node().modules.get(name)
    directories = list(seen.directories) if seen else []
    found = await _looked_at(console, directories, LISTED_MAX if listing else 0)
    return NodeData(
        node=console.membership.shown_node,
        reachable=True,
        observed="",
        state=seen.state if seen else "UNKNOWN",
        ready=seen.ready if seen else "",
        record=await asyncio.to_thread(_record, console, name),
        directories=[
            DirectoryFacts(
                newest=[
                    NewestFile(path=path, bytes=size, changed_us=changed_us)
                    for path, size, changed_us in one["newest"]
                ],
                **{key: one[key] for key in ("path", "empty", "files", "bytes", "complete")},
                error=str(one["error"]),
                error_said=told(one["error"]),
            )
            for one in found
        ],
        listed=[
            ListedDirectory(path=one["path"], entries=one["listed"], all=one["listed_all"])
            for one in found
        ]
        if listing
        else [],
    )


async def _there(console: Console, caller: Who, name: str, peer: str) -> NodeData:
    path = f"/api/v1/modules/{name}/data"
    try:
        content = await fetch_from_peer(console, caller, path, query="listing=true")
        return NodeData.model_validate_json(content)
    except (MirrorError, PeerRefusal) as error:
        observed = why_not(error)
    return NodeData(
        node=peer,
        reachable=False,
        observed=str(observed),
        observed_said=told(observed),
        state="UNKNOWN",
        ready="",
        record=None,
        directories=[],
    )


async def _looked_at(
    console: Console, directories: list[str], listed_max: int
) -> list[dict[str, Any]]:
    if not directories:
        return []
    try:
        answer: Any = await console.command_line.program(
            "mirror.adapters.data_facts",
            f"{COUNT_S:g}",
            str(listed_max),
            *directories,
            what=say("what.directories"),
            timeout_s=PROGRAM_S,
        )
    except MirrorError as error:
        unseen = {"error": said_of(error), "empty": True, "files": 0, "bytes": 0, "newest": []}
        unseen |= {"complete": False, "listed": [], "listed_all": False}
        return [{"path": path, **unseen} for path in directories]
    return [one | {"error": _unseen(one)} for one in answer]


def _unseen(one: dict[str, Any]) -> Said:
    return failure_of(OSError(one["errno"], one["error"])) if one["error"] else Said()


def _record(console: Console, name: str) -> RecordFacts:
    file = console.layout.module(name).record
    try:
        return record_facts(read_record(file) or NO_RECORD, changed(file) // US_PER_NS)
    except (MirrorError, ValueError) as error:
        unread = record_facts(NO_RECORD, 0)
        return unread.model_copy(
            update={"error": str(error), "error_said": told(said_of(error)), "blank": False}
        )

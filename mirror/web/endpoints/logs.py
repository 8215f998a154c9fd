"""The module log, what scripts said, and the states of the past. Read from the disk.

So it also works while the control plane is down, which is when logs are wanted most.
"""

import asyncio
import contextlib
import json
import re
import sqlite3
import stat
from collections.abc import Callable
from pathlib import Path as FilePath
from typing import Annotated, Any

from fastapi import Path, Query

from mirror.adapters.beneath import FileFacts
from mirror.adapters.module_log import LEVELS, SHOWN_LEVELS
from mirror.config.names import check_module_name
from mirror.errors import FileNotReadable, ModuleUnknown, NotFoundHere
from mirror.vocabulary.said import say
from mirror.web.console import Console, Here
from mirror.web.endpoints.state import ModuleName
from mirror.web.models.control import (
    Log,
    LogLine,
    Output,
    OutputList,
    OutputText,
    Period,
    Timeline,
)

ID_MAX = 2**53
OUTPUTS_MAX = 200
OUTPUT_CHUNK_BYTES = 256 * 1024
OUTPUT_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._:+-]{0,200}\.ulog")
# An orderly end passes through WAIT.
LEADS_TO_STOP = frozenset({"STOP", "WAIT", "UNKNOWN"})
REMOTE_STATE = re.compile(r"Remote state ([A-Z]+) (\w+)")
LOCAL_STATE = re.compile(r"Local state ([A-Z]+) (\w+)")


async def read_log(
    console: Here,
    module: ModuleName,
    count: Annotated[int, Query(ge=1, le=5000)] = 200,
    since: Annotated[int | None, Query(ge=0, le=ID_MAX, description="ids after this one")] = None,
    before: Annotated[int | None, Query(ge=1, le=ID_MAX, description="ids below this one")] = None,
    every: Annotated[bool, Query(description="The verbose levels too")] = False,  # noqa: FBT002
    text: Annotated[str, Query(max_length=200, description="Lines that hold this text")] = "",
) -> Log:
    """Lines of the module log of this node, oldest first.

    Without `since`, the last `count`; with it, the first `count` after it; with `before`, the
    last `count` below it, to page back.
    """
    name = await _known(console, module)
    levels = LEVELS if every else SHOWN_LEVELS
    file = console.layout.module(name).log_database
    entries = await asyncio.to_thread(_lines, file, (count, since, before, levels, text))
    last_id = entries[-1].id if entries else since or 0
    return Log(module=name, node=console.membership.shown_node, entries=entries, last_id=last_id)


async def list_outputs(console: Here, module: ModuleName) -> OutputList:
    """What the module's scripts said (userlogs), newest first."""
    name = await _known(console, module)
    found = await asyncio.to_thread(_outputs, console.working(name))
    return OutputList(
        module=name,
        outputs=[
            Output(name=one.path, bytes=one.bytes, changed_us=one.changed_us) for one in found
        ],
    )


async def read_output(
    console: Here,
    module: ModuleName,
    name: Annotated[str, Path(min_length=1, max_length=210)],
    offset: Annotated[
        int | None, Query(ge=0, le=ID_MAX, description="From this byte; without it, the end")
    ] = None,
) -> OutputText:
    """A part of what a script said; ask again from `next_offset` to follow it."""
    directory = console.working(await _known(console, module))
    if not OUTPUT_NAME.fullmatch(name):
        raise NotFoundHere(
            what=name[:100], observed=say("seen.no_output"), remedy=say("do.list_outputs")
        )
    return await asyncio.to_thread(_part, directory / name, offset)


async def read_timeline(
    console: Here,
    module: ModuleName,
    since_us: Annotated[int, Query(ge=0, le=ID_MAX)] = 0,
) -> Timeline:
    """The states of the past on this node, from its log; UNKNOWN while the node was down."""
    name = await _known(console, module)
    file = console.layout.module(name).log_database
    begin_us, periods = await asyncio.to_thread(
        _periods, file, since_us, console.settings.alive_before
    )
    now_us = console.watcher.this_node().time_us
    served = [
        (one.until_us or now_us) - one.from_us
        for one in periods
        if one.state in {"PRIM", "ALONE"} and one.ready == "Ready"
    ]
    return Timeline(
        module=name,
        node=console.membership.shown_node,
        from_us=begin_us,
        periods=periods,
        remote=await asyncio.to_thread(
            _remote_periods, file, since_us, periods, _timeout_us(console, name)
        ),
        served_us=sum(max(0, length) for length in served),
    )


async def _known(console: Console, module: str) -> str:
    name = check_module_name(module)
    store = console.store
    if not await asyncio.to_thread(lambda: name in {*store.installed(), *store.configured()}):
        raise ModuleUnknown(module=name, observed=say("seen.not_installed"))
    return name


def _lines(file: FilePath, wanted: tuple[int, int | None, int | None, str, str]) -> list[LogLine]:
    count, since, before, levels, text = wanted
    order = "ASC" if since is not None else "DESC"
    query = (
        "SELECT id, time_us, level, source, text, fields FROM log WHERE instr(?, level) > 0"  # noqa: S608 - `order` is one of two words
        f" AND id > ? AND id < ? AND (? = '' OR instr(lower(text), lower(?)) > 0)"
        f" ORDER BY id {order} LIMIT ?"
    )
    rows = _query(file, query, levels, since or 0, before or ID_MAX, text, text, count)
    if since is None:
        rows.reverse()
    names = ("id", "time_us", "level", "source", "text")
    return [
        LogLine(**dict(zip(names, row[:5], strict=True)), fields=json.loads(row[5]))
        for row in rows
    ]


def _periods(
    file: FilePath, since_us: int, alive_before: Callable[[int], int]
) -> tuple[int, list[Period]]:
    first = _query(file, "SELECT min(time_us) FROM log")
    rows = _query(
        file,
        "SELECT id, time_us, text, fields FROM log WHERE source = 'heart'"
        " AND text LIKE 'Local state %' ORDER BY id",
    )
    periods: list[Period] = []
    for number, time_us, text, fields in rows:
        found = LOCAL_STATE.match(text)
        if found is None:
            continue
        if periods:
            last = periods[-1]
            last.until_us = time_us
            if found[1] == "STOP" and last.state not in LEADS_TO_STOP:
                gap = _gap(file, number, last, alive_before(time_us))
                periods.append(gap)
        row = str(json.loads(fields).get("row", ""))
        periods.append(
            Period(state=found[1], ready=found[2], from_us=time_us, until_us=None, row=row)
        )
    kept = [one for one in periods if one.until_us is None or one.until_us > since_us]
    begin_us = int(first[0][0] or 0) if first else 0
    return max(begin_us, since_us), kept


def _remote_periods(
    file: FilePath, since_us: int, own: list[Period], timeout_us: int
) -> list[Period]:
    """States of the other node as this one heard them.

    Its death is noticed when it was silent for the timeout, so that is when it began; what this
    node heard before its own death says nothing of the time after it.
    """
    rows = _query(
        file,
        "SELECT time_us, text FROM log WHERE source = 'heart' AND text LIKE 'Remote state %'"
        " ORDER BY id",
    )
    found: list[Period] = []
    for time_us, text in rows:
        named = REMOTE_STATE.match(text)
        if named is None:
            continue
        if found:
            last = found[-1]
            silent_us = timeout_us if named[1] == "UNKNOWN" else 0
            last.until_us = max(last.from_us, time_us - silent_us)
        found.append(
            Period(state=named[1], ready=named[2], from_us=time_us, until_us=None, row="")
        )
    deaths = [one.from_us for one in own if one.state == "UNKNOWN"]
    for one in found:
        ends = [death for death in deaths if death >= one.from_us]
        if ends and (one.until_us is None or ends[0] < one.until_us):
            one.until_us = ends[0]
    return [one for one in found if one.until_us is None or one.until_us > since_us]


def _timeout_us(console: Console, name: str) -> int:
    seen = console.watcher.files_of(name)
    return seen.heart_timeout_ms * 1000 if seen else 0


def _gap(file: FilePath, number: int, last: Period, alive_us: int) -> Period:
    """A module that ran and is then in STOP without leaving: its host or node had died.

    Its log does not say when; the last line before, and the last sign of life of the console do.
    """
    assert last.until_us is not None
    lines = _query(file, "SELECT max(time_us) FROM log WHERE id < ?", number)
    died_us = max(last.from_us, int(lines[0][0] or 0), alive_us)
    back_us, last.until_us = last.until_us, min(died_us, last.until_us)
    return Period(state="UNKNOWN", ready="", from_us=last.until_us, until_us=back_us)


def _query(file: FilePath, query: str, *values: object) -> list[tuple[Any, ...]]:
    """Rows of a log; [] when there is none yet. Raises: FileNotReadable (MIR-108)."""
    if not file.exists():
        return []
    try:
        with contextlib.closing(
            sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=5)
        ) as database:
            return database.execute(query, values).fetchall()
    except sqlite3.Error as error:
        raise FileNotReadable(file=file.name, observed=str(error)) from error


def _outputs(directory: FilePath) -> list[FileFacts]:
    found = []
    for path in directory.glob("*.ulog"):
        with contextlib.suppress(OSError):
            facts = path.lstat()
            if stat.S_ISREG(facts.st_mode) and OUTPUT_NAME.fullmatch(path.name):
                changed_us = facts.st_mtime_ns // 1000
                found.append(FileFacts(path.name, facts.st_size, changed_us, executable=False))
    return sorted(found, key=lambda one: -one.changed_us)[:OUTPUTS_MAX]


def _part(path: FilePath, offset: int | None) -> OutputText:
    if path.is_symlink() or not path.is_file():
        raise NotFoundHere(
            what=path.name, observed=say("seen.no_output"), remedy=say("do.list_outputs")
        )
    with path.open("rb") as file:
        size = file.seek(0, 2)
        begin = max(0, size - OUTPUT_CHUNK_BYTES) if offset is None else min(offset, size)
        file.seek(begin)
        content = file.read(OUTPUT_CHUNK_BYTES)
    return OutputText(
        name=path.name,
        offset=begin,
        next_offset=begin + len(content),
        bytes=size,
        text=content.decode("utf-8", "replace"),
    )

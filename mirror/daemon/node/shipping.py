"""rfssync: a copy of the data shipped by hand, and a full comparison asked for in advance.

The record is changed where nothing else changes it: the module is stopped, or serves alone with
nobody joining. Which copies were named is remembered in a file of the module, for people.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mirror.adapters import clock
from mirror.adapters.durable import write_durably
from mirror.core import shipped
from mirror.daemon.node.host_ports import RecordsPort
from mirror.errors import ReplicationVerbRefused
from mirror.vocabulary.events import RecordPersisted
from mirror.vocabulary.record import record_to_map
from mirror.vocabulary.said import say
from mirror.vocabulary.states import State

if TYPE_CHECKING:
    from mirror.daemon.node.module_runner import ModuleRunner

FILE_NAME = "shipped.json"
SIDES = frozenset({"prim", "second"})
UID_CHARACTERS_MAX = 64


@dataclass(frozen=True, slots=True)
class Copy:
    """A copy that was named here. side: prim holds the data, second got the copy."""

    uid: str
    side: str
    since_us: int


async def synchronise(runner: ModuleRunner, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Perform rfssync. action: show, external, forget, full. Raises: ReplicationVerbRefused."""
    action = str(arguments.get("action") or "show")
    copies = Copies(runner.working)
    if action == "full":
        await _change(runner, "full", "")
    elif action in ("external", "forget"):
        side, uid = str(arguments.get("side") or ""), str(arguments.get("uid") or "")
        if side not in SIDES or not 0 < len(uid) <= UID_CHARACTERS_MAX or not uid.isprintable():
            raise _refused(runner, say("verb.rfssync", max=UID_CHARACTERS_MAX))
        await _change(runner, side if action == "external" else "forget", uid)
        copies.forget(uid)
        if action == "external":
            copies.add(Copy(uid, side, clock.wall_us()))
    record = runner.driver.engine.context.record
    return {
        "said": _said(action, runner, arguments),
        "copies": [asdict(each) for each in copies.all()],
        "generation": record.current,
        "full": record.inconsistent or (record.lived_on and not record.base),
    }


class Copies:
    """The copies that were named on this node."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / FILE_NAME
        self._copies: list[Copy] = []
        with contextlib.suppress(OSError, ValueError, TypeError):
            self._copies = [Copy(**each) for each in json.loads(self._file.read_text("utf-8"))]

    def all(self) -> list[Copy]:
        """Every copy, in the order they were named."""
        return list(self._copies)

    def add(self, copy: Copy) -> None:
        """Remember one. Raises: OSError."""
        self._write([*self._copies, copy])

    def forget(self, uid: str) -> None:
        """Do not remember one. Raises: OSError."""
        self._write([each for each in self._copies if each.uid != uid])

    def _write(self, copies: list[Copy]) -> None:
        self._copies = copies
        write_durably(self._file, json.dumps([asdict(each) for each in copies]).encode())


async def _change(runner: ModuleRunner, verb: str, uid: str) -> None:
    context = runner.driver.engine.context
    core, stopped = runner.settings.core, runner.state is State.STOP
    if not stopped and (runner.state is not State.ALONE or context.leading):
        raise _refused(runner, say("verb.neither", state=runner.state.value))
    record = context.record
    sentence = shipped.refusal(record, verb, core.node, stopped=stopped)
    if sentence:
        raise _refused(runner, sentence)
    generation = shipped.generation_of(runner.name, uid)
    match verb:
        case "prim":
            record = shipped.shipped(record, generation)
        case "second":
            record = shipped.restored(record, generation, core.peer)
        case "forget":
            record = shipped.forgotten(record, generation)
        case _:
            record = shipped.uncertain(record, serves=not stopped)
    await RecordsPort(runner.record_file, runner.settings.core.timeout_ms / 1000).write(
        record_to_map(record)
    )
    runner.post(RecordPersisted(record))
    what = f"external {verb} {uid}" if uid else verb
    runner.log.append("E", "reintegre", f"Action rfssync {what} called by administrator")


def _refused(runner: ModuleRunner, observed: str) -> ReplicationVerbRefused:
    core = runner.settings.core
    return ReplicationVerbRefused(
        verb="rfssync", node=core.node, observed=observed, peer=core.peer
    )


def _said(action: str, runner: ModuleRunner, arguments: Mapping[str, Any]) -> str:
    core, uid = runner.settings.core, arguments.get("uid")
    match action:
        case "full":
            return "everything is compared when the two nodes join the next time"
        case "forget":
            return f"copy {uid} is not known any more"
        case "external" if arguments.get("side") == "prim":
            return (
                f"copy the replicated directories of {core.node} now; on {core.peer}, stopped, put"
                f" the copy in its directories, then `rfssync external second {uid}` and start it"
            )
        case "external":
            return f"the directories here hold copy {uid}; start the module"
        case _:
            return ""

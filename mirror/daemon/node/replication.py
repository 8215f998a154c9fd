"""Replication as people ask for it: verify, estimate; and what the last reintegration was like.

Each verb is one call of the data plane; this file adds what only the control plane knows: the
roles, and the rate measured last time, which it keeps in a file of the module.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mirror.adapters.durable import write_durably
from mirror.errors import MirrorError, ReplicationVerbRefused
from mirror.vocabulary.said import say
from mirror.vocabulary.states import State
from mirror.wire.local import Message

if TYPE_CHECKING:
    from mirror.daemon.node.module_runner import ModuleRunner

FILE_NAME = "reintegration.json"
FIGURES = ("files", "bytes_copied", "bytes_compared", "seconds")
ENVELOPE = frozenset({"v", "id", "ok"})


class LastReintegration:
    """What the last reintegration of a module was like, by whichever side; {} for none."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / FILE_NAME
        self.figures: dict[str, Any] = {}
        with contextlib.suppress(OSError, ValueError):
            self.figures = dict(json.loads(self._file.read_text(encoding="utf-8")))

    async def record(self, message: Message) -> None:
        """Keep the figures of one that has ended; a disk that refuses them loses no data."""
        self.figures = {name: message.get(name) for name in FIGURES}
        content = json.dumps(self.figures).encode()
        with contextlib.suppress(OSError):
            await asyncio.to_thread(write_durably, self._file, content)

    def rates(self) -> tuple[float, float] | None:
        """Bytes compared and files a second; None when nothing was measured."""
        seconds = float(self.figures.get("seconds") or 0)
        if seconds <= 0:
            return None
        compared = int(self.figures.get("bytes_compared") or 0)
        return compared / seconds, int(self.figures.get("files") or 0) / seconds


async def verify(runner: ModuleRunner, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Perform rfsverify. action: start, show, stop. Raises: ReplicationVerbRefused, others."""
    action = str(arguments.get("action") or "start")
    if action == "start":
        _must_be(runner, "rfsverify", State.PRIM, "verb.in_step")
        await runner.client.call("verify", {"repair": bool(arguments.get("repair"))})
    elif action == "stop":
        await runner.client.call("verify_end", {})
    return _plain(await runner.client.call("verification", {}))


async def differ(runner: ModuleRunner, _: Mapping[str, Any]) -> dict[str, Any]:
    """Perform rfsdiff: what changed since this node is alone, and how long joining will take."""
    _must_be(runner, "rfsdiff", State.ALONE, "verb.notes")
    found = _plain(await runner.client.call("estimate", {}))
    last = runner.last_reintegration
    return {**found, "seconds": seconds_for(found, last.rates()), "last": last.figures}


def seconds_for(found: Mapping[str, Any], rates: tuple[float, float] | None) -> float | None:
    """How long as much took last time; the slower of bytes and files. None: never measured."""
    if rates is None:
        return None
    byte_rate, file_rate = rates
    by_bytes = found["bytes"] / byte_rate if byte_rate else 0.0
    by_files = found["files"] / file_rate if file_rate else 0.0
    return round(max(by_bytes, by_files), 1)


async def verify_by_schedule(runner: ModuleRunner) -> None:
    """A verification whose time has come; one that cannot be now is told in the log."""
    if runner.state is not State.PRIM:
        return
    try:
        await verify(runner, {"action": "start"})
        runner.log.append("E", "nfsbox", "Verification begun by verifyat")
    except MirrorError as error:
        runner.log.append("W", "nfsbox", f"Verification by verifyat: {error}")


def _must_be(runner: ModuleRunner, verb: str, state: State, code: str) -> None:
    if runner.state is not state:
        core = runner.settings.core
        raise ReplicationVerbRefused(
            verb=verb,
            node=core.node,
            observed=say(code, state=runner.state.value, wanted=state.value),
            peer=core.peer,
        )


def _plain(message: Message) -> dict[str, Any]:
    return {name: value for name, value in message.items() if name not in ENVELOPE}

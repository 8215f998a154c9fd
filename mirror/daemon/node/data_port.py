"""The data plane of one module: its process, its verbs, and its events as events of the core."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from mirror.adapters.data_plane_client import DataPlaneClient
from mirror.daemon.plane.directories import Directory
from mirror.daemon.plane.settings import PlaneSettings
from mirror.vocabulary.events import (
    CheckpointReached,
    DataFault,
    Event,
    LinkLost,
    LinkUp,
    Progressed,
    SourceInSync,
    TargetInSync,
)
from mirror.vocabulary.said import from_parts
from mirror.wire.local import Message


class DataPort:
    """Implements ports.DataPlane. Used by one event loop.

    A dead one leaves its mounts over the directories until the application is gone (design 9).
    before_serving(): raises what forbids to accept changes on this node.
    """

    def __init__(
        self,
        client: DataPlaneClient,
        settings: PlaneSettings,
        before_serving: Callable[[], Awaitable[None]],
    ) -> None:
        self.client = client
        self._before_serving = before_serving
        self._directories = [
            Directory(number, path, f"{settings.lower_prefix}{number}")
            for number, path in enumerate(settings.directories)
        ]

    async def ensure(self) -> None:
        await self.client.ensure()

    async def call(self, verb: str, fields: Mapping[str, Any]) -> Mapping[str, Any]:
        if verb == "serve":
            await self._before_serving()
        return await self.client.call(verb, fields)

    async def close(self) -> None:
        await self.client.end()
        for directory in self._directories:
            await asyncio.to_thread(_release, directory)

    async def clear_dead_mount(self) -> None:
        await self.client.wait_gone()
        for directory in self._directories:
            await asyncio.to_thread(directory.clear)


def _release(directory: Directory) -> None:
    """What a data plane that was killed could not do itself; after an orderly end, nothing."""
    directory.clear()
    # The private bind is nobody's obstacle: one that is busy is found again at the next start.
    with contextlib.suppress(OSError):
        directory.release()


def event_of(message: Message) -> Event | None:  # noqa: PLR0911 - one line an event
    """Translate what a data plane says; None for what the core does not need."""
    session = str(message.get("session") or "")
    match message.get("event"):
        case "link_up":
            return LinkUp(session)
        case "link_lost":
            reason = str(message.get("reason") or "")
            return LinkLost(session, from_parts(message.get("reason_said"), reason))
        case "in_sync":
            return SourceInSync(session)
        case "target_in_sync":
            return TargetInSync(session, str(message.get("generation") or ""))
        case "checkpoint":
            return CheckpointReached(int(message.get("epoch") or 0))
        case "fault":
            sentence = str(message.get("sentence") or message.get("error") or "")
            return DataFault(str(message.get("where") or "local"), sentence)
        case "progress":
            fields = {name: value for name, value in message.items() if name not in ("v", "event")}
            return Progressed(fields)
        case _:
            return None


def copied_line(message: Message) -> str:
    """SafeKit's line at the end of a reintegration, from `in_sync`."""
    seconds = float(message.get("seconds") or 0.0)
    compared = int(message.get("bytes_compared") or 0)
    rate = compared / seconds / 1e6 if seconds > 0 else 0.0
    return (
        f"Copied <{message.get('files', 0)} files, {message.get('bytes_copied', 0)} bytes copied,"
        f" {compared} bytes compared, {seconds:.1f} s, {rate:.1f} MB/s>"
    )

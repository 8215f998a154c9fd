"""Asks the scanning process, with a deadline; a scanner that blocks is killed and replaced."""

import asyncio
import contextlib
import json
import os
import socket
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mirror
from mirror.adapters.checkers.process_scan import DESCRIPTORS_MAX

# A scanner that blocks in the kernel does not die of SIGKILL either; a few may stay behind.
STUCK_MAX = 4

_PACKAGE_PARENT = Path(mirror.__file__).parents[1]


@dataclass(frozen=True, slots=True)
class Query:
    """What to look for: see process_scan. watch_max: so many descriptors are wanted."""

    name: str
    nameregex: str | None
    argregex: str | None
    watch_max: int


@dataclass(frozen=True, slots=True)
class Found:
    """Processes that match. pidfds: of some or all of them, the receiver's to close."""

    count: int
    pidfds: tuple[int, ...]


class ScanClient:
    """One scanning process at a time. Used by one event loop, one `scan` at a time."""

    def __init__(self) -> None:
        self._channel: socket.socket | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._stuck: list[asyncio.subprocess.Process] = []
        self._request_id = 0

    async def scan(self, queries: Sequence[Query], timeout_s: float) -> list[Found | None]:
        """Look for each. None: not known, its scan blocked or the scanner failed."""
        found: list[Found | None] = [None] * len(queries)
        self._request_id += 1
        try:
            async with asyncio.timeout(timeout_s):
                await self._exchange(queries, found)
        except (TimeoutError, OSError, ValueError):
            self._abandon()
        except asyncio.CancelledError:
            _close_all([pidfd for one in found if one is not None for pidfd in one.pidfds])
            raise
        return found

    async def close(self) -> None:
        """End the scanner."""
        self._abandon()
        for process in self._stuck:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(1):
                    await process.wait()

    async def _exchange(self, queries: Sequence[Query], found: list[Found | None]) -> None:
        channel = await self._connected()
        wanted = [
            {
                "name": each.name,
                "nameregex": each.nameregex,
                "argregex": each.argregex,
                "watch_max": each.watch_max,
            }
            for each in queries
        ]
        request = json.dumps({"id": self._request_id, "wanted": wanted}).encode()
        await asyncio.get_running_loop().sock_sendall(channel, request)
        while True:
            reply, pidfds = await self._receive(channel)
            if reply.get("id") != self._request_id:
                _close_all(pidfds)
            elif reply.get("done"):
                return
            else:
                found[reply["index"]] = Found(reply["count"], tuple(pidfds))

    async def _receive(self, channel: socket.socket) -> tuple[dict[str, Any], list[int]]:
        loop, readable = asyncio.get_running_loop(), asyncio.Event()
        loop.add_reader(channel.fileno(), readable.set)
        try:
            await readable.wait()
        finally:
            loop.remove_reader(channel.fileno())
        content, pidfds, _, _ = socket.recv_fds(channel, 4096, DESCRIPTORS_MAX)
        if not content:
            _close_all(pidfds)
            raise ConnectionResetError
        return json.loads(content), pidfds

    async def _connected(self) -> socket.socket:
        if self._channel is not None:
            return self._channel
        self._stuck = [each for each in self._stuck if each.returncode is None]
        if len(self._stuck) >= STUCK_MAX:
            raise OSError("too many scanners are stuck")
        ours, theirs = socket.socketpair(
            socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_NONBLOCK
        )
        theirs.setblocking(True)
        with theirs:
            try:
                self._process = await asyncio.create_subprocess_exec(
                    sys.executable,
                    "-m",
                    "mirror.adapters.checkers.process_scan",
                    stdin=theirs.fileno(),
                    cwd="/",
                    env={"PYTHONPATH": str(_PACKAGE_PARENT), "PATH": os.defpath},
                )
            except BaseException:
                ours.close()
                raise
        self._channel = ours
        return ours

    def _abandon(self) -> None:
        if self._channel is not None:
            self._channel.close()
            self._channel = None
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            self._stuck.append(self._process)
            self._process = None


def _close_all(descriptors: Sequence[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)

"""The control socket: requests of the command line, scripts, the console and the lab.

Bounded: so many connections, so many requests at a time on each. Mode 0600: who may write to it
may do what an administrator may.
"""

import asyncio
import contextlib
import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import structlog

from mirror.daemon.node.modules import Modules
from mirror.daemon.node.requests import Requests
from mirror.errors import LocalMessageRefused, MirrorError, RequestNotUnderstood
from mirror.wire import local

log = structlog.get_logger()

CHUNK_BYTES_MAX = 65_536
CONNECTIONS_MAX = 128
FOLLOW_AGAIN_S = 0.2  # a log has ended, and that of the module configured anew is not there yet
REQUESTS_MAX = 32  # at a time on one connection


class CommandServer:
    """Listens on SAFEVAR/run/control.sock. Used by one event loop."""

    def __init__(self, path: Path, modules: Modules) -> None:
        self._path = path
        self._modules = modules
        self._requests = Requests(modules)
        self._connections = 0
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Listen. Raises: OSError."""
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._path.unlink(missing_ok=True)
        before = os.umask(0o177)
        try:
            self._server = await asyncio.start_unix_server(self._connected, str(self._path))
        finally:
            os.umask(before)

    async def close(self) -> None:
        """Listen no more; what is being answered is cut off."""
        if self._server is not None:
            self._server.close()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._connections >= CONNECTIONS_MAX:
            writer.close()
            return
        self._connections += 1
        connection = _Connection(self._requests, self._modules, writer)
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            await connection.serve(reader)
        except (OSError, LocalMessageRefused) as error:
            log.warning("control connection ended", error=str(error))
        finally:
            self._tasks.discard(task)
            self._connections -= 1
            await connection.close()


class _Connection:
    """One connection: requests in, replies and events out."""

    def __init__(self, requests: Requests, modules: Modules, writer: asyncio.StreamWriter) -> None:
        self._requests = requests
        self._modules = modules
        self._writer = writer
        self._room = asyncio.Semaphore(REQUESTS_MAX)
        self._tasks: set[asyncio.Task[None]] = set()

    async def serve(self, reader: asyncio.StreamReader) -> None:
        """Answer until the other end closes. Raises: OSError, LocalMessageRefused."""
        decoder = local.Decoder()
        while chunk := await reader.read(CHUNK_BYTES_MAX):
            for message in decoder.feed(chunk):
                await self._room.acquire()
                task = asyncio.create_task(self._answer(message))
                self._tasks.add(task)
                task.add_done_callback(self._done)

    async def close(self) -> None:
        """End what is still being answered: nobody waits for it."""
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._writer.close()

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._room.release()

    async def _answer(self, message: local.Message) -> None:
        number = message.get("id")
        number = number if isinstance(number, int) else 0
        do = str(message.get("do") or "")
        fields = {name: value for name, value in message.items() if name not in ("v", "id", "do")}
        follows: list[str] = []

        def note(event: Mapping[str, Any]) -> None:
            follows.append(str(event["follow"]))

        try:
            answer = local.reply(number, **await self._requests.perform(do, fields, note))
        except MirrorError as error:
            answer = local.reply_error(number, error)
        except (OSError, ValueError, TypeError) as error:
            log.exception("request failed", do=do)
            refused = RequestNotUnderstood(what=do, observed=str(error))
            answer = local.reply_error(number, refused)
        await self._send(answer)
        for module in follows:
            await self._follow(module)

    async def _follow(self, module: str) -> None:
        """Send a log as it grows; when the module is configured anew, that of the new one.

        When there is no such module any more the connection ends, and its reader knows.
        """
        try:
            while True:
                async for entry in self._modules.get(module).log.follow():
                    await self._send(local.event("log", entry=asdict(entry)))
                await asyncio.sleep(FOLLOW_AGAIN_S)
        except MirrorError:
            self._writer.close()

    async def _send(self, message: Mapping[str, Any]) -> None:
        with contextlib.suppress(OSError):
            self._writer.write(local.encode(message))
            await self._writer.drain()

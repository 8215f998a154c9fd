"""The control socket: what the command line, scripts and the guardian may ask of this node.

One row a request (`REQUESTS`). Messages: mirror/wire/local.py. Only root reaches the socket.
"""

import asyncio
import contextlib
import os
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog

from mirror.daemon.module import ModuleRunner
from mirror.errors import CommandRefused, MirrorError, ModuleUnknown, WaitedInVain
from mirror.vocabulary.units import format_duration
from mirror.wire import local

if TYPE_CHECKING:
    from mirror.daemon.control_plane import ControlPlane

trace = structlog.get_logger()
CHUNK_BYTES_MAX = 65_536
PRINTS = {"printi": "I", "printw": "W", "printe": "E"}
Send = Callable[[dict[str, Any]], Awaitable[None]]


class ControlServer:
    """Serves control.sock. Used by one event loop."""

    def __init__(self, node: "ControlPlane") -> None:
        self._node = node
        self._server: asyncio.Server | None = None

    async def start(self, path: Path) -> None:
        """Listen; a socket that a dead control plane left is replaced. Raises: OSError."""
        await asyncio.to_thread(_clear, path)
        self._server = await asyncio.start_unix_server(self._serve, str(path))
        await asyncio.to_thread(path.chmod, 0o600)

    async def close(self) -> None:
        """Listen no more."""
        if self._server is not None:
            self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        decoder = local.Decoder()
        tasks: set[asyncio.Task[None]] = set()
        lock = asyncio.Lock()

        async def send(message: dict[str, Any]) -> None:
            async with lock:
                writer.write(local.encode(message))
                await writer.drain()

        try:
            while chunk := await reader.read(CHUNK_BYTES_MAX):
                for message in decoder.feed(chunk):
                    task = asyncio.get_running_loop().create_task(self._answer(message, send))
                    tasks.add(task)
                    task.add_done_callback(tasks.discard)
        except (OSError, MirrorError) as error:
            trace.info("control connection ended", error=str(error))
        finally:
            for task in tasks:
                task.cancel()
            writer.close()

    async def _answer(self, message: dict[str, Any], send: Send) -> None:
        number, verb = int(message.get("id") or 0), str(message.get("do") or "")
        try:
            perform = REQUESTS.get(verb, _unknown)
            answer = local.reply(number, **await perform(self, message, send))
        except MirrorError as error:
            answer = local.reply_error(number, error)
        except Exception as error:  # noqa: BLE001 - one bad request must not end the node
            trace.exception("request failed", verb=verb)
            refused = CommandRefused(module="-", verb=verb, observed=repr(error))
            answer = local.reply_error(number, refused)
        with contextlib.suppress(OSError):
            await send(answer)

    def _module(self, message: dict[str, Any]) -> ModuleRunner:
        name = str(message.get("module") or "")
        runner = self._node.modules.get(name)
        if runner is None:
            broken = self._node.broken.get(name)
            raise ModuleUnknown(module=name or "-", observed=broken or "not configured here")
        return runner

    # --- requests ---

    async def _command(self, message: dict[str, Any], send: Send) -> dict[str, Any]:
        del send
        verb = str(message.get("verb") or "")
        arguments = message.get("arguments") or {}
        if not isinstance(arguments, dict):
            arguments = {str(word): True for word in arguments}
        if verb == "shutdown":
            await self._node.stop_modules()
            return {"said": "every module is stopped"}
        runner = self._module(message)
        if verb in PRINTS:
            runner.log.append(PRINTS[verb], "user", str(arguments.get("text") or ""))
            return {}
        if verb == "set":
            runner.set_resource(str(arguments["resource"]), str(arguments["value"]))
            return {}
        if verb == "errd":
            return self._errd(runner, str(arguments.get("action") or ""))
        if verb == "checkloop":
            return {"count": len(runner.engine.context.loops_ms)}
        words = tuple(str(word) for word, given in arguments.items() if given is True)
        refusal = await runner.command(verb, words, str(message.get("identity") or ""))
        if refusal:
            raise CommandRefused(module=runner.name, verb=verb, observed=refusal)
        return {}

    def _errd(self, runner: ModuleRunner, action: str) -> dict[str, Any]:
        if action == "list":
            found = runner.notebook.resources.items()
            listed = [f"{name} {one['value']}" for name, one in found if name.startswith("proc.")]
            return {"processes": listed}
        if action in {"on", "off"} and runner.processes is not None:
            runner.processes.switch(on=action == "on")
        return {}

    async def _state(self, message: dict[str, Any], send: Send) -> dict[str, Any]:
        del message, send
        modules = {name: runner.status() for name, runner in self._node.modules.items()}
        for name, observed in self._node.broken.items():
            modules[name] = {"state": "ERROR", "ready": False, "reason": observed}
        return {"modules": modules, "node": self._node.node_name}

    async def _resources(self, message: dict[str, Any], send: Send) -> dict[str, Any]:
        del send
        return {"resources": self._module(message).notebook.resources}

    async def _log(self, message: dict[str, Any], send: Send) -> dict[str, Any]:
        runner = self._module(message)
        levels = "CEUSIWD" if message.get("every") else "CEUS"
        entries = await runner.log.last(int(message.get("last") or 100), levels)
        if message.get("follow"):
            self._node.spawn(self._follow(runner, send))
        return {"entries": [asdict(entry) for entry in entries]}

    async def _follow(self, runner: ModuleRunner, send: Send) -> None:
        async for entry in runner.log.follow():
            try:
                await send(local.event("log", entry=_plain(asdict(entry))))
            except OSError:
                return

    async def _wait_state(self, message: dict[str, Any], send: Send) -> dict[str, Any]:
        del send
        runner = self._module(message)
        states = {str(state) for state in message.get("states") or [message.get("state")]}
        timeout_s = message.get("timeout_s")
        begun = asyncio.get_running_loop().time()

        def there() -> bool:
            status = runner.status()
            return status["state"] in states and (status["ready"] or not message.get("ready"))

        try:
            async with asyncio.timeout(None if timeout_s is None else float(timeout_s)):
                async with runner.notebook.changed:
                    await runner.notebook.changed.wait_for(there)
        except TimeoutError as error:
            waited_ms = int((asyncio.get_running_loop().time() - begun) * 1000)
            status = runner.status()
            observed = f"{status['state']} after {format_duration(waited_ms)}"
            raise WaitedInVain(module=runner.name, observed=observed) from error
        return runner.status()

    async def _reconfigure(self, message: dict[str, Any], send: Send) -> dict[str, Any]:
        del send
        await self._node.reconfigure(str(message.get("module") or ""))
        return {}

    async def _cluster_changed(self, message: dict[str, Any], send: Send) -> dict[str, Any]:
        del message, send
        await self._node.reconfigure("")
        return {}

    async def _cluster_state(self, message: dict[str, Any], send: Send) -> dict[str, Any]:
        del message, send
        nodes = {self._node.node_name or "this node": "this node"}
        for runner in self._node.modules.values():
            seen = runner.status()["heartbeats"]
            lans = [f"{lan} {'silent' if one['silent'] else 'ok'}" for lan, one in seen.items()]
            nodes[runner.peer] = ", ".join(lans)
        return {"nodes": nodes}

    async def _part_pids(self, message: dict[str, Any], send: Send) -> dict[str, Any]:
        del message, send
        data = {name: runner.data.pid for name, runner in self._node.modules.items()}
        return {"control": os.getpid(), "guardian": os.getppid(), "data": data}


async def _unknown(server: ControlServer, message: dict[str, Any], send: Send) -> dict[str, Any]:
    del server, send
    raise CommandRefused(module="-", verb=str(message.get("do")), observed="no such request")


def _clear(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.unlink(missing_ok=True)


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    """Fields of a log line may hold anything; a message may not."""
    plain: dict[str, Any] = {**values, "fields": {}}
    for name, value in dict(values.get("fields") or {}).items():
        plain["fields"][str(name)] = value if isinstance(value, bool | int | float) else str(value)
    return plain


Request = Callable[[ControlServer, dict[str, Any], Send], Awaitable[dict[str, Any]]]
REQUESTS: dict[str, Request] = {
    "command": ControlServer._command,  # noqa: SLF001 - the table of this very class
    "state": ControlServer._state,  # noqa: SLF001
    "resources": ControlServer._resources,  # noqa: SLF001
    "log": ControlServer._log,  # noqa: SLF001
    "wait_state": ControlServer._wait_state,  # noqa: SLF001
    "reconfigure": ControlServer._reconfigure,  # noqa: SLF001
    "cluster_changed": ControlServer._cluster_changed,  # noqa: SLF001
    "cluster_state": ControlServer._cluster_state,  # noqa: SLF001
    "part_pids": ControlServer._part_pids,  # noqa: SLF001
}

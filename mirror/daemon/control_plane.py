"""The control plane process of a node: every module's loop, the control socket, the status page.

Started by the guardian and restarted by it. When it ends, applications, mounts, addresses and data
planes live on; the next one finds them. SIGTERM stops every module in order first.
"""

import asyncio
import contextlib
import json
import os
import signal
import socket
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import structlog

from mirror.adapters.process_log import configure_trace
from mirror.config.cluster import load_cluster
from mirror.config.layout import Layout
from mirror.config.module_store import ModuleStore
from mirror.config.userconfig import load_userconfig
from mirror.daemon.control_server import ControlServer
from mirror.daemon.module import ModuleRunner, NodeFacts
from mirror.daemon.status_page import StatusPage
from mirror.errors import MirrorError
from mirror.vocabulary.states import State

trace = structlog.get_logger()
STOP_S = 120.0
CONSOLE_FD_VARIABLE = "MIRROR_CONSOLE_FD"


class ControlPlane:
    """One node. Made inside the event loop."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self.modules: dict[str, ModuleRunner] = {}
        self.broken: dict[str, str] = {}  # configured, but not to be run: why
        self.node_name = ""
        self._server = ControlServer(self)
        self._page = StatusPage(self.status)
        self._tasks: set[asyncio.Task[None]] = set()
        self._ending = asyncio.Event()

    async def run(self) -> None:
        """Serve until SIGTERM. Raises: OSError when the control socket cannot be made."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._ending.set)
        # Modules first: who asks on the socket finds them, and a resumed one loses no time.
        await self._start_modules()
        await self._server.start(self._layout.control_socket)
        await self._page.start(_console_socket())
        trace.info("control plane up", node=self.node_name, modules=sorted(self.modules))
        await self._ending.wait()
        trace.info("control plane ends: stopping every module")
        await self.stop_modules()
        await self._server.close()
        await self._page.close()
        await asyncio.gather(*(runner.close() for runner in self.modules.values()))

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run something beside, as long as this process lives."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def status(self) -> dict[str, Any]:
        """What the status page shows."""
        modules = {name: runner.status() for name, runner in self.modules.items()}
        return {"node": self.node_name, "modules": modules, "broken": dict(self.broken)}

    async def stop_modules(self) -> None:
        """Stop every module that is not stopped; wait, within limits, until they are."""
        running = [one for one in self.modules.values() if one.engine.state is not State.STOP]
        for runner in running:
            await runner.command("stop", (), "shutdown")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(STOP_S):
                for runner in running:
                    await _wait_stopped(runner)

    async def reconfigure(self, name: str) -> None:
        """Take the applied configuration of a module (of all, when "") again; only in STOP."""
        for known in [name] if name else list(self.modules):
            runner = self.modules.get(known)
            if runner is None or runner.engine.state is State.STOP:
                if runner is not None:
                    await runner.close()
                    del self.modules[known]
                self.broken.pop(known, None)
        await self._start_modules()

    async def _start_modules(self) -> None:
        facts = await asyncio.to_thread(self._read_facts)
        if facts is None:
            return
        self.node_name = facts.node
        store = ModuleStore(self._layout)
        configured = await asyncio.to_thread(store.configured)
        for gone in set(self.broken) - set(configured):
            del self.broken[gone]
        for name in configured:
            if name in self.modules:
                continue
            try:
                await self._start_module(facts, store, name)
            except (MirrorError, OSError, ValueError, AssertionError) as error:
                trace.warning("module not started", module=name, error=str(error))
                self.broken[name] = str(error)

    async def _start_module(self, facts: NodeFacts, store: ModuleStore, name: str) -> None:
        file = self._layout.module(name).applied_userconfig
        content = await asyncio.to_thread(file.read_bytes)
        config = load_userconfig(content, str(file), os.environ)
        module_id = await asyncio.to_thread(store.ids.of, name)
        runner = ModuleRunner(facts, name, module_id or 1, config)
        await runner.start(self._on_broken)
        self.modules[name] = runner
        boot = config.service.boot == "on" and runner.engine.state is State.STOP
        if boot and not runner.notebook.resources:
            self.spawn(self._boot(runner, config.service.boot_delay_ms))

    async def _boot(self, runner: ModuleRunner, delay_ms: int) -> None:
        await asyncio.sleep(delay_ms / 1000)
        if runner.engine.state is State.STOP:
            await runner.command("start", (), "boot")

    def _read_facts(self) -> NodeFacts | None:
        try:
            identity = json.loads(self._layout.node_identity.read_text(encoding="utf-8"))
            file = self._layout.cluster_config
            cluster = load_cluster(file.read_bytes(), str(file))
            return NodeFacts(self._layout, str(identity["name"]), cluster)
        except FileNotFoundError:
            return None  # no cluster yet: `mirror cluster init` makes one and tells us
        except (OSError, ValueError, KeyError, MirrorError) as error:
            trace.warning("cluster not readable", error=str(error))
            return None

    def _on_broken(self, runner: ModuleRunner, error: BaseException) -> None:
        """An invariant is broken: no change may be acknowledged by this module any more."""
        trace.error("invariant broken", module=runner.name, error=repr(error))
        runner.data.kill()
        self.broken[runner.name] = str(error)


async def _wait_stopped(runner: ModuleRunner) -> None:
    async with runner.notebook.changed:
        await runner.notebook.changed.wait_for(lambda: runner.engine.state is State.STOP)


def _console_socket() -> socket.socket | None:
    """Take the listening socket that the guardian inherited, if it did."""
    number = os.environ.pop(CONSOLE_FD_VARIABLE, "")
    return socket.socket(fileno=int(number)) if number else None


async def _main(layout: Layout) -> None:
    await ControlPlane(layout).run()


def main() -> int:
    """Run the control plane of this node; for the guardian."""
    configure_trace()
    layout = Layout.from_environment()
    Path(layout.run).mkdir(parents=True, exist_ok=True, mode=0o700)
    asyncio.run(_main(layout))
    return 0


if __name__ == "__main__":
    sys.exit(main())

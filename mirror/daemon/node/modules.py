"""All modules of this node: loaded, started at boot, configured anew one by one, stopped in order.

One that cannot be loaded is shown with its reason and hinders no other.
"""

import asyncio
import json
import os
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

from mirror.config.cluster import Cluster, load_cluster
from mirror.config.files import read_bytes
from mirror.config.layout import Layout
from mirror.config.module_store import ModuleStore
from mirror.daemon.node.module_runner import ModuleRunner
from mirror.daemon.node.settings_builder import build_settings
from mirror.errors import ClusterNotConfigured, MirrorError, ModuleNotLoaded, ModuleUnknown
from mirror.vocabulary.states import State

log = structlog.get_logger()

STOPPED_S_MAX = 600.0


@dataclass(slots=True)
class Modules:
    """The modules of one node. Used by one event loop.

    refused: module -> why it is not loaded. on_crash: see ModuleRunner.
    """

    layout: Layout
    on_crash: Callable[[str], None]
    node: str = ""
    cluster: Cluster | None = None
    running: dict[str, ModuleRunner] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    _one_at_a_time: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def load_all(self) -> None:
        """Load every configured module; start those that are to start with the host."""
        await self._read_cluster()
        for name in await asyncio.to_thread(ModuleStore(self.layout).configured):
            await self.load(name)

    async def load(self, name: str) -> None:
        """Load one module; a failure is kept in `refused` and logged."""
        async with self._one_at_a_time:
            await self._load(name)

    async def reconfigure(self, name: str) -> None:
        """A module is new, changed or gone: only this one is touched.

        Raises: ModuleNotLoaded (MIR-404), also while it runs.
        """
        async with self._one_at_a_time:
            held = self.running.get(name)
            if held is not None and held.state is not State.STOP:
                raise ModuleNotLoaded(module=name, observed=f"it is in {held.state}: stop it")
            if held is not None:
                del self.running[name]
                await held.detach()
            self.refused.pop(name, None)
            if not self.layout.module(name).applied_userconfig.is_file():
                return
            await self._read_cluster()
            await self._load(name, boot=False)
        if name in self.refused:
            raise ModuleNotLoaded(module=name, observed=self.refused[name])

    async def cluster_changed(self) -> None:
        """Read cluster.xml again; stopped modules take it at once, others when they are loaded."""
        await self._read_cluster()
        names = await asyncio.to_thread(ModuleStore(self.layout).configured)
        for name in names:
            held = self.running.get(name)
            if held is None or held.state is State.STOP:
                try:
                    await self.reconfigure(name)
                except MirrorError as error:
                    log.warning("module not loaded", module=name, error=str(error))

    def get(self, name: str) -> ModuleRunner:
        """Give a loaded module. Raises: ModuleNotLoaded (MIR-404), ModuleUnknown (MIR-102)."""
        if name in self.running:
            return self.running[name]
        if name in self.refused:
            raise ModuleNotLoaded(module=name, observed=self.refused[name])
        raise ModuleUnknown(module=name, observed="not configured on this node")

    async def stop_all(self) -> None:
        """Stop every module in order, together; return when all are in STOP."""
        await asyncio.gather(*(self._stop(one) for one in tuple(self.running.values())))

    async def detach_all(self) -> None:
        """Leave what runs as it is."""
        for runner in tuple(self.running.values()):
            await runner.detach()
        self.running.clear()

    # --- inside ---

    async def _read_cluster(self) -> None:
        try:
            self.node, self.cluster = await asyncio.to_thread(_cluster_of, self.layout)
        except (MirrorError, OSError, ValueError, KeyError) as error:
            self.node, self.cluster = "", None
            log.warning("no cluster", error=str(error))

    async def _load(self, name: str, *, boot: bool = True) -> None:
        runner: ModuleRunner | None = None
        try:
            if self.cluster is None:
                raise ClusterNotConfigured(file=self.layout.cluster_config)
            environment = dict(os.environ)
            settings = await asyncio.to_thread(
                build_settings, self.layout, self.cluster, self.node, name, environment
            )
            runner = ModuleRunner(self.layout, settings, self.on_crash)
            await runner.start()
        except (MirrorError, OSError, ValueError) as error:
            self.refused[name] = str(error)
            log.warning("module not loaded", module=name, error=str(error))
            if runner is not None:
                await runner.detach()
            return
        self.refused.pop(name, None)
        self.running[name] = runner
        if boot:
            await self._boot(runner)

    async def _boot(self, runner: ModuleRunner) -> None:
        """Start what starts with the host: `on`, or `auto` if it ran before. No mere restart."""
        service = runner.settings.config.service
        wanted = service.boot == "on" or (service.boot == "auto" and runner.notebook.wanted())
        if runner.notebook.found_of_this_boot or not wanted:
            return
        if service.boot_delay_ms:
            await asyncio.sleep(service.boot_delay_ms / 1000)
        await runner.command("start", (), "boot")

    async def _stop(self, runner: ModuleRunner) -> None:
        await runner.command("stop", (), "")
        async with asyncio.timeout(STOPPED_S_MAX), runner.notebook.changed:
            await runner.notebook.changed.wait_for(lambda: runner.state is State.STOP)


def _cluster_of(layout: Layout) -> tuple[str, Cluster]:
    identity = json.loads(read_bytes(layout.node_identity))
    text = read_bytes(layout.cluster_config)
    return str(identity["name"]), load_cluster(text, str(layout.cluster_config))

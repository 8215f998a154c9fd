"""<errd> while scripts stop and start what it watches: a real module and its processes."""

import asyncio
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path

from mirror.daemon.node.module_runner import ModuleRunner
from mirror.daemon.node.modules import Modules
from mirror.vocabulary.states import State
from tests.unit.daemon.test_modules import PATIENCE_S, installed, settled

WATCHED = """<safe><service mode="light" maxloop="2"><user/><errd polltimer="1s">
<proc name="{process}" action="restart" class="prim"/></errd></service></safe>"""
START = """#!/bin/sh
[ -e {here}/broken ] || {{ {here}/{process} 1000 >/dev/null 2>&1 & echo $! >{here}/pid; }}
"""
STOP = """#!/bin/sh
[ -e {here}/pid ] && kill -9 "$(cat {here}/pid)"
rm -f {here}/pid
while [ -e {here}/hold ]; do sleep 0.05; done
"""

Story = Callable[[ModuleRunner], Awaitable[None]]


class Watched:
    """A light module whose application is one process. resource: what <errd> says of it."""

    def __init__(self, directory: Path, name: str) -> None:
        self.here = directory
        self.resource = f"proc.{name}p"
        self._name = name
        self._layout = installed(directory, name, WATCHED.format(process=f"{name}p"))
        sleep = shutil.which("sleep")
        assert sleep is not None
        shutil.copy(sleep, directory / f"{name}p")
        for script, text in (("start_prim", START), ("stop_prim", STOP)):
            file = self._layout.module(name).applied_bin / script
            file.write_text(text.format(here=directory, process=f"{name}p"))
            file.chmod(0o755)

    def runs(self, story: Story) -> str:
        """Have it serve, and the story be told; give its log."""
        return asyncio.run(self._run(story))

    async def _run(self, story: Story) -> str:
        modules = Modules(self._layout, lambda sentence: None)
        await modules.load_all()
        one = modules.get(self._name)
        await one.command("start", (), "")
        await settled(modules, self._name, State.UP)
        await self.becomes(one, "up")
        try:
            await story(one)
            return "\n".join(entry.line for entry in await one.log.last(1000))
        finally:
            await modules.stop_all()
            await modules.detach_all()

    async def becomes(self, one: ModuleRunner, *values: str) -> None:
        """Wait until the process is seen so."""
        async with asyncio.timeout(PATIENCE_S):
            while self.seen(one) not in values:  # noqa: ASYNC110 - no event tells it
                await asyncio.sleep(0.01)

    def seen(self, one: ModuleRunner) -> str:
        return str(one.notebook.resources.get(self.resource, {}).get("value"))


def test_what_a_restart_stops_is_no_death(tmp_path: Path, run_name: str) -> None:
    watched = Watched(tmp_path, f"{run_name}a")

    async def story(one: ModuleRunner) -> None:
        (tmp_path / "hold").touch()
        await one.command("restart", (), "")
        await watched.becomes(one, "init", "down")
        (tmp_path / "hold").unlink()
        await watched.becomes(one, "up")

    log = watched.runs(story)
    assert "Action restart called by administrator" in log
    assert "called by errd" not in log


def test_what_a_restart_does_not_bring_back_is_acted_upon_again(
    tmp_path: Path, run_name: str
) -> None:
    watched = Watched(tmp_path, f"{run_name}b")

    async def story(one: ModuleRunner) -> None:
        (tmp_path / "broken").touch()
        await asyncio.create_subprocess_exec("kill", "-9", (tmp_path / "pid").read_text().strip())
        async with asyncio.timeout(PATIENCE_S), one.notebook.changed:
            await one.notebook.changed.wait_for(lambda: one.state is State.STOP)

    log = watched.runs(story)
    assert log.count("Action restart called by errd") == 2
    assert "Action stop called by maxloop" in log

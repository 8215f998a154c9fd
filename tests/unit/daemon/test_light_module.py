"""A light module as a node runs it: real scripts, a real process checker, no peer."""

import asyncio
import contextlib
import json
import os
from collections.abc import Callable
from pathlib import Path

from mirror.config.layout import Layout
from mirror.config.module_ids import ModuleIds
from mirror.daemon.node.fence_file import FenceFile, read_fence_files, write_fence_file
from mirror.daemon.node.module_runner import ModuleRunner
from mirror.daemon.node.modules import Modules
from mirror.daemon.node.state_view import state_of
from mirror.vocabulary.states import State

USERCONFIG = """<safe><service mode="light" maxloop="2"><user/>
<errd polltimer="1"><proc name="light-app" atleast="1" action="restart" class="prim"/></errd>
</service></safe>"""
CLUSTER = '<cluster><lans><lan name="a"><node name="n1" addr="127.0.0.1"/></lan></lans></cluster>'
START = """#!/bin/sh
cp /bin/sleep "$SAFEVAR/light-app" 2>/dev/null
setsid "$SAFEVAR/light-app" 1000 >/dev/null 2>&1 &
echo $! > {pid}
"""
STOP = "#!/bin/sh\nkill $(cat {pid}) 2>/dev/null\nrm -f {pid}\n"
PATIENCE_S = 90.0


def installed(tmp_path: Path) -> tuple[Layout, Path]:
    layout = Layout(tmp_path / "safe", tmp_path / "var")
    pid = tmp_path / "pid"
    paths = layout.module("one")
    for directory in (paths.applied_bin, paths.applied_conf, layout.cluster_config.parent):
        directory.mkdir(parents=True)
    paths.applied_userconfig.write_text(USERCONFIG)
    layout.cluster_config.write_text(CLUSTER)
    layout.node_identity.write_text(json.dumps({"name": "n1"}))
    for name, text in (("start_prim", START), ("stop_prim", STOP)):
        script = paths.applied_bin / name
        script.write_text(text.format(pid=pid))
        script.chmod(0o755)
    ModuleIds(layout).assign("one")
    return layout, pid


def number_in(file: Path) -> int:
    """0 while a script has not made it, or not written it yet."""
    with contextlib.suppress(OSError):
        return int(file.read_text() or 0)
    return 0


def ended(pid: int) -> bool:
    """Gone, or dead and not yet buried by whoever inherited it."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    return True


async def eventually(what: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not what():  # noqa: ASYNC110 - several things are looked at
            await asyncio.sleep(0.02)


def test_it_starts_is_restarted_goes_on_and_stops(tmp_path: Path) -> None:
    asyncio.run(_life(tmp_path))


async def _life(tmp_path: Path) -> None:
    layout, pid = installed(tmp_path)
    crashes: list[str] = []
    modules = Modules(layout, crashes.append)
    await modules.load_all()
    assert not modules.refused
    one = modules.get("one")
    assert await one.command("prim", (), "")  # refused: there is no pair
    assert not await one.command("start", (), "")
    stopped = modules.revision()
    await eventually(lambda: one.state is State.UP and number_in(pid) != 0)
    assert modules.revision() != stopped
    await _ticks_move_nothing(modules, one)
    shown = state_of(one)
    assert (shown["state"], shown["ready"], shown["remote"]) == ("UP", "Ready", {})
    await _restarted_by_its_checker(one, pid)

    # The control plane ends and returns: the application was never touched.
    before = number_in(pid)
    await modules.detach_all()
    modules = Modules(layout, crashes.append)
    await modules.load_all()
    one = modules.get("one")
    await eventually(lambda: one.state is State.UP)
    assert number_in(pid) == before
    os.kill(before, 0)

    assert not await one.command("stop", (), "")
    await eventually(lambda: one.state is State.STOP)
    await eventually(lambda: ended(before))  # its script asks it to end, and does not wait
    await modules.detach_all()
    assert crashes == []


async def _ticks_move_nothing(modules: Modules, one: ModuleRunner) -> None:
    revision, handled_ms = "", one.driver.engine.context.last_ms

    def rests() -> bool:
        nonlocal revision, handled_ms
        if modules.revision() != revision:
            revision, handled_ms = modules.revision(), one.driver.engine.context.last_ms
        return one.driver.engine.context.last_ms != handled_ms

    await eventually(rests)


async def _restarted_by_its_checker(one: ModuleRunner, pid: Path) -> None:
    await eventually(lambda: one.notebook.resources.get("proc.light-app", {}).get("value") == "up")
    before = number_in(pid)
    os.kill(before, 9)
    await eventually(lambda: number_in(pid) not in {0, before})
    assert one.state is State.UP
    loop = "heart.stopstartloop"
    await eventually(lambda: one.notebook.resources.get(loop, {}).get("value") == "1")
    # The script has made its file before it ends: what is owed until then is done again.
    await eventually(lambda: not one.notebook.owes_start())


def test_nobody_silences_one_that_had_a_peer_before(tmp_path: Path) -> None:
    layout, _ = installed(tmp_path)
    paths = layout.module("one")
    paths.state.mkdir(parents=True)
    write_fence_file(paths, FenceFile("one", "n1", "n2", 1000, (), ()))

    async def story() -> None:
        modules = Modules(layout, print)
        await modules.load_all()
        await modules.detach_all()

    asyncio.run(story())
    assert read_fence_files(layout.safevar / "modules") == []

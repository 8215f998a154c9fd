"""All modules of a node: one that waits before its start, one that cannot be loaded and serves."""

import asyncio
import json
import shutil
import threading
from pathlib import Path
from typing import Any

import pytest

from mirror.adapters.scripts import ScriptRunner
from mirror.config.layout import Layout
from mirror.config.module_ids import ModuleIds
from mirror.daemon.node.fence_file import FenceFile, write_fence_file
from mirror.daemon.node.module_runner import ModuleRunner
from mirror.daemon.node.modules import Modules
from mirror.daemon.node.requests import Requests
from mirror.errors import ChangesNotTaken, ModuleNotLoaded, PkiRefused
from mirror.vocabulary.states import State
from tests.mount.small_disk import small_disk, standing_still

CLUSTER = '<cluster><lans><lan name="a"><node name="n1" addr="127.0.0.1"/></lan></lans></cluster>'
LIGHT = '<safe><service mode="light" boot="on" boot_delay="{delay}"/></safe>'
SCRIPTED = '<safe><service mode="light"><user/></service></safe>'
PATIENCE_S = 90


def installed(tmp_path: Path, name: str, userconfig: str) -> Layout:
    layout = Layout(tmp_path / "safe", tmp_path / "var")
    paths = layout.module(name)
    for directory in (paths.applied_bin, paths.applied_conf, layout.cluster_config.parent):
        directory.mkdir(parents=True)
    paths.applied_userconfig.write_text(userconfig)
    layout.cluster_config.write_text(CLUSTER)
    layout.node_identity.write_text(json.dumps({"name": "n1"}))
    ModuleIds(layout).assign(name)
    return layout


async def settled(modules: Modules, name: str, state: State) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while modules.get(name).state is not state:  # noqa: ASYNC110 - no event tells it
            await asyncio.sleep(0.01)


def test_a_module_that_waits_before_its_start_holds_nobody_up(tmp_path: Path) -> None:
    layout = installed(tmp_path, "one", LIGHT.format(delay="1h"))

    async def story() -> None:
        modules = Modules(layout, lambda sentence: None)
        async with asyncio.timeout(PATIENCE_S):
            await modules.load_all()
        one = modules.get("one")
        assert one.state is State.STOP
        assert not await one.command("start", (), "")
        assert not one.is_settled
        await settled(modules, "one", State.UP)
        await modules.stop_all()
        await modules.detach_all()

    asyncio.run(story())


def test_after_its_delay_it_starts_also_when_it_was_configured_anew(tmp_path: Path) -> None:
    layout = installed(tmp_path, "one", LIGHT.format(delay="1s"))

    async def story() -> None:
        modules = Modules(layout, lambda sentence: None)
        await modules.load_all()
        await modules.reconfigure("one")
        await settled(modules, "one", State.UP)
        await modules.stop_all()
        await modules.detach_all()

    asyncio.run(story())


def test_who_waits_for_a_state_goes_on_when_the_module_is_configured_anew(tmp_path: Path) -> None:
    layout = installed(tmp_path, "one", LIGHT.format(delay="1h"))

    async def story() -> None:
        modules = Modules(layout, lambda sentence: None)
        await modules.load_all()
        asked = {"module": "one", "states": ["UP"], "ready": True}
        waits = asyncio.create_task(Requests(modules).perform("wait_state", asked, print))
        await asyncio.sleep(0)
        await modules.reconfigure("one")
        await modules.get("one").command("start", (), "")
        async with asyncio.timeout(PATIENCE_S):
            assert await waits == {"state": "UP", "ready": "Ready"}
        await modules.stop_all()
        await modules.detach_all()

    asyncio.run(story())


def test_update_is_told_the_state_in_which_it_took_the_changes_up(tmp_path: Path) -> None:
    layout = installed(tmp_path, "one", SCRIPTED)
    script = layout.module("one").applied_bin / "update"
    script.write_text(f'#!/bin/sh\necho "$*" >{tmp_path}/said\n')
    script.chmod(0o755)

    async def story() -> None:
        modules = Modules(layout, lambda sentence: None)
        await modules.load_all()
        await modules.get("one").command("start", (), "")
        await settled(modules, "one", State.UP)
        await modules.reconfigure("one")
        await modules.stop_all()
        await modules.detach_all()

    asyncio.run(story())
    assert (tmp_path / "said").read_text() == "UP UP update\n"


async def shown(modules: Modules, name: str) -> dict[str, Any]:
    state = await Requests(modules).perform("state", {}, print)
    found: dict[str, Any] = state["modules"][name]
    return found


def test_changes_that_cannot_be_taken_up_leave_it_running_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    layout = installed(tmp_path, "one", LIGHT.format(delay="1h"))
    userconfig = layout.module("one").applied_userconfig

    async def story() -> None:
        modules = Modules(layout, lambda sentence: None)
        await modules.load_all()
        await modules.get("one").command("start", (), "")
        await settled(modules, "one", State.UP)
        revision = modules.revision()
        userconfig.write_text(LIGHT.format(delay="2h"))
        start, started = ModuleRunner.start, list[int]()

        async def fails_once(runner: ModuleRunner) -> None:
            started.append(runner.settings.config.service.boot_delay_ms)
            if len(started) == 1:
                raise PkiRefused(file=tmp_path, observed="readable", remedy="chmod 600")
            await start(runner)

        with monkeypatch.context() as patch:
            patch.setattr(ModuleRunner, "start", fails_once)
            with pytest.raises(ChangesNotTaken, match="it goes on as it was"):
                await modules.reconfigure("one")
        assert started == [7_200_000, 3_600_000]
        await settled(modules, "one", State.UP)
        found = await shown(modules, "one")
        assert (found["state"], found["ready"]) == ("UP", "Ready")
        assert "What is in force was not taken up" in found["reason"]
        assert "`config`" in found["action"]
        assert modules.revision() != revision
        await Requests(modules).perform("reconfigure", {"module": "one", "put_back": True}, print)
        assert not (await shown(modules, "one"))["reason"]
        await modules.reconfigure("one")
        assert modules.get("one").settings.config.service.boot_delay_ms == 7_200_000
        await modules.stop_all()
        await modules.detach_all()

    asyncio.run(story())


def test_who_does_not_wait_any_more_leaves_no_module_half_configured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A command line that is interrupted: its connection ends, and what it asked with it."""
    layout = installed(tmp_path, "one", LIGHT.format(delay="1h"))

    async def story() -> None:
        modules = Modules(layout, lambda sentence: None)
        await modules.load_all()
        await modules.get("one").command("start", (), "")
        await settled(modules, "one", State.UP)
        start, begins, goes_on = ModuleRunner.start, asyncio.Event(), asyncio.Event()

        async def waits(runner: ModuleRunner) -> None:
            begins.set()
            await goes_on.wait()
            await start(runner)

        monkeypatch.setattr(ModuleRunner, "start", waits)
        asks = asyncio.create_task(modules.reconfigure("one"))
        async with asyncio.timeout(PATIENCE_S):
            await begins.wait()
            asks.cancel()
            await asyncio.wait({asks})
            goes_on.set()
            await modules.at_rest()
        await settled(modules, "one", State.UP)
        await modules.stop_all()
        await modules.detach_all()

    asyncio.run(story())


def test_a_defect_half_way_ends_the_control_plane_and_no_module(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    layout = installed(tmp_path, "one", LIGHT.format(delay="1h"))
    crashes: list[str] = []

    async def story() -> None:
        modules = Modules(layout, crashes.append)
        await modules.load_all()
        await modules.get("one").command("start", (), "")
        await settled(modules, "one", State.UP)

        def broken(_runner: ModuleRunner) -> None:
            raise RuntimeError("defect")

        with monkeypatch.context() as patch:
            patch.setattr(ModuleRunner, "start", broken)
            with pytest.raises(RuntimeError):
                await modules.reconfigure("one")
        await asyncio.sleep(0)
        await modules.detach_all()
        modules = Modules(layout, crashes.append)  # the next control plane
        await modules.load_all()
        await settled(modules, "one", State.UP)
        await modules.stop_all()
        await modules.detach_all()

    asyncio.run(story())
    assert len(crashes) == 1


def test_one_whose_replacement_was_cut_short_is_loaded_at_boot(tmp_path: Path) -> None:
    layout = installed(tmp_path, "one", LIGHT.format(delay="1h"))
    applied = layout.module("one").applied
    applied.rename(applied.with_name(".one.old"))

    async def story() -> None:
        modules = Modules(layout, lambda sentence: None)
        await modules.load_all()
        assert set(modules.running) == {"one"}
        await modules.detach_all()

    asyncio.run(story())


def test_one_that_is_slow_to_load_holds_no_other_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    layout = installed(tmp_path, "one", LIGHT.format(delay="1h"))
    another = layout.module("two")
    another.applied_conf.mkdir(parents=True)
    another.applied_userconfig.write_text(LIGHT.format(delay="1h"))
    ModuleIds(layout).assign("two")
    start = ModuleRunner.start

    async def story() -> None:
        modules = Modules(layout, lambda sentence: None)
        two_is_there = asyncio.Event()

        async def waits(runner: ModuleRunner) -> None:
            if runner.name == "one":  # the first one by its name
                await two_is_there.wait()
            await start(runner)

        monkeypatch.setattr(ModuleRunner, "start", waits)
        loads = asyncio.create_task(modules.load_all())
        async with asyncio.timeout(PATIENCE_S):
            while "two" not in modules.running:  # noqa: ASYNC110 - no event tells it
                await asyncio.sleep(0.01)
            assert not loads.done()
            two_is_there.set()
            await loads
        assert set(modules.running) == {"one", "two"}
        await modules.detach_all()

    asyncio.run(story())


def test_an_application_that_nobody_looks_after_is_shown_and_can_be_ended(
    tmp_path: Path, run_name: str
) -> None:
    """A light module has no peer that would serve instead: its application runs on."""
    name = f"{run_name}u"
    layout = installed(tmp_path, name, SCRIPTED)
    script = layout.module(name).applied_bin / "start_prim"
    script.write_text("#!/bin/sh\nsleep 1000 >/dev/null 2>&1 &\n")
    script.chmod(0o755)
    userconfig = layout.module(name).applied_userconfig

    async def story() -> None:
        modules = Modules(layout, lambda sentence: None)
        await modules.load_all()
        await modules.get(name).command("start", (), "")
        await settled(modules, name, State.UP)
        await modules.detach_all()
        userconfig.write_text("<safe>no configuration</safe>")
        modules = Modules(layout, lambda sentence: None)
        await modules.load_all()
        found = await shown(modules, name)
        assert (found["state"], found["ready"]) == ("UP", "NotReady")
        assert "nobody looks after it" in found["safety"]
        assert "`forcestop`" in found["action"]

        userconfig.write_text(SCRIPTED)  # corrected: looked after again
        await modules.reconfigure(name)
        await settled(modules, name, State.UP)
        assert await modules.get(name).scripts.application_processes()
        await modules.detach_all()

        userconfig.write_text("<safe>no configuration</safe>")
        modules = Modules(layout, lambda sentence: None)
        await modules.load_all()
        revision = modules.revision()
        ends = {"verb": "forcestop", "module": name}
        await Requests(modules).perform("command", ends, print)
        assert (await shown(modules, name))["state"] == "STOP"
        assert modules.revision() != revision
        with pytest.raises(ModuleNotLoaded):
            await Requests(modules).perform("command", ends, print)
        await modules.detach_all()

    asyncio.run(story())


def test_what_serves_and_cannot_be_loaded_is_silenced(tmp_path: Path, run_name: str) -> None:
    name = f"{run_name}s"
    layout = installed(tmp_path, name, "<safe>no configuration</safe>")
    paths = layout.module(name)
    for directory in (paths.working, paths.state):
        directory.mkdir(parents=True, exist_ok=True)
    write_fence_file(paths, FenceFile(name, "n1", "n2", 1000, (), ()))
    script = paths.applied_bin / "start_prim"
    script.write_text("#!/bin/sh\nsleep 1000 >/dev/null 2>&1 &\n")
    script.chmod(0o755)

    async def story() -> None:
        runner = ScriptRunner.probe(layout, name)
        await runner.run("start_prim")
        another = ScriptRunner.probe(layout, name)
        async with asyncio.timeout(PATIENCE_S):
            while not await another.application_processes():  # noqa: ASYNC110 - it becomes `sleep`
                await asyncio.sleep(0.01)
        modules = Modules(layout, lambda sentence: None)
        await modules.load_all()
        assert name in modules.refused
        async with asyncio.timeout(PATIENCE_S):
            while await runner.application_processes():  # noqa: ASYNC110 - killed, to be buried
                await asyncio.sleep(0.01)
        await runner.end_everything()

    asyncio.run(story())


@pytest.mark.mount
def test_a_switch_on_a_disk_that_hangs_holds_up_no_decision(tmp_path: Path) -> None:
    layout = installed(tmp_path, "one", LIGHT.format(delay="1h"))
    disk, kept = tmp_path / "disk", layout.safevar / "modules"
    errd_off = {"verb": "errd", "module": "one", "arguments": {"action": "off"}}
    in_vain = threading.Event()

    async def story() -> None:
        loop = asyncio.get_running_loop()
        modules = Modules(layout, lambda sentence: None)
        await modules.load_all()
        with standing_still(disk) as thaw:

            def give_up() -> None:
                in_vain.set()
                thaw()

            last = threading.Timer(PATIENCE_S, give_up)
            last.start()
            switches = loop.create_task(Requests(modules).perform("command", errd_off, print))
            await asyncio.sleep(0)
            loop.call_soon(thaw)  # a loop that stands still never comes to it
            await switches
        last.cancel()
        await modules.detach_all()

    with small_disk(disk, 4 << 20):
        shutil.move(kept, disk / "modules")
        kept.symlink_to(disk / "modules")
        asyncio.run(story())
    assert not in_vain.is_set()

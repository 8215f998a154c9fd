"""The checkers of <check> against real services, cables, addresses and programs."""

import asyncio
import contextlib
import os
import shlex
import signal
import socket
import subprocess
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from mirror.adapters.cgroups import find_cgroup2
from mirror.adapters.checkers.board import Checkers, CheckWorld, Neighbour
from mirror.adapters.checkers.generated import generated_checks
from mirror.adapters.checkers.reach import accepts
from mirror.adapters.netlink_facts import read_network
from mirror.adapters.script_place import ScriptPlace
from mirror.config.check_models import (
    Check,
    CustomCheck,
    IntfCheck,
    IpCheck,
    ModuleCheck,
    PingCheck,
    TcpCheck,
)
from mirror.config.layout import Layout
from mirror.config.userconfig import load_userconfig
from tests.network.namespaces import Namespace, join

FAST_MS = 100
AWAIT_S = 60.0  # on a machine that does other work too


class Board:
    """Checkers with everything they said and noted."""

    def __init__(self, place: ScriptPlace, *checks: Check) -> None:
        self.values: dict[str, str] = {}
        self.history: list[tuple[str, str]] = []
        self.notes: list[str] = []
        self.neighbours: dict[str, Neighbour] = {}
        self.restarted: list[str] = []
        world = CheckWorld(
            module="demo",
            place=place,
            variables={"COLOUR": "blue"},
            peer_addresses=(),
            tls=None,
            neighbour=self.neighbours.get,
            restarted=lambda check: self.restarted.append(check.resource),
            note=self.notes.append,
        )
        self.checkers = Checkers(checks, world, self._said)

    def _said(self, resource: str, value: str) -> None:
        self.values[resource] = value
        self.history.append((resource, value))

    async def until(self, resource: str, value: str) -> None:
        await eventually(lambda: self.values.get(resource) == value, f"{resource} {value}")

    async def until_told(self, resource: str, value: str, times: int) -> None:
        told = (resource, value)
        await eventually(lambda: self.history.count(told) == times, f"{resource} {value} again")


async def eventually(is_so: Callable[[], bool], what: str) -> None:
    async with asyncio.timeout(AWAIT_S):
        while not is_so():  # noqa: ASYNC110 - files and groups have no event
            await asyncio.sleep(0.01)
    assert is_so(), what


@pytest.fixture(name="place")
def _place(tmp_path: Path) -> ScriptPlace:
    layout = Layout(tmp_path / "safe", tmp_path / "var")
    layout.module("demo").applied_bin.mkdir(parents=True)
    return ScriptPlace(layout, "demo", cgroup2=find_cgroup2(), logging=True)


@contextlib.asynccontextmanager
async def looking(board: Board, *classes: str) -> AsyncIterator[None]:
    board.checkers.begin()
    board.checkers.watch(classes)
    try:
        yield
    finally:
        await board.checkers.close()


def within(namespace: Namespace, story: Coroutine[Any, Any, None]) -> None:
    with namespace.entered():
        asyncio.run(asyncio.wait_for(story, 4 * AWAIT_S))


def program(place: ScriptPlace, name: str, text: str) -> Path:
    path = place.program(name)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def test_a_service_that_listens_stops_and_listens_again(
    pair: tuple[Namespace, Namespace], place: ScriptPlace
) -> None:
    join(*pair, "cable", "10.98.0.1/24", "10.98.0.2/24")
    check = TcpCheck("web", "prim", "restart", "10.98.0.2", 80, FAST_MS, 300)

    async def story() -> None:
        board = Board(place, check)
        async with looking(board):
            assert board.values == {"tcp.web": "init"}
            board.checkers.watch(("prim",))
            await board.until("tcp.web", "down")  # refused: nobody listens
            with pair[1].entered():
                server = socket.create_server(("10.98.0.2", 80))
            await board.until("tcp.web", "up")
            pair[1].run("ip", "link", "set", "dev", "cable", "down")
            await board.until("tcp.web", "down")  # silence, up to the timeout
            pair[1].run("ip", "link", "set", "dev", "cable", "up")
            await board.until("tcp.web", "up")
            server.close()
            board.checkers.watch(("second",))
            assert board.values["tcp.web"] == "init"

    within(pair[0], story())


def test_a_connection_to_oneself_is_no_service(pair: tuple[Namespace, Namespace]) -> None:
    """The kernel takes a free port for our end, which may be the one that is asked."""
    here = pair[0]
    here.run("sysctl", "-q", "-w", "net.ipv4.ip_local_port_range=45000 45001")
    check = TcpCheck("web", "prim", "restart", "127.0.0.1", 45000, FAST_MS, 1000)

    async def story() -> None:
        for _ in range(20):
            assert not await accepts(check)

    within(here, story())


def test_a_name_that_nobody_knows_is_down_and_blocks_nothing(
    pair: tuple[Namespace, Namespace], place: ScriptPlace
) -> None:
    checks = (
        TcpCheck("named", "pre", "wait", "no-such-host.invalid", 80, FAST_MS, 200),
        PingCheck("named", "pre", "wait", "no-such-host.invalid", FAST_MS, 200),
    )

    async def story() -> None:
        board = Board(place, *checks)
        async with looking(board, "pre"):
            await board.until("tcp.named", "down")
            await board.until("ping.named", "down")

    within(pair[0], story())


def test_a_router_that_answers_or_does_not(
    pair: tuple[Namespace, Namespace], place: ScriptPlace
) -> None:
    join(*pair, "cable", "10.98.0.1/24", "10.98.0.2/24")

    async def story() -> None:
        board = Board(place, PingCheck("router", "pre", "wait", "10.98.0.2", FAST_MS, 200))
        async with looking(board, "pre", "prim"):
            await board.until("ping.router", "up")
            pair[1].run("ip", "address", "del", "10.98.0.2/24", "dev", "cable")
            await board.until("ping.router", "down")
            pair[1].run("ip", "address", "add", "10.98.0.2/24", "dev", "cable")
            await board.until("ping.router", "up")

    within(pair[0], story())


def test_a_link_and_an_address_are_seen_by_events_and_not_by_polling(
    pair: tuple[Namespace, Namespace], place: ScriptPlace
) -> None:
    join(*pair, "cable", "10.98.0.1/24", "10.98.0.2/24")
    never_ms = 3_600_000
    checks = (
        IntfCheck("10.98.0.0", "10.98.0.1"),
        IntfCheck("named", "", "cable"),
        IpCheck("10.98.0.9", "prim", "10.98.0.9", never_ms),
    )

    async def story() -> None:
        board = Board(place, *checks)
        async with looking(board, "pre", "prim"):
            await board.until("intf.10.98.0.0", "up")
            await board.until("intf.named", "up")
            await board.until("ip.10.98.0.9", "down")
            pair[0].run("ip", "address", "add", "10.98.0.9/24", "dev", "cable")
            await board.until("ip.10.98.0.9", "up")
            pair[0].run("ip", "address", "del", "10.98.0.9/24", "dev", "cable")
            await board.until("ip.10.98.0.9", "down")
            pair[1].run("ip", "link", "set", "dev", "cable", "down")
            await board.until("intf.10.98.0.0", "down")
            await board.until("intf.named", "down")
            pair[1].run("ip", "link", "set", "dev", "cable", "up")
            await board.until("intf.10.98.0.0", "up")

    within(pair[0], story())


@pytest.mark.parametrize(
    ("left", "right", "vip", "other"),
    [
        ("10.98.0.1/24", "10.98.0.2/24", "10.98.0.9", "10.98.0.9/24"),
        ("fd98::1/64", "fd98::2/64", "fd98::9", "fd98::9/64"),
    ],
    ids=["IPv4", "IPv6"],
)
def test_an_address_that_another_host_has_too_is_down(
    pair: tuple[Namespace, Namespace],
    place: ScriptPlace,
    left: str,
    right: str,
    vip: str,
    other: str,
) -> None:
    join(*pair, "cable", left, right)
    nodad = ["nodad"] if ":" in vip else []
    pair[0].run("ip", "address", "add", other, "dev", "cable", *nodad)

    async def story() -> None:
        board = Board(place, IpCheck("vip", "prim", vip, FAST_MS))
        async with looking(board, "prim"):
            await board.until("ip.vip", "up")
            board.history.clear()
            pair[1].run("ip", "address", "add", other, "dev", "cable", *nodad)
            await board.until("ip.vip", "down")
            assert pair[1].mac("cable") in board.notes[0]
            pair[1].run("ip", "address", "del", other, "dev", "cable")
            await board.until("ip.vip", "up")
            # Said once: again only when on a machine at work an answer came too late meanwhile.
            assert len(board.notes) == board.history.count(("ip.vip", "down"))

    within(pair[0], story())


def test_a_program_is_kept_running_in_a_group_of_its_own(
    pair: tuple[Namespace, Namespace], place: ScriptPlace, tmp_path: Path
) -> None:
    said = shlex.quote(str(tmp_path / "said"))
    program(
        place, "check_it", f'echo "$@" "$COLOUR" "$SAFEMODULE" >> {said}\nsleep 1000 & sleep 1000'
    )
    check = CustomCheck("c", "prim", "stop", "check_it", "two words; $HOME")

    async def story() -> None:
        board = Board(place, check)
        group = place.checker_group("c")
        async with looking(board, "prim"):
            await eventually(lambda: len(group.processes()) >= 3, "it runs")
            expected = "demo custom.c two words; $HOME blue demo\n"
            assert (tmp_path / "said").read_text() == expected
            first = group.processes()
            os.kill(first[0], signal.SIGKILL)  # the shell alone: of that one the end is told
            await eventually(lambda: (tmp_path / "said").read_text() == 2 * expected, "again")
            assert "ended with -9; started again" in board.notes[0]
            # What it said itself stays until its class ends.
            board.checkers.seen("custom.c", "up")
            board.values["custom.c"] = "up"
            board.checkers.watch(("second",))
            await eventually(lambda: not group.processes(), "ended with its class")
            assert board.values["custom.c"] == "init"
            board.checkers.watch(("prim",))
            await eventually(lambda: len(group.processes()) >= 3, "it runs again")
            left = group.processes()
        assert not group.processes()
        assert left

        # One that an earlier control plane left is ended before the new one starts.
        place.checker_group("c").create()
        orphan = await asyncio.create_subprocess_exec(
            *group.enter(["sleep", "1000"]), env=place.checker_environment("c", {})
        )
        await eventually(lambda: orphan.pid in group.processes(), "it is in the group")
        async with looking(board, "prim"):
            await asyncio.wait_for(orphan.wait(), AWAIT_S)

    within(pair[0], story())


def test_a_program_that_cannot_be_run_is_unknown_and_said_once(
    pair: tuple[Namespace, Namespace], place: ScriptPlace
) -> None:
    async def story() -> None:
        board = Board(place, CustomCheck("c", "prim", "stop", "absent", ""))
        async with looking(board, "prim"):
            await board.until("custom.c", "unknown")
            board.checkers.seen("custom.c", "up")  # the next try is told, too
            await board.until_told("custom.c", "unknown", 2)
            assert len(board.notes) == 1
            assert "MIR-209" in board.notes[0]

    within(pair[0], story())


def test_another_module_here_and_its_restart(
    pair: tuple[Namespace, Namespace], place: ScriptPlace
) -> None:
    check = ModuleCheck("db", "db", "127.0.0.1", None, FAST_MS, 1000, secure=False)

    async def story() -> None:
        board = Board(place, check)
        async with looking(board, "pre"):
            await board.until("module.db", "down")
            board.neighbours["db"] = Neighbour(serves=True, starts=1)
            await board.until("module.db", "up")
            assert board.restarted == []
            board.neighbours["db"] = Neighbour(serves=True, starts=2)  # faster than the interval
            await eventually(lambda: board.restarted == ["module.db"], "restarted")
            board.neighbours["db"] = Neighbour(serves=False, starts=2)
            await board.until("module.db", "down")

    within(pair[0], story())


def test_another_module_behind_an_address(
    pair: tuple[Namespace, Namespace], place: ScriptPlace, tmp_path: Path
) -> None:
    join(*pair, "cable", "10.98.0.1/24", "10.98.0.2/24")
    ready = tmp_path / "www" / "var" / "modules" / "db" / "ready.txt"
    ready.parent.mkdir(parents=True)
    ready.touch()
    check = ModuleCheck("db", "far", "10.98.0.2", 9010, FAST_MS, 1000, secure=False)
    with subprocess.Popen(
        pair[1].command("python3", "-m", "http.server", "9010", "--directory", tmp_path / "www"),  # type: ignore[arg-type]
        stderr=subprocess.DEVNULL,
    ) as server:

        async def story() -> None:
            board = Board(place, check)
            async with looking(board, "pre"):
                await board.until("module.far", "up")
                ready.unlink()
                await board.until("module.far", "down")

        try:
            within(pair[0], story())
        finally:
            server.kill()


def test_what_the_virtual_addresses_generate(pair: tuple[Namespace, Namespace]) -> None:
    join(*pair, "cable", "10.98.0.1/24", "10.98.0.2/24")
    text = (
        '<safe><service mode="mirror"><heart><heartbeat name="a"/></heart><vip><interface_list>'
        '<interface><real_interface><virtual_addr addr="10.98.0.9"/>'
        '<virtual_addr addr="10.98.0.8" check="off"/></real_interface></interface>'
        '<interface name="bond0"><real_interface><virtual_addr addr="192.0.2.1"/></real_interface>'
        '</interface><interface check="off"><real_interface><virtual_addr addr="10.98.0.7"/>'
        "</real_interface></interface></interface_list></vip>"
        '<check><ip ident="10.98.0.7" when="both"><to addr="10.98.0.7"/></ip></check>'
        "</service></safe>"
    )
    config = load_userconfig(text.encode(), "f", {})
    with pair[0].entered():
        network = read_network()
    assert [(check.resource, check.when) for check in generated_checks(config, network)] == [
        ("intf.10.98.0.0", "pre"),
        ("ip.10.98.0.9", "prim"),
        ("intf.bond0", "pre"),
        ("ip.192.0.2.1", "prim"),
    ]

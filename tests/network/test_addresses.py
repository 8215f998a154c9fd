"""The virtual address on real interfaces: conflict, announcement, defence, release, reset."""

import asyncio
import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest

from mirror.adapters.addresses import AddressKeeper, VirtualAddress, release_now
from mirror.adapters.claims import Endpoint, open_endpoint
from mirror.adapters.connection_count import ConnectionCount
from mirror.adapters.netlink_facts import HostNetwork, NetworkWatch, read_network
from mirror.adapters.nft_reset import reset_for_a_moment
from mirror.adapters.sock_destroy import can_destroy, count_connections
from mirror.daemon.node.addresses_port import AddressesPort
from mirror.errors import AddressInUse, InterfaceNotFound, NetworkNotSet
from tests.network.namespaces import Namespace, join

AWAIT_S = 60.0  # on a machine that does other work too
VERBS = ("add", "del")
FAMILIES = pytest.mark.parametrize(
    ("left", "right", "vip"),
    [("10.98.0.1/24", "10.98.0.2/24", "10.98.0.9"), ("fd98::1/64", "fd98::2/64", "fd98::9")],
    ids=["IPv4", "IPv6"],
)


def within(namespace: Namespace, story: Coroutine[Any, Any, None]) -> None:
    """Run a story whose sockets and worker threads are all in the namespace."""
    with namespace.entered():
        asyncio.run(asyncio.wait_for(story, AWAIT_S))


def neighbour(namespace: Namespace, address: str) -> str:
    """Hardware address that this host believes `address` has."""
    entries = json.loads(namespace.run("ip", "-json", "neighbour", "show", address))
    return str(entries[0].get("lladdr", "")) if entries else ""


def held(namespace: Namespace, address: str) -> list[dict[str, Any]]:
    links = json.loads(namespace.run("ip", "-json", "address", "show", "dev", "cable"))
    return [each for each in links[0]["addr_info"] if each.get("local") == address]


async def next_claim(endpoint: Endpoint) -> str:
    loop = asyncio.get_running_loop()
    while True:
        readable = asyncio.Event()
        loop.add_reader(endpoint.fileno(), readable.set)
        await readable.wait()
        loop.remove_reader(endpoint.fileno())
        mac = endpoint.receive_claim(probing=False)  # None for what the endpoint sent itself
        if mac is not None:
            return mac


@FAMILIES
def test_taken_with_the_networks_prefix_and_released(
    pair: tuple[Namespace, Namespace], left: str, right: str, vip: str
) -> None:
    join(*pair, "cable", left, right)

    async def story() -> None:
        keeper = AddressKeeper(VirtualAddress(vip))
        await keeper.take()
        assert keeper.holds()
        assert await keeper.verify()
        [entry] = held(pair[0], vip)
        assert entry["prefixlen"] == int(left.split("/")[1])
        assert len(pair[0].run("ip", "route", "show", "root", "10.98.0.0/24").splitlines()) <= 1
        await keeper.take()
        await keeper.release()
        await keeper.release()
        assert not keeper.holds()
        assert not await keeper.verify()
        assert not held(pair[0], vip)

    within(pair[0], story())


@FAMILIES
def test_an_address_that_is_answered_for_is_not_taken(
    pair: tuple[Namespace, Namespace], left: str, right: str, vip: str
) -> None:
    join(*pair, "cable", left, right)
    nodad = ["nodad"] if ":" in vip else []
    pair[1].run("ip", "address", "add", f"{vip}/{left.split('/')[1]}", "dev", "cable", *nodad)

    async def story() -> None:
        keeper = AddressKeeper(VirtualAddress(vip))
        with pytest.raises(AddressInUse) as refused:
            await keeper.take()
        assert refused.value.mac == pair[1].mac("cable")
        assert not keeper.holds()
        assert not held(pair[0], vip)

    within(pair[0], story())


@FAMILIES
def test_by_agreement_it_is_used_at_once_and_a_claim_is_told_all_the_same(
    pair: tuple[Namespace, Namespace], left: str, right: str, vip: str
) -> None:
    join(*pair, "cable", left, right)
    nodad = ["nodad"] if ":" in vip else []
    pair[1].run("ip", "address", "add", f"{vip}/{left.split('/')[1]}", "dev", "cable", *nodad)

    async def story() -> None:
        claims: asyncio.Queue[str] = asyncio.Queue()
        keeper = AddressKeeper(VirtualAddress(vip), on_claim=claims.put_nowait)
        await keeper.take(agreed=True)
        assert held(pair[0], vip)
        assert await claims.get() == pair[1].mac("cable")
        await keeper.release()

    within(pair[0], story())


@FAMILIES
def test_two_hosts_that_take_it_at_once_do_not_both_get_it(
    pair: tuple[Namespace, Namespace], left: str, right: str, vip: str
) -> None:
    join(*pair, "cable", left, right)
    program = (
        "import asyncio, sys\n"
        "from mirror.adapters.addresses import AddressKeeper, VirtualAddress\n"
        "from mirror.errors import AddressInUse\n"
        "sys.stdin.readline()\n"
        "try:\n"
        "    asyncio.run(AddressKeeper(VirtualAddress(sys.argv[1])).take())\n"
        "    print('taken')\n"
        "except AddressInUse:\n"
        "    print('in use')\n"
    )
    root = Path(__file__).parents[2]
    racers = [
        subprocess.Popen(
            host.command(sys.executable, "-c", program, vip),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={"PYTHONPATH": str(root)},
        )
        for host in pair
    ]
    for racer in racers:
        assert racer.stdin is not None
        racer.stdin.write("go\n")
        racer.stdin.flush()
    said = [racer.communicate(timeout=AWAIT_S)[0].strip() for racer in racers]
    assert "in use" in said, said


@FAMILIES
def test_a_neighbour_that_remembered_the_other_host_learns_at_once(
    pair: tuple[Namespace, Namespace], left: str, right: str, vip: str
) -> None:
    join(*pair, "cable", left, right)
    dead = "02:00:00:00:00:99"
    pair[1].run(
        "ip", "neighbour", "add", vip, "lladdr", dead, "dev", "cable", "nud", "stale"
    )  # fmt: skip
    assert neighbour(pair[1], vip) == dead

    async def story() -> None:
        keeper = AddressKeeper(VirtualAddress(vip))
        await keeper.take()
        while neighbour(pair[1], vip) != pair[0].mac("cable"):  # noqa: ASYNC110 - no event
            await asyncio.sleep(0.01)
        await keeper.release()

    within(pair[0], story())


@FAMILIES
def test_another_claim_is_reported_and_answered(
    pair: tuple[Namespace, Namespace], left: str, right: str, vip: str
) -> None:
    join(*pair, "cable", left, right)

    async def story() -> None:
        claims: asyncio.Queue[str] = asyncio.Queue()
        keeper = AddressKeeper(VirtualAddress(vip), on_claim=claims.put_nowait)
        await keeper.take()
        with pair[1].entered():
            endpoint = open_endpoint("cable", vip, frozenset())
        for _ in range(5):
            endpoint.send_announcement()
        assert await claims.get() == pair[1].mac("cable")
        # Our answer reaches the intruder, and five claims in a moment were one to report.
        assert await next_claim(endpoint) == pair[0].mac("cable")
        assert claims.empty()
        endpoint.close()
        await keeper.release()

    within(pair[0], story())


def test_connections_are_reset_when_the_address_goes(pair: tuple[Namespace, Namespace]) -> None:
    join(*pair, "cable", "10.98.0.1/24", "10.98.0.2/24")

    async def story() -> None:
        keeper = AddressKeeper(VirtualAddress("10.98.0.9"))
        await keeper.take()
        servers = [
            socket.create_server(("10.98.0.9", 5000)),
            socket.create_server(("::", 5001), family=socket.AF_INET6, dualstack_ipv6=True),
        ]
        with pair[1].entered():
            clients = [socket.create_connection(("10.98.0.9", port)) for port in (5000, 5001)]
        accepted = [server.accept()[0] for server in servers]
        await keeper.release()
        for client in clients:
            client.settimeout(AWAIT_S)
            with pytest.raises(ConnectionResetError):
                client.recv(1)
        for each in (*servers, *clients, *accepted):
            each.close()

    within(pair[0], story())


def test_without_destroying_sockets_a_reset_answers_what_the_client_says(
    pair: tuple[Namespace, Namespace],
) -> None:
    join(*pair, "cable", "10.98.0.1/24", "10.98.0.2/24")
    pair[0].run("ip", "address", "add", "10.98.0.9/24", "dev", "cable")
    with pair[0].entered():
        assert can_destroy()
        server = socket.create_server(("10.98.0.9", 5000))
        with pair[1].entered():
            client = socket.create_connection(("10.98.0.9", 5000), 5)
        heard = threading.Event()

        def reset() -> None:
            while not heard.is_set():
                reset_for_a_moment("10.98.0.9")

        resetting = threading.Thread(target=reset)
        resetting.start()
        try:
            with pytest.raises((ConnectionResetError, BrokenPipeError)):
                talk(client)
        finally:
            heard.set()
            resetting.join()
        assert "mirror_reset" not in pair[0].run("nft", "list", "tables")
        for each in (server, client):
            each.close()


def talk(client: socket.socket) -> None:
    deadline = time.monotonic() + AWAIT_S
    while time.monotonic() < deadline:
        client.send(b"anybody there?")
        time.sleep(0.01)


def test_active_connections_are_counted_while_it_is_held(
    pair: tuple[Namespace, Namespace],
) -> None:
    join(*pair, "cable", "10.98.0.1/24", "10.98.0.2/24")

    async def story() -> None:
        keeper = AddressKeeper(VirtualAddress("10.98.0.9", counts=True))
        counted: asyncio.Queue[str] = asyncio.Queue()
        counts = (ConnectionCount("10.98.0.9", counted.put_nowait),)
        port = AddressesPort((keeper,), (), counts)
        await port.take()
        assert await counted.get() == "0"
        server = socket.create_server(("10.98.0.9", 5000))
        other = socket.create_server(("10.98.0.1", 5000))
        with pair[1].entered():
            clients = [socket.create_connection(("10.98.0.9", 5000)) for _ in range(3)]
            clients.append(socket.create_connection(("10.98.0.1", 5000)))
        while count_connections("10.98.0.9") != 3:  # noqa: ASYNC110 - this end may be later
            await asyncio.sleep(0.01)
        await port.release()
        while await counted.get() != "0":  # it may have counted those three
            pass
        assert count_connections("10.98.0.9") == 0
        for each in (server, other, *clients):
            each.close()

    within(pair[0], story())


@pytest.mark.parametrize(
    ("left", "right", "vip", "far"),
    [
        ("10.98.0.1/24", "10.98.0.2/24", "10.98.0.9", "203.0.113.7"),
        ("fd98::1/64", "fd98::2/64", "fd98::9", "2001:db8::7"),
    ],
    ids=["IPv4", "IPv6"],
)
def test_new_connections_come_from_it_and_every_route_is_as_before(
    pair: tuple[Namespace, Namespace], left: str, right: str, vip: str, far: str
) -> None:
    join(*pair, "cable", left, right)
    family = ["-6"] if ":" in vip else ["-4"]
    router, near = right.partition("/")[0], left.partition("/")[0]
    via = ("via", router, "dev", "cable")
    pair[0].run("ip", *family, "route", "add", "default", *via, "metric", "77", "mtu", "1400")
    pair[0].run("ip", *family, "route", "add", far, *via, "src", near, "proto", "dhcp")
    before = pair[0].run("ip", *family, "route", "show")

    def source() -> str:
        routes = json.loads(pair[0].run("ip", "-json", "route", "get", far))
        return str(routes[0]["prefsrc"])

    async def story() -> None:
        alias = AddressKeeper(VirtualAddress(vip))
        await alias.take()
        assert source() == near
        await alias.release()
        keeper = AddressKeeper(VirtualAddress(vip, is_source=True))
        await keeper.take()
        assert source() == vip
        assert vip in pair[0].run("ip", "route", "get", router)
        await keeper.release()
        assert source() == near
        assert pair[0].run("ip", *family, "route", "show") == before
        # After a control plane that was killed the guardian leaves the same behind.
        await keeper.take()
        assert await asyncio.to_thread(release_now, vip)
        assert pair[0].run("ip", *family, "route", "show") == before
        await keeper.release()

    within(pair[0], story())


def test_the_guardian_removes_it_without_an_event_loop(
    pair: tuple[Namespace, Namespace],
) -> None:
    join(*pair, "cable", "10.98.0.1/24", "10.98.0.2/24")
    pair[0].run("ip", "address", "add", "10.98.0.9/24", "dev", "cable")
    with pair[0].entered():
        assert release_now("10.98.0.9")
        assert not release_now("10.98.0.9")
        assert read_network().find("10.98.0.1") is not None


def test_an_address_left_by_a_killed_control_plane_is_kept_without_a_gap(
    pair: tuple[Namespace, Namespace],
) -> None:
    join(*pair, "cable", "10.98.0.1/24", "10.98.0.2/24")
    pair[0].run("ip", "address", "add", "10.98.0.9/24", "dev", "cable")
    [before] = held(pair[0], "10.98.0.9")

    async def story() -> None:
        keeper = AddressKeeper(VirtualAddress("10.98.0.9"))
        await keeper.take()
        assert held(pair[0], "10.98.0.9") == [before]
        await keeper.release()

    within(pair[0], story())


def test_no_network_of_this_host_or_no_such_interface(pair: tuple[Namespace, Namespace]) -> None:
    join(*pair, "cable", "10.98.0.1/24", "10.98.0.2/24")

    async def story() -> None:
        with pytest.raises(InterfaceNotFound, match="on no network"):
            await AddressKeeper(VirtualAddress("192.0.2.7")).take()
        with pytest.raises(InterfaceNotFound, match="no interface bond0"):
            await AddressKeeper(VirtualAddress("10.98.0.9", interface="bond0")).take()
        with pytest.raises(NetworkNotSet, match="MIR-211"):
            await AddressKeeper(VirtualAddress("10.98.0.9", prefix_length=40)).take()
        named = AddressKeeper(VirtualAddress("192.0.2.7", interface="cable"))
        await named.take()
        assert held(pair[0], "192.0.2.7")[0]["prefixlen"] == 32
        await named.release()

    within(pair[0], story())


def make_at_once(namespace: Namespace, lines: str) -> None:
    """The event loop stands still meanwhile: all is there when it goes on."""
    subprocess.run(namespace.command("ip", "-batch", "-"), input=lines, text=True, check=True)


def test_a_burst_of_changes_is_looked_at_as_one(pair: tuple[Namespace, Namespace]) -> None:
    join(*pair, "cable", "10.98.0.1/24", "10.98.0.2/24")
    burst = [f"{verb} 10.99.{at // 250}.{at % 250}/32" for at in range(1000) for verb in VERBS]
    lines = [f"address {one} dev cable\n" for one in (*burst, "add 10.98.0.9/24")]

    async def story() -> None:
        seen: list[HostNetwork] = []
        async with NetworkWatch(seen.append):
            make_at_once(pair[0], "".join(lines))
            while seen[-1].find("10.98.0.9") is None:  # noqa: ASYNC110 - one list
                await asyncio.sleep(0.01)
            count = 0
            while count != len(seen):
                count = len(seen)
                await asyncio.sleep(0.5)
        assert count < len(burst) / 20

    within(pair[0], story())


def test_a_change_of_link_or_address_is_told(pair: tuple[Namespace, Namespace]) -> None:
    join(*pair, "cable", "10.98.0.1/24", "10.98.0.2/24")

    async def story() -> None:
        seen: asyncio.Queue[HostNetwork] = asyncio.Queue()

        async def until_carrier(wanted: bool) -> None:
            while (await seen.get()).carrier_of("10.98.0.1") is not wanted:
                pass

        async with NetworkWatch(seen.put_nowait):
            await until_carrier(wanted=True)
            pair[1].run("ip", "link", "set", "dev", "cable", "down")
            await until_carrier(wanted=False)
            pair[1].run("ip", "link", "set", "dev", "cable", "up")
            await until_carrier(wanted=True)
            pair[0].run("ip", "address", "add", "10.98.0.9/24", "dev", "cable")
            while (await seen.get()).find("10.98.0.9") is None:
                pass

    within(pair[0], story())

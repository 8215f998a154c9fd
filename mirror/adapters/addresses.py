"""The virtual address of a module on this host: taken, defended, given back.

Taking asks first whether somebody answers for it (invariant 8: one node at a time), then adds it
as an alias and tells the network, several times, because a switch that misses one announcement
would send clients to the dead node. While it is held, any other claim is reported and answered.
Whether to take it is decided elsewhere.
"""

import asyncio
import contextlib
import ipaddress
import os
from collections.abc import Callable
from dataclasses import dataclass

from pyroute2 import IPRoute
from pyroute2.netlink.exceptions import NetlinkError

from mirror.adapters import clock
from mirror.adapters.arp import ArpEndpoint
from mirror.adapters.nd import NdEndpoint
from mirror.adapters.netlink_facts import HostNetwork, Interface, read_network
from mirror.adapters.sock_destroy import destroy_connections
from mirror.errors import AddressInUse, AddressNotReleased, InterfaceNotFound, NetworkNotSet

PROBE_COUNT = 3
PROBE_GAP_S = 0.06  # RFC 5227 has seconds; a takeover in about a second has no such time
PROBE_LISTEN_S = 0.20
ANNOUNCE_COUNT = 5
ANNOUNCE_GAP_S = 0.005
ANNOUNCE_AGAIN_S = 5.0  # a switch port may take seconds to forward after a link came up
DEFEND_GAP_MS = 1000  # at most one answer a second to another claim: two defenders must not storm

_IFA_F_NODAD = 0x02  # linux/if_addr.h
_IFA_F_NOPREFIXROUTE = 0x200
_FOREVER = 0xFFFFFFFF

Endpoint = ArpEndpoint | NdEndpoint


@dataclass(frozen=True, slots=True)
class VirtualAddress:
    """What the configuration says of one virtual address.

    address: numeric. interface: "" to take the one on the address's network. prefix_length: None
    for that network's. tcp_reset: reset connections before the address is removed.
    announce_every_ms, announce_for_ms: SafeKit's arpinterval and arpelapse, 0 without arpreroute.
    """

    address: str
    interface: str = ""
    prefix_length: int | None = None
    tcp_reset: bool = True
    announce_every_ms: int = 0
    announce_for_ms: int = 0


@dataclass(frozen=True, slots=True)
class Place:
    """Where an address goes on this host. shares_network: the host has the route already."""

    interface: Interface
    prefix_length: int
    shares_network: bool
    own_macs: frozenset[str]


def find_place(vip: VirtualAddress, network: HostNetwork) -> Place:
    """Choose the interface and the prefix length. Raises: InterfaceNotFound (MIR-205)."""
    near = network.nearest(vip.address)
    wanted: str | int | None = vip.interface or (near.index if near else None)
    interface = network.interface(wanted) if wanted is not None else None
    if interface is None:
        seen = f"no interface {vip.interface}" if vip.interface else "on no network of this host"
        raise InterfaceNotFound(address=vip.address, observed=seen)
    shares_network = near is not None and near.index == interface.index
    length = vip.prefix_length
    if length is None:
        alone = ipaddress.ip_address(vip.address).max_prefixlen
        length = near.prefix_length if near is not None and shares_network else alone
    macs = frozenset(each.mac for each in network.interfaces if each.mac)
    return Place(interface, length, shares_network, macs)


def release_now(address: str, *, tcp_reset: bool = True) -> bool:
    """Remove an address from this host, synchronously. Returns: whether it was there.

    For the guardian too, after the control plane was killed; not inside a running event loop.
    Connections are reset before, while a reset still can leave from the address, and after, for
    those that came between.
    Raises: AddressNotReleased (MIR-206).
    """
    found = read_network().find(address)
    if found is None:
        return False
    if tcp_reset:
        destroy_connections(address)
    observed = "still there"
    try:
        with IPRoute() as route:
            route.addr("del", index=found.index, address=address, prefixlen=found.prefix_length)
    except (NetlinkError, OSError) as error:
        observed = _reason(error)
    if tcp_reset:
        destroy_connections(address)
    if read_network().find(address) is not None:
        raise AddressNotReleased(address=address, observed=observed)
    return True


class AddressKeeper:
    """One virtual address on this host. Used by one event loop.

    on_claim(mac): somebody else claims the address while we hold it; at most once a second.
    """

    def __init__(
        self, vip: VirtualAddress, *, on_claim: Callable[[str], None] | None = None
    ) -> None:
        self._vip = vip
        self._on_claim = on_claim
        self._endpoint: Endpoint | None = None
        self._announcer: asyncio.Task[None] | None = None
        self._held = False
        self._defended_ms = -DEFEND_GAP_MS

    def holds(self) -> bool:
        """Whether this keeper took the address and has not given it back.

        Somebody may have removed it behind our back: `verify` asks the kernel.
        """
        return self._held

    async def verify(self) -> bool:
        """Whether the kernel has the address now, found no duplicate, and its link is up."""
        network = await asyncio.to_thread(read_network)
        found = network.find(self._vip.address)
        interface = network.interface(found.index) if found else None
        return found is not None and found.usable and interface is not None and interface.up

    async def take(self, *, expected: frozenset[str] = frozenset()) -> None:
        """Make the address ours and tell the network; idempotent, and quick when it is ours.

        expected: hardware addresses whose answer is no conflict. A host whose processes stand
        still answers from its kernel, for an address that it has lost the right to.
        Takes about PROBE_LISTEN_S. An address that this host has already, after a restart of
        the control plane, is announced again without being removed. If it is cancelled, the
        address may be there or not: `release` it.
        Raises: AddressInUse (MIR-204), InterfaceNotFound (MIR-205), NetworkNotSet (MIR-211).
        """
        if self._held:
            return
        network = await asyncio.to_thread(read_network)
        place = find_place(self._vip, network)
        present = network.find(self._vip.address)
        if place.interface.resolves:
            self._endpoint = self._open(place)
        try:
            if present is None:
                await self._probe(place, expected)
                await asyncio.to_thread(self._add, place)
        except BaseException:
            self._close_endpoint()
            raise
        self._held = True
        if self._endpoint is not None:
            asyncio.get_running_loop().add_reader(self._endpoint.fileno(), self._read_claims)
            await self._announce()
            self._announcer = asyncio.create_task(self._announce_later(), name="announce")

    async def release(self) -> None:
        """Give the address back; idempotent. Raises: AddressNotReleased (MIR-206)."""
        if self._announcer is not None:
            self._announcer.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._announcer
            self._announcer = None
        self._close_endpoint()
        await asyncio.to_thread(release_now, self._vip.address, tcp_reset=self._vip.tcp_reset)
        self._held = False

    def _open(self, place: Place) -> Endpoint:
        address = ipaddress.ip_address(self._vip.address)
        try:
            if isinstance(address, ipaddress.IPv4Address):
                return ArpEndpoint(place.interface.name, address, place.own_macs)
            return NdEndpoint(place.interface.name, address, place.own_macs)
        except OSError as error:
            raise self._refused("listen for claims", error) from error

    def _close_endpoint(self) -> None:
        if self._endpoint is not None:
            asyncio.get_running_loop().remove_reader(self._endpoint.fileno())
            self._endpoint.close()
            self._endpoint = None

    async def _probe(self, place: Place, expected: frozenset[str]) -> None:
        """Listen while asking; the first claim that is not expected ends it."""
        endpoint = self._endpoint
        if endpoint is None or not place.interface.up:
            return
        loop = asyncio.get_running_loop()
        claimed: asyncio.Future[str] = loop.create_future()

        def read() -> None:
            with contextlib.suppress(OSError):
                while not claimed.done():
                    mac = endpoint.receive_claim(probing=True)
                    if mac is not None and mac not in expected:
                        claimed.set_result(mac)

        loop.add_reader(endpoint.fileno(), read)
        try:
            for _ in range(PROBE_COUNT):
                if claimed.done():
                    break
                with contextlib.suppress(OSError):  # no link: nobody to ask, and nobody to hear us
                    endpoint.send_probe()
                await asyncio.wait({claimed}, timeout=PROBE_GAP_S)
            left_s = PROBE_LISTEN_S - PROBE_COUNT * PROBE_GAP_S
            await asyncio.wait({claimed}, timeout=left_s)
        finally:
            loop.remove_reader(endpoint.fileno())
        if claimed.done():
            raise AddressInUse(
                address=self._vip.address, interface=place.interface.name, mac=claimed.result()
            )

    def _add(self, place: Place) -> None:
        flags = _IFA_F_NOPREFIXROUTE if place.shares_network else 0
        lifetimes: dict[str, int] = {}
        if ":" in self._vip.address:
            flags |= _IFA_F_NODAD  # we have just asked ourselves
            # Deprecated: answers to clients come from it, new connections of this host do not.
            lifetimes = {"preferred": 0, "valid": _FOREVER}
        try:
            with IPRoute() as route:
                route.addr(
                    "add",
                    index=place.interface.index,
                    address=self._vip.address,
                    prefixlen=place.prefix_length,
                    flags=flags,
                    **lifetimes,
                )
        except (NetlinkError, OSError) as error:
            raise self._refused("add", error) from error

    async def _announce(self) -> None:
        for _ in range(ANNOUNCE_COUNT):
            if self._endpoint is None:
                return
            with contextlib.suppress(OSError):  # a link that is down; said again later
                self._endpoint.send_announcement()
            await asyncio.sleep(ANNOUNCE_GAP_S)

    async def _announce_later(self) -> None:
        await asyncio.sleep(ANNOUNCE_AGAIN_S)
        await self._announce()
        every_ms = self._vip.announce_every_ms
        for _ in range(self._vip.announce_for_ms // every_ms if every_ms else 0):
            await asyncio.sleep(every_ms / 1000)
            await self._announce()

    def _read_claims(self) -> None:
        with contextlib.suppress(OSError):
            while self._endpoint is not None:
                mac = self._endpoint.receive_claim(probing=False)
                if mac is not None:
                    self._defend(mac)

    def _defend(self, mac: str) -> None:
        now_ms = clock.boottime_ms()
        if now_ms - self._defended_ms < DEFEND_GAP_MS:
            return
        self._defended_ms = now_ms
        assert self._endpoint is not None
        with contextlib.suppress(OSError):
            self._endpoint.send_announcement()
        if self._on_claim is not None:
            self._on_claim(mac)

    def _refused(self, what: str, error: Exception) -> NetworkNotSet:
        return NetworkNotSet(what=f"{what} {self._vip.address}", observed=_reason(error))


def _reason(error: Exception) -> str:
    number = getattr(error, "code", None) or getattr(error, "errno", None)
    return os.strerror(number) if isinstance(number, int) else str(error)

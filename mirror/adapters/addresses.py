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
import socket
from collections.abc import Callable
from dataclasses import dataclass

from pyroute2 import IPRoute
from pyroute2.netlink.exceptions import NetlinkError

from mirror.adapters import clock
from mirror.adapters.claims import Endpoint, Question, close_beside, first_claim, open_endpoint
from mirror.adapters.netlink_facts import HostNetwork, Interface, read_network
from mirror.adapters.nft_reset import reset_for_a_moment
from mirror.adapters.sock_destroy import can_destroy, destroy_connections
from mirror.adapters.source_routes import forget_source, prefer_source
from mirror.errors import (
    AddressInUse,
    AddressNotReleased,
    InterfaceNotFound,
    MirrorError,
    NetworkNotSet,
)
from mirror.vocabulary.said import say

# RFC 5227 has seconds; a takeover in about a second has no such time.
PROBE = Question(count=3, gap_s=0.06, listen_s=0.20, probing=True)
ANNOUNCE_COUNT = 5
ANNOUNCE_GAP_S = 0.005
ANNOUNCE_AGAIN_S = 5.0  # a switch port may take seconds to forward after a link came up
DEFEND_GAP_MS = 1000  # at most one answer a second to another claim: two defenders must not storm

_RTN_LOCAL = 2  # linux/rtnetlink.h
_IFA_F_NODAD = 0x02  # linux/if_addr.h
_IFA_F_NOPREFIXROUTE = 0x200
_FOREVER = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class VirtualAddress:
    """What the configuration says of one virtual address.

    address: numeric. interface: "" to take the one on the address's network. prefix_length: None
    for that network's. tcp_reset: reset connections before the address is removed. is_source:
    new connections of this host come from it. counts: active connections are counted.
    announce_every_ms, announce_for_ms: SafeKit's arpinterval and arpelapse, 0 without arpreroute.
    """

    address: str
    interface: str = ""
    prefix_length: int | None = None
    tcp_reset: bool = True
    is_source: bool = False
    counts: bool = False
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


def is_here(address: str) -> bool:
    """Tell whether the kernel takes what is sent to the address for its own, synchronously.

    Mostly it is not here, and cannot be bound to: that is known at once. To be bound to proves
    nothing where ip_nonlocal_bind is set.
    """
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind((address, 0))
        with IPRoute() as route:
            return any(each["type"] == _RTN_LOCAL for each in route.route("get", dst=address))
    except (NetlinkError, OSError):  # there is no way to it
        return False


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
    if tcp_reset and not destroy_connections(address) and not can_destroy():
        reset_for_a_moment(address)
    observed: str = say("address.still_there")
    with contextlib.suppress(MirrorError):  # the address goes whatever becomes of a route
        forget_source(address)
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

    async def take(self, *, expected: frozenset[str] = frozenset(), agreed: bool = False) -> None:
        """Make the address ours and tell the network; idempotent, and quick when it is ours.

        expected: hardware addresses whose answer is no conflict. A host whose processes stand
        still answers from its kernel, for an address that it has lost the right to.
        agreed: until now the other node had it and watched for claims, so nobody else has: it is
        used at once, and asked about beside (optimistic, as RFC 4429); a claim is answered.
        Else takes about as long as PROBE listens. An address that this host has already, after a
        restart of the control plane, is announced again without being removed. If it is
        cancelled, the address may be there or not: `release` it.
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
                if not agreed:
                    await self._probe(place, expected)
                await asyncio.to_thread(self._add, place)
            if self._vip.is_source:
                await asyncio.to_thread(prefer_source, self._vip.address)
        except BaseException:
            self._close_endpoint()
            raise
        self._held = True
        if self._endpoint is not None:
            asyncio.get_running_loop().add_reader(self._endpoint.fileno(), self._read_claims)
            self._announce_once()  # the others beside: whoever serves does not wait for them
            announced = self._announce_on(ask=present is None and agreed)
            self._announcer = asyncio.create_task(announced, name="announce")

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
        try:
            return open_endpoint(place.interface.name, self._vip.address, place.own_macs)
        except OSError as error:
            raise self._refused("listen for claims", error) from error

    def _close_endpoint(self) -> None:
        if self._endpoint is not None:
            close_beside(self._endpoint)
            self._endpoint = None

    async def _probe(self, place: Place, expected: frozenset[str]) -> None:
        """Listen while asking; the first claim that is not expected ends it."""
        if self._endpoint is None or not place.interface.up:
            return
        mac = await first_claim(self._endpoint, PROBE, expected)
        if mac is not None:
            raise AddressInUse(address=self._vip.address, interface=place.interface.name, mac=mac)

    def _add(self, place: Place) -> None:
        flags = _IFA_F_NOPREFIXROUTE if place.shares_network else 0
        lifetimes: dict[str, int] = {}
        if ":" in self._vip.address:
            flags |= _IFA_F_NODAD  # we have just asked ourselves
            # Deprecated: answers to clients come from it, new connections of this host do not.
            preferred = _FOREVER if self._vip.is_source else 0
            lifetimes = {"preferred": preferred, "valid": _FOREVER}
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

    def _announce_once(self) -> None:
        if self._endpoint is not None:
            with contextlib.suppress(OSError):  # a link that is down; said again later
                self._endpoint.send_announcement()

    async def _announce(self, count: int = ANNOUNCE_COUNT) -> None:
        for _ in range(count):
            self._announce_once()
            await asyncio.sleep(ANNOUNCE_GAP_S)

    async def _announce_on(self, *, ask: bool) -> None:
        await asyncio.sleep(ANNOUNCE_GAP_S)
        await self._announce(ANNOUNCE_COUNT - 1)
        for _ in range(PROBE.count if ask else 0):
            if self._endpoint is not None:
                with contextlib.suppress(OSError):  # as an announcement
                    self._endpoint.send_probe()
            await asyncio.sleep(PROBE.gap_s)
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

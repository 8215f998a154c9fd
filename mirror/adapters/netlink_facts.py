"""What this host's network looks like: interfaces, addresses, and an event when either changes.

Facts only, as values. The kernel is asked by netlink; nothing here blocks for longer than the
kernel takes to answer, about a millisecond. Addresses given as text are numeric.
"""

import asyncio
import contextlib
import ipaddress
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from pyroute2 import AsyncIPRoute, IPRoute
from pyroute2.netlink.exceptions import NetlinkError
from pyroute2.netlink.rtnl import RTMGRP_IPV4_IFADDR, RTMGRP_IPV6_IFADDR, RTMGRP_LINK

from mirror.errors import HostProbeFailed
from mirror.vocabulary.said import say

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
IPNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network

_IFF_UP = 0x1  # these four: linux/if.h
_IFF_LOOPBACK = 0x8
_IFF_NOARP = 0x80
_IFF_LOWER_UP = 0x10000
_IFA_F_DADFAILED = 0x08  # linux/if_addr.h
_SETTLE_S = 0.02  # a link that comes up changes link, address and route: one event, not three


@dataclass(frozen=True, slots=True)
class Interface:
    """One interface. up: switched on; carrier: and the cable answers. mac: "" when it has none."""

    index: int
    name: str
    mac: str
    up: bool
    carrier: bool
    loopback: bool
    resolves: bool  # neighbours are found by ARP or ND here, so a conflict can be seen


@dataclass(frozen=True, slots=True)
class LocalAddress:
    """One address of this host. usable: the kernel has not found a duplicate of it."""

    address: IPAddress
    prefix_length: int
    index: int
    usable: bool

    @property
    def network(self) -> IPNetwork:
        """The network it is on."""
        return ipaddress.ip_network((self.address, self.prefix_length), strict=False)


@dataclass(frozen=True, slots=True)
class HostNetwork:
    """Interfaces and addresses at one moment."""

    interfaces: tuple[Interface, ...]
    addresses: tuple[LocalAddress, ...]

    def find(self, address: str) -> LocalAddress | None:
        """The address with its facts, if it is on this host."""
        wanted = ipaddress.ip_address(address)
        return next((each for each in self.addresses if each.address == wanted), None)

    def interface(self, name_or_index: str | int) -> Interface | None:
        """An interface by its name or index."""
        for each in self.interfaces:
            if name_or_index in {each.name, each.index}:
                return each
        return None

    def nearest(self, address: str) -> LocalAddress | None:
        """The address of this host on whose network `address` is; the narrowest such network.

        The address itself does not count, nor does a /32 or /128, which is no network.
        """
        wanted = ipaddress.ip_address(address)
        on_link = [
            each
            for each in self.addresses
            if each.address.version == wanted.version
            and wanted in each.network
            and each.address != wanted
            and each.prefix_length < wanted.max_prefixlen
        ]
        return max(on_link, key=lambda each: each.prefix_length, default=None)

    def carrier_of(self, address: str) -> bool:
        """Whether the interface with this local address has a link: SafeKit's `intf` checker."""
        found = self.find(address)
        interface = self.interface(found.index) if found else None
        return interface is not None and interface.up and interface.carrier


def read_network() -> HostNetwork:
    """Ask the kernel, synchronously; not inside a running event loop (see read_network_async).

    Raises: HostProbeFailed (MIR-201).
    """
    try:
        with IPRoute() as route:
            return HostNetwork(
                tuple(_interface(message) for message in route.get_links()),
                tuple(_address(message) for message in route.get_addr()),
            )
    except (OSError, NetlinkError) as error:
        raise _failed(error) from error


def neighbour_macs(addresses: Iterable[str]) -> frozenset[str]:
    """Hardware addresses by which this host knows these addresses; what it forgot is left out.

    Not inside a running event loop. Raises: HostProbeFailed (MIR-201).
    """
    wanted = frozenset(addresses)
    try:
        with IPRoute() as route:
            found = [
                message.get_attr("NDA_LLADDR")
                for message in route.get_neighbours()
                if message.get_attr("NDA_DST") in wanted
            ]
    except (OSError, NetlinkError) as error:
        raise _failed(error) from error
    return frozenset(str(mac) for mac in found if mac)


async def read_network_async() -> HostNetwork:
    """As read_network, for the event loop. Raises: HostProbeFailed (MIR-201)."""
    try:
        async with AsyncIPRoute() as route:
            links = [_interface(each) async for each in await route.link("dump")]
            return HostNetwork(
                tuple(links), tuple([_address(each) async for each in await route.addr("dump")])
            )
    except (OSError, NetlinkError) as error:
        raise _failed(error) from error


class NetworkWatch:
    """Calls `on_change(network)` at the start and after each change of a link or an address.

    Always with everything as it is now, not with what changed: an event that is lost, because
    the kernel's queue was full, is made good by the next one. Used as `async with`.
    """

    def __init__(self, on_change: Callable[[HostNetwork], None]) -> None:
        self._on_change = on_change
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._route: Any = None

    async def __aenter__(self) -> Self:
        """Begin; the first call of `on_change` has happened when this returns."""
        self._route = AsyncIPRoute()
        await self._route.bind(RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR)
        self._on_change(await read_network_async())
        self._task = asyncio.create_task(self._run(), name="network watch")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop; `on_change` is not called any more."""
        assert self._task is not None
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task
        self._route.close()

    async def _run(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._hear(), name="network events")
            group.create_task(self._tell(), name="network look")

    async def _hear(self) -> None:
        while True:
            with contextlib.suppress(NetlinkError, OSError):  # ENOBUFS: events were lost, read on
                async for _ in self._route.get():
                    self._changed.set()
                    break
                continue
            self._changed.set()
            await asyncio.sleep(_SETTLE_S)

    async def _tell(self) -> None:
        """Look once for all that came meanwhile: a host of many links changes them in bursts."""
        while True:
            await self._changed.wait()
            await asyncio.sleep(_SETTLE_S)
            self._changed.clear()
            with contextlib.suppress(HostProbeFailed):
                self._on_change(await read_network_async())


def _interface(message: Mapping[str, Any]) -> Interface:
    flags = int(message["flags"])
    loopback = bool(flags & _IFF_LOOPBACK)
    return Interface(
        index=int(message["index"]),
        name=str(message.get("ifname")),
        mac=str(message.get("address") or ""),
        up=bool(flags & _IFF_UP),
        carrier=bool(flags & _IFF_LOWER_UP),
        loopback=loopback,
        resolves=not loopback and not flags & _IFF_NOARP,
    )


def _address(message: Mapping[str, Any]) -> LocalAddress:
    # `local` is ours on a point-to-point link, where `address` is the far end.
    text = str(message.get("local") or message.get("address"))
    flags = int(message.get("flags") or 0)
    return LocalAddress(
        address=ipaddress.ip_address(text),
        prefix_length=int(message["prefixlen"]),
        index=int(message["index"]),
        usable=not flags & _IFA_F_DADFAILED,
    )


def _failed(error: Exception) -> HostProbeFailed:
    number = getattr(error, "code", None) or getattr(error, "errno", None) or 0
    return HostProbeFailed(
        what=say("host.interfaces"),
        observed=os.strerror(number) if number else str(error),
        remedy=say("do.allow_netlink"),
    )

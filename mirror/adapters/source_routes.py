"""The source address of new connections: `where="one_side"` makes the virtual address be it.

Each route of the interface is given the address as its preferred source, and loses it again before
the address goes: the kernel takes IPv4 routes away with the source that they prefer. Synchronous
and quick, because the guardian does it too. Routes that come later (a new lease) are not seen.
"""

import ipaddress
import os
import socket
from collections.abc import Iterator, Mapping
from typing import Any

from pyroute2 import IPRoute
from pyroute2.netlink.exceptions import NetlinkError
from pyroute2.netlink.rtnl.rtmsg import rtmsg

from mirror.adapters.netlink_facts import HostNetwork, read_network
from mirror.errors import NetworkNotSet

_TABLE_MAIN = 254  # linux/rtnetlink.h, all of these
_UNICAST = 1
_PROTO_KERNEL, _PROTO_RA, _PROTO_DHCP = 2, 9, 16

# Destinations, nothing is bound to them.
_EVERYWHERE: dict[int, str] = {socket.AF_INET: "0.0.0.0", socket.AF_INET6: "::"}  # noqa: S104
# What makes a route the one it is; everything is said again when it is replaced.
_COPIED = ("RTA_GATEWAY", "RTA_OIF", "RTA_PRIORITY", "RTA_METRICS")


def prefer_source(address: str) -> None:
    """Have new connections of this host come from `address`, which it has already; idempotent.

    Raises: NetworkNotSet (MIR-211).
    """
    network = read_network()
    found = network.find(address)
    assert found is not None, "the address is here first"
    with IPRoute() as route:
        for each in _routes(route, address):
            # A default route by router advertisement is the kernel's, renewed by the router.
            if each.get_attr("RTA_OIF") == found.index and each["proto"] != _PROTO_RA:
                _replace(route, each, address, address)


def forget_source(address: str) -> None:
    """Give routes that prefer `address` what they had before. Raises: NetworkNotSet (MIR-211)."""
    network: HostNetwork | None = None
    with IPRoute() as route:
        for each in list(_routes(route, address)):
            if each.get_attr("RTA_PREFSRC") == address:
                network = network or read_network()
                _replace(route, each, _former(each, network, address), address)


def _former(route: rtmsg, network: HostNetwork, address: str) -> str | None:
    """Source of a route before: the kernel and DHCP name the interface's own, others none."""
    near = network.nearest(address)
    if near is None or near.index != route.get_attr("RTA_OIF"):
        return None
    # Of IPv6 routes the kernel's own name no source.
    kernel = route["family"] == socket.AF_INET and route["proto"] == _PROTO_KERNEL
    named = kernel or route["proto"] == _PROTO_DHCP
    return str(near.address) if named else None


def _routes(route: IPRoute, address: str) -> Iterator[rtmsg]:
    """Routes of the main table, of the address's family, that lead through one interface."""
    version = ipaddress.ip_address(address).version
    family = socket.AF_INET if version == 4 else socket.AF_INET6
    for each in route.get_routes(family=family, table=_TABLE_MAIN):
        target = each.get_attr("RTA_DST")
        own_link = target is not None and ipaddress.ip_address(target).is_link_local
        if each["type"] == _UNICAST and each.get_attr("RTA_MULTIPATH") is None and not own_link:
            yield each


def _replace(route: IPRoute, old: rtmsg, source: str | None, address: str) -> None:
    family = int(old["family"])
    wanted: dict[str, Any] = {
        "family": family,
        "dst": f"{old.get_attr('RTA_DST') or _EVERYWHERE[family]}/{old['dst_len']}",
        "table": _TABLE_MAIN,
        "proto": old["proto"],
        "scope": old["scope"],
        "tos": old["tos"],
        **{name.removeprefix("RTA_").lower(): old.get_attr(name) for name in _COPIED},
    }
    wanted = {name: value for name, value in wanted.items() if value is not None}
    if isinstance(wanted.get("metrics"), Mapping):
        wanted["metrics"] = dict(old.get_attr("RTA_METRICS")["attrs"])
    if source is not None:
        wanted["prefsrc"] = source
    try:
        route.route("replace", **wanted)
    except (NetlinkError, OSError) as error:
        number = getattr(error, "code", None) or getattr(error, "errno", None) or 0
        observed = os.strerror(number) if number else str(error)
        raise NetworkNotSet(what=f"source {address} of {wanted['dst']}", observed=observed) from (
            error
        )

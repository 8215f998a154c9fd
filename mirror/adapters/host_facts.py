"""Looks at this host for config/host_check.py: directories, mounts, interfaces, names.

It reads and decides nothing. A replicated path is only stat'ed and listed; the caller runs this in
a process that may block (`mirror config`), never in the control plane's loop (design 3).
"""

import ipaddress
import os
import re
import socket
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from pyroute2 import IPRoute

from mirror.config.host_check import DirectoryFacts, HostFacts, IpNetwork, OtherModule
from mirror.config.layout import Layout
from mirror.config.models import ModuleConfig, Replicated
from mirror.errors import HostProbeFailed
from mirror.vocabulary.said import say
from mirror.vocabulary.said_system import system_said

MOUNT_TABLE = Path("/proc/self/mountinfo")
BTRFS_SUBVOLUME_INODE = 256  # the root of every subvolume has this number
IpInterface = ipaddress.IPv4Interface | ipaddress.IPv6Interface
_OCTAL = re.compile(r"\\([0-7]{3})")


def gather_host_facts(
    config: ModuleConfig, layout: Layout, others: Mapping[str, OtherModule]
) -> HostFacts:
    """Gather all facts for one module. Raises: HostProbeFailed (MIR-201)."""
    mounts = tuple(mount_points())
    replicated = config.rfs.replicated if config.rfs else ()
    addresses = config.vip.addresses if config.vip else ()
    return HostFacts(
        directories={one.directory: directory_facts(one, mounts) for one in replicated},
        networks=interface_networks() if addresses else {},
        resolved={one.addr: resolve(one.addr) for one in addresses},
        others=others,
        own_paths=tuple(os.path.realpath(path) for path in (layout.safe, layout.safevar)),
    )


def mount_points() -> Iterator[tuple[str, str]]:
    """Yield (mount point, filesystem type) of this mount namespace."""
    try:
        text = MOUNT_TABLE.read_text(encoding="utf-8", errors="surrogateescape")
    except OSError as error:
        raise HostProbeFailed(
            what=MOUNT_TABLE, observed=system_said(error), remedy=say("do.mount_proc")
        ) from error
    for line in text.splitlines():
        head, _, tail = line.partition(" - ")
        path = _OCTAL.sub(lambda octal: chr(int(octal[1], 8)), head.split(" ")[4])
        yield path, tail.split(" ")[0]


def directory_facts(replicated: Replicated, mounts: Iterable[tuple[str, str]]) -> DirectoryFacts:
    """Look at one directory. Its own mount (a disk, or our capture) is not beneath it."""
    path = replicated.directory
    real = os.path.realpath(path)
    beneath = sorted({point for point, _ in mounts if point.startswith(real + "/")})
    own = [
        (len(point), kind)
        for point, kind in mounts
        if (real + "/").startswith(point.rstrip("/") + "/")
    ]
    filesystem = max(own)[1] if own else ""
    is_directory = Path(real).is_dir()
    return DirectoryFacts(
        exists=os.path.lexists(path),
        is_directory=is_directory,
        real_path=real,
        mounts_beneath=tuple(beneath),
        subvolumes_beneath=(
            tuple(_subvolumes(real)) if is_directory and filesystem == "btrfs" else ()
        ),
        missing_to_check=tuple(
            item for item in replicated.to_check if is_directory and not Path(real, item).exists()
        ),
        filesystem=filesystem,
    )


def _subvolumes(root: str) -> Iterator[str]:
    """Walk directories only; on btrfs nothing else tells where a subvolume begins."""
    for parent, names, _ in os.walk(root):
        for name in names:
            path = Path(parent, name)
            if path.lstat().st_ino == BTRFS_SUBVOLUME_INODE:
                yield str(path)


def interface_addresses() -> dict[str, tuple[IpInterface, ...]]:
    """Addresses with their networks by interface, loopback excluded; () where there is none."""
    addresses: dict[str, list[IpInterface]] = {}
    try:
        with IPRoute() as route:
            names = {link["index"]: link.get_attr("IFLA_IFNAME") for link in route.get_links()}
            entries = list(route.get_addr())
    except OSError as error:
        raise HostProbeFailed(
            what=say("host.interfaces"),
            observed=system_said(error),
            remedy=say("do.allow_netlink"),
        ) from error
    for name in names.values():
        addresses.setdefault(str(name), [])
    for entry in entries:
        address = ipaddress.ip_interface(f"{entry.get_attr('IFA_ADDRESS')}/{entry['prefixlen']}")
        addresses[str(names[entry["index"]])].append(address)
    addresses.pop("lo", None)
    return {name: tuple(found) for name, found in addresses.items()}


def interface_networks() -> dict[str, tuple[IpNetwork, ...]]:
    """Networks by interface, loopback excluded; an interface without address has none."""
    found = interface_addresses()
    return {name: tuple(one.network for one in own) for name, own in found.items()}


def resolve(name: str) -> tuple[str, ...]:
    """Addresses of a name; a literal address is its own; () when the name is unknown."""
    try:
        return (str(ipaddress.ip_address(name)),)
    except ValueError:
        pass
    try:
        found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    except socket.gaierror:
        return ()
    return tuple(sorted({str(entry[4][0]) for entry in found}))

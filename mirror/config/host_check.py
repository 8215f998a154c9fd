"""What a module asks of this host, checked against facts gathered elsewhere.

Pure: adapters/host_facts.py looks, this decides. Neither is needed to parse a file.
"""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from mirror.config.build_replication import overlaps
from mirror.config.collector import Collector, listed, nearest
from mirror.config.models import ModuleConfig, VipInterface, VirtualAddress
from mirror.vocabulary.said import say

IpNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class DirectoryFacts:
    """A directory as found. real_path: without symbolic links. Lists are absolute paths."""

    exists: bool
    is_directory: bool
    real_path: str
    mounts_beneath: tuple[str, ...] = ()
    subvolumes_beneath: tuple[str, ...] = ()
    missing_to_check: tuple[str, ...] = ()
    filesystem: str = ""


@dataclass(frozen=True, slots=True)
class OtherModule:
    """What another configured module of this host already holds."""

    directories: tuple[str, ...]
    addresses: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class HostFacts:
    """All that check_against_host looks at.

    networks: interface name -> networks of its addresses. resolved: host name -> addresses, empty
    when the name is unknown. own_paths: SAFE and SAFEVAR, without symbolic links.
    """

    directories: Mapping[str, DirectoryFacts]
    networks: Mapping[str, tuple[IpNetwork, ...]]
    resolved: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    others: Mapping[str, OtherModule] = field(default_factory=dict)
    own_paths: tuple[str, ...] = ()


def check_against_host(config: ModuleConfig, facts: HostFacts) -> None:
    """Raise ConfigRefused (MIR-101) with everything that this host cannot give; else return."""
    collector = Collector(config.file)
    for directory in config.directories:
        _check_directory(config, directory, facts, collector)
    if config.vip is not None:
        for interface in config.vip.interfaces:
            if interface.name is not None and interface.name not in facts.networks:
                collector.refuse(
                    0,
                    say(
                        "host.interface",
                        name=interface.name,
                        nearest=nearest(interface.name, facts.networks),
                        allowed=listed(facts.networks),
                    ),
                )
            for address in interface.addresses:
                _check_address(config, interface, address, facts, collector)
    collector.raise_if_refused()


def _check_directory(
    config: ModuleConfig, directory: str, facts: HostFacts, collector: Collector
) -> None:
    line = config.lines.get(f"dir {directory}", 0)
    found = facts.directories[directory]
    if not found.exists or not found.is_directory:
        code = "host.not_directory" if found.exists else "host.no_directory"
        collector.refuse(line, say(code, directory=directory))
        return
    for beneath in found.mounts_beneath:
        collector.refuse(line, say("host.mount_beneath", directory=directory, beneath=beneath))
    for beneath in found.subvolumes_beneath:
        collector.refuse(line, say("host.subvolume", directory=directory, beneath=beneath))
    for path in found.missing_to_check:
        collector.refuse(line, say("host.tocheck", directory=directory, path=path))
    for own in facts.own_paths:
        if overlaps(found.real_path, own):
            collector.refuse(line, say("host.own", directory=directory, own=own))
    _check_shared(line, directory, facts, collector)
    for other, held in _real_paths(config, facts).items():
        if (
            other < directory
            and overlaps(held, found.real_path)
            and not overlaps(other, directory)
        ):
            collector.refuse(line, say("host.linked", directory=directory, other=other))


def _check_shared(line: int, directory: str, facts: HostFacts, collector: Collector) -> None:
    real = facts.directories[directory].real_path
    for module, other in facts.others.items():
        for held in other.directories:
            if overlaps(directory, held) or overlaps(real, held):
                collector.refuse(
                    line, say("host.shared", directory=directory, held=held, module=module)
                )


def _real_paths(config: ModuleConfig, facts: HostFacts) -> dict[str, str]:
    return {
        str(PurePosixPath(directory)): facts.directories[directory].real_path
        for directory in config.directories
    }


def _check_address(
    config: ModuleConfig,
    interface: VipInterface,
    address: VirtualAddress,
    facts: HostFacts,
    collector: Collector,
) -> None:
    line = config.lines.get(f"addr {address.addr}", 0)
    for module, other in facts.others.items():
        if address.addr in other.addresses:
            collector.refuse(line, say("host.address_held", address=address.addr, module=module))
    literals = facts.resolved.get(address.addr, (address.addr,))
    if not literals:
        collector.refuse(line, say("host.address_unknown", address=address.addr))
    for literal in literals:
        ip = ipaddress.ip_address(literal)
        if ip.is_loopback or ip.is_multicast or ip.is_unspecified:
            collector.refuse(line, say("host.address_nobodys", address=address.addr))
            continue
        # A forced interface with a netmask says where the address goes, without a network of ours.
        if interface.name is not None and address.prefix_length is not None:
            continue
        wanted = [interface.name] if interface.name is not None else list(facts.networks)
        known = [network for name in wanted for network in facts.networks.get(name, ())]
        if not any(ip in network for network in known):
            networks = listed({str(network) for network in known}) or say("host.none")
            collector.refuse(
                line, say("host.address_nowhere", address=address.addr, networks=networks)
            )

"""The checkers that <vip check="on"> stands for: a link an interface, presence of each address.

Pure: this host's network is given. Idents are SafeKit's: the network of the address, the address.
"""

import ipaddress

from mirror.adapters.netlink_facts import HostNetwork
from mirror.config.check_models import Check, IntfCheck, IpCheck
from mirror.config.models import ModuleConfig

INTERVAL_MS = 10_000


def generated_checks(config: ModuleConfig, network: HostNetwork) -> tuple[Check, ...]:
    """Give what the virtual addresses generate; what is written by hand goes before it."""
    if config.vip is None:
        return ()
    found: dict[str, Check] = {}
    for interface in config.vip.interfaces:
        for address in interface.addresses:
            if interface.check:
                link = _link(address.addr, interface.name or "", network)
                if link is not None:
                    found.setdefault(link.resource, link)
            if address.check:
                here = IpCheck(address.addr, "prim", address.addr, INTERVAL_MS)
                found.setdefault(here.resource, here)
    written = {check.resource for check in config.checks}
    return tuple(check for name, check in found.items() if name not in written)


def _link(addr: str, interface: str, network: HostNetwork) -> IntfCheck | None:
    """None when it is not known on which interface it would be: the start says so itself."""
    try:
        near = network.nearest(str(ipaddress.ip_address(addr)))
    except ValueError:  # a name
        near = None
    if near is not None:
        return IntfCheck(str(near.network.network_address), str(near.address))
    return IntfCheck(interface, "", interface) if interface else None

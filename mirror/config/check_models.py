"""What <check>, <fence> and <vhost> say, checked and typed: frozen values.

Durations are whole milliseconds. `resource` is the name under which people and rules see a
checker; `when` the class in which it looks; `action` what its generated rule asks for.
"""

from dataclasses import dataclass
from typing import Literal

When = Literal["pre", "prim", "second", "both"]
CheckAction = Literal["wait", "stop", "stopstart", "restart", "swap", "noaction"]

LOCAL_ADDRESSES = frozenset({"127.0.0.1", "::1"})


@dataclass(frozen=True, slots=True)
class TcpCheck:
    """<tcp>: a connection to addr:port is accepted."""

    ident: str
    when: When
    action: CheckAction
    addr: str
    port: int
    interval_ms: int
    timeout_ms: int

    @property
    def resource(self) -> str:
        """See the module."""
        return f"tcp.{self.ident}"


@dataclass(frozen=True, slots=True)
class PingCheck:
    """<ping>: an address answers to ICMP echo."""

    ident: str
    when: When
    action: CheckAction
    addr: str
    interval_ms: int
    timeout_ms: int

    @property
    def resource(self) -> str:
        """See the module."""
        return f"ping.{self.ident}"


@dataclass(frozen=True, slots=True)
class IntfCheck:
    """<intf>: the interface that has this address, or this name, has a link."""

    ident: str
    local_addr: str
    interface: str = ""  # named by <interface name=...>; then local_addr may be ""
    when: When = "pre"
    action: CheckAction = "wait"

    @property
    def resource(self) -> str:
        """See the module."""
        return f"intf.{self.ident}"


@dataclass(frozen=True, slots=True)
class IpCheck:
    """<ip>: an address is on this host, and nobody else on the network answers for it."""

    ident: str
    when: When
    addr: str
    interval_ms: int
    action: CheckAction = "stopstart"

    @property
    def resource(self) -> str:
        """See the module."""
        return f"ip.{self.ident}"


@dataclass(frozen=True, slots=True)
class CustomCheck:
    """<custom>: a program of the module says it, by `safekit set`."""

    ident: str
    when: When
    action: CheckAction
    exec: str
    arg: str

    @property
    def resource(self) -> str:
        """See the module."""
        return f"custom.{self.ident}"


@dataclass(frozen=True, slots=True)
class ModuleCheck:
    """<module>: another module is ready, on this host or behind an address.

    port None: that of the console. secure: by HTTPS, with the cluster's certificates.
    """

    name: str
    ident: str
    addr: str
    port: int | None
    interval_ms: int
    timeout_ms: int
    secure: bool
    when: When = "pre"
    action: CheckAction = "wait"

    @property
    def resource(self) -> str:
        """See the module."""
        return f"module.{self.ident}"

    @property
    def is_local(self) -> bool:
        """Whether this host's own control plane knows."""
        return self.addr in LOCAL_ADDRESSES and self.port is None


Check = TcpCheck | PingCheck | IntfCheck | IpCheck | CustomCheck | ModuleCheck


@dataclass(frozen=True, slots=True)
class FenceOption:
    """<option>: a line key=value for the agent. file: where a secret is read from when needed.

    node: only when this node is to be fenced; "" for both.
    """

    name: str
    value: str
    file: str
    node: str


@dataclass(frozen=True, slots=True)
class Fence:
    """<fence>: how the other node is made sure to be off. agent or exec is "", not both."""

    agent: str
    exec: str
    delay_ms: int
    timeout_ms: int
    options: tuple[FenceOption, ...]


@dataclass(frozen=True, slots=True)
class VirtualHostName:
    """<virtualhostname>: scripts of the class, and what sources envfile, see this host name."""

    name: str
    envfile: str
    when: Literal["prim", "second", "both"]

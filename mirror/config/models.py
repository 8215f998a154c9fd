"""What a userconfig.xml says, checked and typed: frozen values that everything else reads.

Durations are whole milliseconds, sizes whole bytes, switches truth values. Defaults are not here:
they stand in the tables of elements.py, one row an attribute.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from mirror.config.check_models import Check, Fence, VirtualHostName
from mirror.config.collector import Notice
from mirror.vocabulary.crontab import Crontab

Profile = Literal["fast", "standard", "safekit"]
Barrier = Literal["write", "fsync"]
Acknowledge = Literal["second", "none"]
Capture = Literal["mount", "watch"]
SplitBrainPolicy = Literal["keep-prim", "ask"]

REPLICATION_FLOW_IDENT = "flow"  # the heartbeat so labelled names the network of the data link


@dataclass(frozen=True, slots=True)
class Service:
    """<service>: how the module behaves as a whole."""

    mode: Literal["mirror", "light"]
    boot: Literal["on", "off", "auto", "ignore"]
    boot_delay_ms: int
    failover: bool
    defaultprim: str  # "alone", "lastprim", or the name of a node
    maxloop: int
    loop_interval_ms: int  # 0: the counter is off
    automatic_reboot: bool


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """<heartbeat>: one network. name is None in the old syntax, where servers are given."""

    name: str | None
    ident: str
    pulse_ms: int
    timeout_ms: int
    servers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Heart:
    """<heart>: port is None when it follows from the module id. No heartbeats: a light module."""

    profile: Profile | None
    port: int | None
    pulse_ms: int
    timeout_ms: int
    heartbeats: tuple[Heartbeat, ...]
    watchdog: str = ""  # a device that resets this host, "" for none


@dataclass(frozen=True, slots=True)
class VirtualAddress:
    """<virtual_addr>: prefix_length is None when it follows from the interface."""

    addr: str
    where: Literal["one_side_alias", "one_side"]
    check: bool
    connections: bool
    prefix_length: int | None


@dataclass(frozen=True, slots=True)
class VipInterface:
    """<interface>: name is None when it follows from the addresses."""

    name: str | None
    check: bool
    arpreroute: bool
    arpinterval_ms: int
    arpelapse_ms: int
    addresses: tuple[VirtualAddress, ...]


@dataclass(frozen=True, slots=True)
class Vip:
    """<vip>: the addresses that follow the primary."""

    tcpreset: bool
    interfaces: tuple[VipInterface, ...]

    @property
    def addresses(self) -> tuple[VirtualAddress, ...]:
        """All addresses, in the order of the file."""
        return tuple(address for interface in self.interfaces for address in interface.addresses)


@dataclass(frozen=True, slots=True)
class Replicated:
    """<replicated>: one replicated directory. Paths of the tuples are relative to it."""

    directory: str
    read_only: bool
    to_check: tuple[str, ...] = ()
    not_replicated: tuple[str, ...] = ()
    not_replicated_regex: tuple[str, ...] = ()  # "!" first: only what matches is replicated

    @property
    def rules(self) -> tuple[tuple[str, str], ...]:
        """What is not replicated: kind ("path", "regex", "only") and text."""
        expressions = (
            ("only", text[1:]) if text.startswith("!") else ("regex", text)
            for text in self.not_replicated_regex
        )
        return (*(("path", path) for path in self.not_replicated), *expressions)


@dataclass(frozen=True, slots=True)
class Rfs:
    """<rfs>: replication. acknowledge is the attribute async of the file."""

    barrier: Barrier
    acknowledge: Acknowledge
    capture: Capture
    policy: SplitBrainPolicy
    nbrei: int
    reiallowedbw_bytes_s: int | None  # None: no cap
    locktimeout_ms: int
    sendtimeout_ms: int
    iotimeout_ms: int
    reitimeout_ms: int
    verifyat: str | None  # crontab syntax; None: only when asked
    syncdelta_ms: int  # 0: never
    syncat: Crontab | None  # None: in real time
    flow_network: str | None
    replicated: tuple[Replicated, ...]


@dataclass(frozen=True, slots=True)
class User:
    """<user>: scripts are run only when the element is there."""

    nicestoptimeout_ms: int
    forcestoptimeout_ms: int
    logging: Literal["userlog", "none"]
    userlogsize_bytes: int
    variables: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class WatchedProcess:
    """<proc>: a process (is_service: a systemd unit) that must run. atmax -1: no maximum."""

    name: str
    is_service: bool
    nameregex: str | None
    argregex: str | None
    atleast: int
    atmax: int
    action: str  # restart, stopstart, stop, noaction, or an executable of bin/
    process_class: str
    start_after: int
    restart_services: str = ""  # handed to the scripts of a restart as -Services "A, B"


@dataclass(frozen=True, slots=True)
class Errd:
    """<errd>: the process checker."""

    polltimer_ms: int
    processes: tuple[WatchedProcess, ...]


@dataclass(frozen=True, slots=True)
class SplitBrain:
    """<splitbrain>: the witness. witnesses: addresses for ping, endpoint URLs for etcd."""

    ident: str
    exec: Literal["ping", "etcd"]
    witnesses: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Failover:
    """<failover>: rules as text, on top of the default ones when extends."""

    extends: bool
    period_ms: int
    handle_time_ms: int
    rules: str


@dataclass(frozen=True, slots=True)
class ModuleConfig:
    """A whole userconfig.xml. What is None was not written; notices are to be shown once."""

    file: str
    service: Service
    heart: Heart
    failover: Failover
    vip: Vip | None = None
    rfs: Rfs | None = None
    user: User | None = None
    errd: Errd | None = None
    splitbrain: SplitBrain | None = None
    checks: tuple[Check, ...] = ()  # as written; the generated ones are in the daemon's settings
    fence: Fence | None = None
    vhost: tuple[VirtualHostName, ...] = ()
    macros: Mapping[str, str] = field(default_factory=dict)
    notices: tuple[Notice, ...] = ()
    lines: Mapping[str, int] = field(default_factory=dict)  # "dir /srv/a" -> line, for refusals

    @property
    def directories(self) -> tuple[str, ...]:
        """The replicated directories, in the order of the file."""
        return tuple(one.directory for one in self.rfs.replicated) if self.rfs else ()

    @property
    def flow_network(self) -> str | None:
        """Network of the data link: <flow>, else the heartbeat "flow", else the first one."""
        if self.rfs and self.rfs.flow_network:
            return self.rfs.flow_network
        beats = self.heart.heartbeats
        flow = (beat for beat in beats if beat.ident == REPLICATION_FLOW_IDENT)
        first = beats[0] if beats else None
        found = next(flow, first)
        return found.name if found else None

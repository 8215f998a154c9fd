"""From userconfig.xml, cluster.xml and paths to the settings of everything that runs a module.

Blocking (files, names to resolve): called in a thread. Decides nothing but what follows from what.
"""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, replace

from mirror.adapters.addresses import VirtualAddress
from mirror.adapters.checkers.generated import generated_checks
from mirror.adapters.heartbeats import HeartbeatSettings, Lan
from mirror.adapters.host_facts import resolve
from mirror.adapters.netlink_facts import read_network
from mirror.adapters.pki_files import PkiFiles, read_cluster_key
from mirror.adapters.tls import tls_context
from mirror.config.check_models import Check, ModuleCheck
from mirror.config.cluster import Cluster, check_against_cluster
from mirror.config.cluster import Lan as ClusterLan
from mirror.config.files import read_bytes
from mirror.config.layout import Layout, ports_of
from mirror.config.models import Heartbeat, ModuleConfig, Rfs
from mirror.config.module_ids import ModuleIds
from mirror.config.userconfig import load_userconfig
from mirror.core.rules import RuleSettings, WatchedResource, all_rules
from mirror.core.settings import Settings
from mirror.daemon.plane.settings import PlaneSettings
from mirror.errors import ModuleNotLoaded
from mirror.vocabulary.facts import WitnessKind
from mirror.vocabulary.said import say

WITNESS_KINDS = {"ping": WitnessKind.PING, "etcd": WitnessKind.ETCD}
LINK_IO_MS_MAX = 30_000
PULSES_PER_TIMEOUT = 5
LIGHT_TIMEOUT_MS = 5_000  # no peer to time out: how often a light module looks at the time


@dataclass(frozen=True, slots=True)
class ModuleSettings:
    """All settings of one module on one node."""

    name: str
    config: ModuleConfig
    core: Settings
    plane: PlaneSettings
    heart: HeartbeatSettings | None  # None: a light module
    addresses: tuple[VirtualAddress, ...]
    checks: tuple[Check, ...]
    check_tls: ssl.SSLContext | None  # of <module secure="on">


def build_settings(
    layout: Layout, cluster: Cluster, node: str, name: str, environment: Mapping[str, str]
) -> ModuleSettings:
    """Read the applied configuration of a module and build its settings.

    Raises: ConfigRefused (MIR-101), FileNotReadable, PkiRefused (MIR-320), ModuleNotLoaded
    (MIR-404): no id, no peer, a name that does not resolve.
    """
    file = layout.module(name).applied_userconfig
    config = load_userconfig(read_bytes(file), str(file), environment)
    check_against_cluster(config, cluster)
    light = config.service.mode == "light"
    peer = "" if light else cluster.peer_of(node)
    module_id = ModuleIds(layout).of(name)
    if peer is None or module_id is None:
        what = f"{node} is not one of two nodes of cluster.xml" if peer is None else "it has no id"
        raise ModuleNotLoaded(module=name, observed=what)
    ports = ports_of(module_id, config.heart.port)
    names = (name, node, peer)
    heart = None if light else _heart(layout, config, cluster, names, ports.heartbeat_udp)
    checks = (*config.checks, *generated_checks(config, read_network()))
    core = _core(config, (node, peer), heart, ports.data_tcp)
    plane = _plane(layout, config, names, ports.data_tcp)
    core = replace(core, peer_addresses=_data_addresses(name, config, cluster, peer))
    return ModuleSettings(
        name=name,
        config=config,
        core=_watched(core, config, checks),
        plane=replace(plane, pulse_ms=core.timeout_ms // PULSES_PER_TIMEOUT),
        heart=heart,
        addresses=_virtual(name, config),
        checks=checks,
        check_tls=_check_tls(layout, config),
    )


def _numeric(module: str, name: str) -> str:
    found = resolve(name)
    if not found:
        raise ModuleNotLoaded(module=module, observed=say("lan.no_address", name=name))
    return found[0]


def _lan_of(beat: Heartbeat, number: int, cluster: Cluster) -> ClusterLan:
    """The network of a heartbeat; SafeKit's old syntax names servers instead."""
    if beat.name is not None:
        lan = cluster.lan(beat.name)
        assert lan is not None, "checked against the cluster"
        return lan
    for lan in cluster.lans:
        if any(node.address in beat.servers for node in lan.nodes):
            return lan
    return cluster.lans[number % len(cluster.lans)]


def _lans(
    module: str, config: ModuleConfig, cluster: Cluster, nodes: tuple[str, str]
) -> tuple[Lan, ...]:
    found = {}
    for number, beat in enumerate(config.heart.heartbeats):
        lan = _lan_of(beat, number, cluster)
        mine, other = lan.node(nodes[0]), lan.node(nodes[1])
        if mine is None or other is None:
            raise ModuleNotLoaded(module=module, observed=say("lan.not_joined", lan=lan.name))
        found[lan.name] = Lan(
            name=lan.name,
            local_addr=_numeric(module, mine.local_address),
            peer_addr=_numeric(module, other.address),
            pulse_ms=beat.pulse_ms,
            timeout_ms=beat.timeout_ms,
        )
    return tuple(found.values())


def _data_addresses(
    module: str, config: ModuleConfig, cluster: Cluster, peer: str
) -> tuple[str, ...]:
    """Addresses of the peer's data link: its own network first, then the heartbeats' others."""
    beats = enumerate(config.heart.heartbeats)
    names = [config.flow_network, *(_lan_of(beat, at, cluster).name for at, beat in beats)]
    lans = [cluster.lan(name) for name in dict.fromkeys(names) if name]
    nodes = [lan.node(peer) for lan in lans if lan is not None]
    return tuple(_numeric(module, node.address) for node in nodes if node is not None)


def _heart(
    layout: Layout, config: ModuleConfig, cluster: Cluster, names: tuple[str, str, str], port: int
) -> HeartbeatSettings:
    name, node, peer = names
    return HeartbeatSettings(
        module=name,
        node=node,
        peer=peer,
        lans=_lans(name, config, cluster, (node, peer)),
        port=port,
        cluster_key=read_cluster_key(layout.pki),
    )


def _core(
    config: ModuleConfig, nodes: tuple[str, str], heart: HeartbeatSettings | None, port: int
) -> Settings:
    timeouts_ms = [lan.timeout_ms for lan in heart.lans] if heart is not None else []
    service, split, fence, rfs = config.service, config.splitbrain, config.fence, config.rfs
    return Settings(
        node=nodes[0],
        peer=nodes[1],
        timeout_ms=max(timeouts_ms, default=LIGHT_TIMEOUT_MS),
        light=heart is None,
        data_port=port,
        failover=service.failover,
        defaultprim=service.defaultprim,
        witness=WITNESS_KINDS[split.exec] if split else WitnessKind.NONE,
        maxloop=service.maxloop,
        loop_interval_ms=service.loop_interval_ms,
        automatic_reboot=service.automatic_reboot,
        fence=fence is not None,
        fence_delay_ms=fence.delay_ms if fence else 0,
        fence_timeout_ms=fence.timeout_ms if fence else 0,
        ask=rfs is not None and rfs.policy == "ask",
        syncdelta_ms=rfs.syncdelta_ms if rfs else 0,
        syncat=rfs is not None and rfs.syncat is not None,
        watch=rfs is not None and rfs.capture == "watch",
    )


def _watched(core: Settings, config: ModuleConfig, checks: tuple[Check, ...]) -> Settings:
    """Give the settings of the core with the checkers and the rules."""
    watched = tuple(WatchedResource(one.resource, one.when, one.action) for one in checks)
    failover = config.failover
    rules = RuleSettings(
        rules=all_rules(failover.rules, watched, extends=failover.extends),
        period_ms=failover.period_ms,
        handle_time_ms=failover.handle_time_ms,
        pre=frozenset(one.resource for one in watched if one.when == "pre"),
    )
    return replace(core, rules=rules, checkers=watched)


def _plane(
    layout: Layout, config: ModuleConfig, names: tuple[str, str, str], port: int
) -> PlaneSettings:
    module, node, peer = names
    paths, pki, rfs = layout.module(module), PkiFiles(layout.pki), config.rfs
    return PlaneSettings(
        module=module,
        node=node,
        peer=peer,
        socket=str(paths.data_socket),
        directories=config.directories,
        lower_prefix=str(layout.run / f"{module}.lower."),
        index_directory=str(paths.index),
        listen_port=port,
        ca=str(pki.ca_certificate),
        certificate=str(pki.node_certificate),
        key=str(pki.node_key),
        writeback=rfs is not None and rfs.barrier == "fsync",
        sync_both=rfs is not None and rfs.acknowledge == "none",
        watch=rfs is not None and rfs.capture == "watch",
        reintegration_threads=rfs.nbrei if rfs else 1,
        reintegration_bytes_s=(rfs.reiallowedbw_bytes_s or 0) if rfs else 0,
        io_timeout_ms=_stall_ms(rfs) if rfs else LINK_IO_MS_MAX,
        to_check=tuple(one.to_check for one in rfs.replicated) if rfs else (),
        rules=tuple(one.rules for one in rfs.replicated) if rfs else (),
    )


def _check_tls(layout: Layout, config: ModuleConfig) -> ssl.SSLContext | None:
    secure = any(isinstance(one, ModuleCheck) and one.secure for one in config.checks)
    return tls_context(layout.pki, server_side=False) if secure else None


def _stall_ms(rfs: Rfs) -> int:
    """How long a secondary that is slow or hangs may stall the application (design 7.11).

    SafeKit has a time for each of its stages; here a request and its answer are one.
    """
    return min(rfs.iotimeout_ms, rfs.locktimeout_ms, rfs.sendtimeout_ms, LINK_IO_MS_MAX)


def _virtual(module: str, config: ModuleConfig) -> tuple[VirtualAddress, ...]:
    vip = config.vip
    if vip is None:
        return ()
    return tuple(
        VirtualAddress(
            address=_numeric(module, one.addr),
            interface=interface.name or "",
            prefix_length=one.prefix_length,
            tcp_reset=vip.tcpreset,
            is_source=one.where == "one_side",
            counts=one.connections,
            announce_every_ms=interface.arpinterval_ms if interface.arpreroute else 0,
            announce_for_ms=interface.arpelapse_ms if interface.arpreroute else 0,
        )
        for interface in vip.interfaces
        for one in interface.addresses
    )

"""From userconfig.xml, cluster.xml and paths to the settings of everything that runs a module.

Blocking (files, names to resolve): called in a thread. Decides nothing but what follows from what.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from mirror.adapters.addresses import VirtualAddress
from mirror.adapters.heartbeats import HeartbeatSettings, Lan
from mirror.adapters.host_facts import resolve
from mirror.adapters.pki_files import PkiFiles, read_cluster_key
from mirror.config.cluster import Cluster, check_against_cluster
from mirror.config.cluster import Lan as ClusterLan
from mirror.config.files import read_bytes
from mirror.config.layout import Layout, ports_of
from mirror.config.models import Heartbeat, ModuleConfig
from mirror.config.module_ids import ModuleIds
from mirror.config.userconfig import load_userconfig
from mirror.core.settings import Settings
from mirror.daemon.plane.settings import PlaneSettings
from mirror.errors import ModuleNotLoaded
from mirror.vocabulary.facts import WitnessKind

WITNESS_KINDS = {"ping": WitnessKind.PING, "etcd": WitnessKind.ETCD}
LINK_IO_MS_MAX = 30_000


@dataclass(frozen=True, slots=True)
class ModuleSettings:
    """All settings of one module on one node."""

    name: str
    config: ModuleConfig
    core: Settings
    plane: PlaneSettings
    heart: HeartbeatSettings
    addresses: tuple[VirtualAddress, ...]


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
    peer = cluster.peer_of(node)
    module_id = ModuleIds(layout).of(name)
    if peer is None or module_id is None:
        what = "it has no id" if peer else f"{node} is not one of two nodes of cluster.xml"
        raise ModuleNotLoaded(module=name, observed=what)
    ports = ports_of(module_id)
    heart = HeartbeatSettings(
        module=name,
        node=node,
        peer=peer,
        lans=_lans(name, config, cluster, (node, peer)),
        port=config.heart.port or ports.heartbeat_udp,
        cluster_key=read_cluster_key(layout.pki),
    )
    return ModuleSettings(
        name=name,
        config=config,
        core=_core(config, heart, _data_addresses(name, config, cluster, peer), ports.data_tcp),
        plane=_plane(layout, config, heart, ports.data_tcp),
        heart=heart,
        addresses=_virtual(name, config),
    )


def _numeric(module: str, name: str) -> str:
    found = resolve(name)
    if not found:
        raise ModuleNotLoaded(module=module, observed=f"no address is known for {name}")
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
            raise ModuleNotLoaded(
                module=module, observed=f'network "{lan.name}" does not join both nodes'
            )
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


def _core(
    config: ModuleConfig, heart: HeartbeatSettings, peer_addresses: tuple[str, ...], port: int
) -> Settings:
    service, split = config.service, config.splitbrain
    return Settings(
        node=heart.node,
        peer=heart.peer,
        timeout_ms=max(lan.timeout_ms for lan in heart.lans),
        peer_addresses=peer_addresses,
        data_port=port,
        failover=service.failover,
        defaultprim=service.defaultprim,
        witness=WITNESS_KINDS[split.exec] if split else WitnessKind.NONE,
        maxloop=service.maxloop,
        loop_interval_ms=service.loop_interval_ms,
        automatic_reboot=service.automatic_reboot,
    )


def _plane(
    layout: Layout, config: ModuleConfig, heart: HeartbeatSettings, port: int
) -> PlaneSettings:
    paths, pki, rfs = layout.module(heart.module), PkiFiles(layout.pki), config.rfs
    return PlaneSettings(
        module=heart.module,
        node=heart.node,
        peer=heart.peer,
        socket=str(paths.data_socket),
        directories=config.directories,
        lower_prefix=str(layout.run / f"{heart.module}.lower."),
        index_directory=str(paths.index),
        listen_port=port,
        ca=str(pki.ca_certificate),
        certificate=str(pki.node_certificate),
        key=str(pki.node_key),
        writeback=rfs is not None and rfs.barrier == "fsync",
        sync_both=rfs is not None and rfs.acknowledge == "none",
        reintegration_threads=rfs.nbrei if rfs else 1,
        reintegration_bytes_s=(rfs.reiallowedbw_bytes_s or 0) if rfs else 0,
        # Design 7.11: a secondary that hangs stalls the application for this long, no longer.
        io_timeout_ms=min(rfs.iotimeout_ms, LINK_IO_MS_MAX) if rfs else LINK_IO_MS_MAX,
    )


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
            announce_every_ms=interface.arpinterval_ms if interface.arpreroute else 0,
            announce_for_ms=interface.arpelapse_ms if interface.arpreroute else 0,
        )
        for interface in vip.interfaces
        for one in interface.addresses
    )

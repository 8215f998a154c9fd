"""cluster.xml -> Cluster: the networks and the nodes that all modules share.

Pure. Addresses may be names; they are resolved where they are used, not here.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from mirror.config.collector import Collector, Notice, listed, nearest
from mirror.config.grammar import Attribute, Element, grammar
from mirror.config.kinds import Address, Duration, Ident, Number, Switch
from mirror.config.layout import CLUSTER_UDP_PORT
from mirror.config.macros import Macros
from mirror.config.models import ModuleConfig
from mirror.config.reader import Checked, Reader
from mirror.config.xml_text import parse_xml
from mirror.vocabulary.said import say

A = Attribute
MIRROR_NODES = 2
LEGACY = say("idle.consoles")

# fmt: off
CLUSTER = grammar("cluster", (
    Element("cluster", children=("lans",), one_of=("lans",)),
    Element("lans", (
        A("port",        Number(1, 65_535),  str(CLUSTER_UDP_PORT)),
        A("pulse",       Duration("ms", 10), "100"),
        A("mlost_count", Number(1, 1_000),   "20"),
        A("slost_count", Number(1, 1_000),   "10"),
    ), repeated=("lan",), one_of=("lan",)),
    Element("lan", (
        A("name",    Ident(),  required=True),
        A("command", Switch(), "off"),
    ), repeated=("node",), one_of=("node",)),
    Element("node", (
        A("name",  Ident(),   required=True),
        A("addr",  Address(), required=True),
        A("laddr", Address()),
    )),
), ignored={"console": LEGACY, "framework": LEGACY, "connect": LEGACY})
# fmt: on


@dataclass(frozen=True, slots=True)
class LanNode:
    """<node>: where a node is on one network. local_address differs behind address translation."""

    name: str
    address: str
    local_address: str


@dataclass(frozen=True, slots=True)
class Lan:
    """<lan>: one network. command: commands to all nodes travel on it."""

    name: str
    command: bool
    nodes: tuple[LanNode, ...]

    def node(self, name: str) -> LanNode | None:
        """The node of this name on this network, or None."""
        return next((node for node in self.nodes if node.name == name), None)


@dataclass(frozen=True, slots=True)
class Cluster:
    """A whole cluster.xml. Counts are pulses without news before a node counts as lost."""

    port: int
    pulse_ms: int
    leader_lost_pulses: int
    follower_lost_pulses: int
    lans: tuple[Lan, ...]
    notices: tuple[Notice, ...] = ()

    @property
    def node_names(self) -> tuple[str, ...]:
        """All nodes, in the order of the file."""
        return tuple(dict.fromkeys(node.name for lan in self.lans for node in lan.nodes))

    @property
    def command_lan(self) -> Lan:
        """Network for commands: the one that says so, else the first."""
        return next((lan for lan in self.lans if lan.command), self.lans[0])

    def lan(self, name: str) -> Lan | None:
        """The network of this name, or None."""
        return next((lan for lan in self.lans if lan.name == name), None)

    def peer_of(self, name: str) -> str | None:
        """The other node of a cluster of two; None in any other cluster or for a stranger."""
        names = self.node_names
        if len(names) != MIRROR_NODES or name not in names:
            return None
        return names[1] if names[0] == name else names[0]


def load_cluster(text: bytes, file: str, environment: Mapping[str, str] | None = None) -> Cluster:
    """Read and check one file. Raises: ConfigRefused (MIR-101) with everything that is wrong."""
    collector = Collector(file)
    document = parse_xml(text, collector)
    collector.raise_if_refused()
    assert document is not None
    root = Reader(CLUSTER, document, collector, Macros(environment or {})).read()
    collector.raise_if_refused()
    assert root is not None
    lans = root.one("lans")
    assert lans is not None
    _check(lans, collector)
    collector.raise_if_refused()
    return Cluster(
        port=lans.values["port"],
        pulse_ms=lans.values["pulse"],
        leader_lost_pulses=lans.values["mlost_count"],
        follower_lost_pulses=lans.values["slost_count"],
        lans=tuple(_lan(lan) for lan in lans.all("lan")),
        notices=tuple(collector.notices),
    )


def addresses_of(cluster: Cluster, name: str) -> list[str]:
    """All addresses of a node, for its certificate."""
    found = [node for lan in cluster.lans if (node := lan.node(name)) is not None]
    return list(
        dict.fromkeys([*(one.address for one in found), *(one.local_address for one in found)])
    )


def check_against_cluster(config: ModuleConfig, cluster: Cluster) -> None:
    """Check what a module says of networks and nodes.

    Raises: ConfigRefused (MIR-101): an unknown network or node, or not exactly two nodes.
    """
    if config.service.mode == "light":
        return  # it runs on one node, whatever others there are
    collector = Collector(config.file)
    names = cluster.node_names
    if len(names) != MIRROR_NODES:
        collector.refuse(
            0,
            say("cluster.nodes", count=len(names), nodes=listed(names)),
        )
    networks = [lan.name for lan in cluster.lans]
    wanted = [beat.name for beat in config.heart.heartbeats if beat.name]
    if config.rfs and config.rfs.flow_network:
        wanted.append(config.rfs.flow_network)
    for name in wanted:
        lan = cluster.lan(name)
        line = config.lines.get(f"network {name}", 0)
        if lan is None:
            collector.refuse(
                line,
                say(
                    "cluster.network",
                    name=name,
                    nearest=nearest(name, networks),
                    allowed=listed(networks),
                ),
            )
        elif len(names) == MIRROR_NODES and len(lan.nodes) != MIRROR_NODES:
            collector.refuse(
                line,
                say(
                    "cluster.network_of_one",
                    name=name,
                    nodes=listed(node.name for node in lan.nodes),
                ),
            )
    prim = config.service.defaultprim
    if prim not in ("alone", "lastprim", *names):
        known = ("alone", "lastprim", *names)
        collector.refuse(
            0,
            say(
                "cluster.defaultprim",
                name=prim,
                nearest=nearest(prim, known),
                allowed=listed(known),
            ),
        )
    collector.raise_if_refused()


def _lan(element: Checked) -> Lan:
    return Lan(
        name=element.values["name"],
        command=element.values["command"],
        nodes=tuple(
            LanNode(
                name=node.values["name"],
                address=node.values["addr"],
                local_address=node.values["laddr"] or node.values["addr"],
            )
            for node in element.all("node")
        ),
    )


def _check(lans: Checked, collector: Collector) -> None:
    _refuse_twice(lans.all("lan"), "name", collector)
    every_node = {node.values["name"] for lan in lans.all("lan") for node in lan.all("node")}
    for lan in lans.all("lan"):
        _refuse_twice(lan.all("node"), "name", collector)
        _refuse_twice(lan.all("node"), "addr", collector)
    commands = [lan for lan in lans.all("lan") if lan.values["command"]]
    for extra in commands[1:]:
        collector.refuse(
            extra.line_of("command"),
            say("cluster.commands"),
        )
    carrier = (commands or list(lans.all("lan")))[0]
    missing = every_node - {node.values["name"] for node in carrier.all("node")}
    if missing:
        collector.refuse(
            carrier.line,
            say("cluster.carrier", name=carrier.values["name"], nodes=listed(missing)),
        )


def _refuse_twice(elements: tuple[Checked, ...], attribute: str, collector: Collector) -> None:
    first_line: dict[str, int] = {}
    for element in elements:
        value = element.values[attribute]
        if value in first_line:
            collector.refuse(
                element.line_of(attribute),
                say(
                    "config.again",
                    element=element.name,
                    name=attribute,
                    value=value,
                    line=first_line[value],
                ),
            )
        first_line.setdefault(value, element.line_of(attribute))

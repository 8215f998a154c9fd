"""cluster.xml, and what a module may say of it."""

from pathlib import Path

import pytest

from mirror.config.cluster import LanNode, check_against_cluster, load_cluster
from mirror.config.userconfig import load_userconfig
from mirror.errors import ConfigRefused

GOLDEN = Path(__file__).parents[2] / "golden" / "config"
NODES = '<node name="n1" addr="10.0.0.1"/>\n<node name="n2" addr="10.0.0.2"/>'


def cluster_text(*lans: str) -> bytes:
    return ("<cluster><lans>\n" + "\n".join(lans) + "\n</lans></cluster>").encode()


def lan(name: str, nodes: str = NODES, attributes: str = "") -> str:
    return f'<lan name="{name}" {attributes}>\n{nodes}\n</lan>'


def module(network: str = "lan1", service: str = "", inside: str = "") -> bytes:
    return (
        f'<safe>\n<service mode="mirror" {service}>\n<heart><heartbeat name="{network}"/></heart>'
        f"\n{inside}</service></safe>"
    ).encode()


def sentences(error: ConfigRefused) -> list[tuple[int, str]]:
    return [(refusal.line, refusal.sentence) for refusal in error.refusals]


def test_a_cluster_of_two_networks_with_defaults() -> None:
    cluster = load_cluster((GOLDEN / "cluster_two_networks.xml").read_bytes(), "cluster.xml")
    assert (cluster.port, cluster.pulse_ms) == (4800, 100)
    assert (cluster.leader_lost_pulses, cluster.follower_lost_pulses) == (20, 10)
    assert cluster.node_names == ("n1", "n2")
    assert cluster.command_lan.name == "net2"
    assert (cluster.peer_of("n1"), cluster.peer_of("n2"), cluster.peer_of("n3")) == (
        "n2",
        "n1",
        None,
    )
    default, net2 = cluster.lan("default"), cluster.lan("net2")
    assert default is not None
    assert net2 is not None
    assert default.node("n2") == LanNode("n2", "192.168.1.11", local_address="10.0.0.11")
    assert [node.address for node in net2.nodes] == ["fd00::1", "fd00::2"]
    assert cluster.lan("none") is None
    assert default.node("none") is None
    assert "older consoles" in cluster.notices[0].sentence


@pytest.mark.parametrize(
    ("text", "line", "word"),
    [
        (b"<cluster/>", 1, "no <lans>"),
        (cluster_text(), 1, "no <lan>"),
        (cluster_text(lan("a", "")), 2, "no <node>"),
        (cluster_text(lan("a"), lan("a")), 6, '"a" stands already in line 2'),
        (cluster_text(lan("a", NODES + NODES)), 4, "stands already"),
        (cluster_text(lan("a", '<node name="n1" addr=""/>')), 3, '"addr": empty'),
        (cluster_text(lan("a", '<node nam="n1" addr="b"/>')), 3, '"name"?'),
        (cluster_text(lan("a", attributes='command="yes"')), 2, "on or off"),
        (
            cluster_text(lan("a", attributes='command="on"'), lan("b", attributes='command="on"')),
            6,
            "twice",
        ),
        (cluster_text(lan("a", '<node name="n1" addr="10.0.0.1"/>'), lan("b")), 2, "lacks n2"),
    ],
)
def test_refused(text: bytes, line: int, word: str) -> None:
    with pytest.raises(ConfigRefused) as caught:
        load_cluster(text, "cluster.xml")
    assert any(at == line and word in said for at, said in sentences(caught.value)), caught.value


TWO = load_cluster(cluster_text(lan("lan1"), lan("lan2")), "cluster.xml")
HALF = load_cluster(
    cluster_text(lan("lan1"), lan("lan2", '<node name="n1" addr="10.1.0.1"/>')), "cluster.xml"
)
THREE = load_cluster(
    cluster_text(lan("lan1", NODES + '<node name="n3" addr="10.0.0.3"/>')), "cluster.xml"
)


def test_a_module_that_fits_its_cluster() -> None:
    for service in ("", 'defaultprim="n2"', 'defaultprim="lastprim"'):
        check_against_cluster(load_userconfig(module(service=service), "f", {}), TWO)


@pytest.mark.parametrize(
    ("text", "cluster", "line", "word"),
    [
        (module("lan3"), TWO, 3, 'no network "lan3" in cluster.xml; did you mean'),
        (module("lan2"), HALF, 3, "does not join both nodes"),
        (module(), THREE, 0, "needs a cluster of 2 nodes; cluster.xml has 3"),
        (module(service='defaultprim="n3"'), TWO, 0, '"n3" is no node'),
        (
            module(inside='<rfs><flow name="lan9"/><replicated dir="/a"/></rfs>'),
            TWO,
            0,
            'no network "lan9"',
        ),
    ],
)
def test_a_module_that_does_not_fit(text: bytes, cluster: object, line: int, word: str) -> None:
    with pytest.raises(ConfigRefused) as caught:
        check_against_cluster(load_userconfig(text, "f", {}), cluster)  # type: ignore[arg-type]
    assert any(at == line and word in said for at, said in sentences(caught.value)), caught.value

"""A light module: one node, scripts and checkers, and nothing that takes two."""

import pytest

from mirror.config.cluster import check_against_cluster, load_cluster
from mirror.config.userconfig import load_userconfig
from mirror.errors import ConfigRefused

ONE_NODE = b'<cluster><lans><lan name="a"><node name="n1" addr="10.0.0.1"/></lan></lans></cluster>'


def light(inside: str) -> bytes:
    return f'<safe><service mode="light">\n{inside}\n<user/></service></safe>'.encode()


def test_it_needs_neither_heart_nor_a_second_node() -> None:
    text = light('<errd><proc name="app" class="prim"/></errd>')
    config = load_userconfig(text, "f", {})
    assert config.service.mode == "light"
    assert config.heart.heartbeats == ()
    assert config.flow_network is None
    assert config.directories == ()
    check_against_cluster(config, load_cluster(ONE_NODE, "cluster.xml"))


@pytest.mark.parametrize(
    "inside",
    [
        '<heart><heartbeat name="a"/></heart>',
        '<rfs><replicated dir="/srv/a"/></rfs>',
        '<check><splitbrain ident="w" arg="10.0.0.9"/></check>',
    ],
)
def test_what_takes_two_nodes_is_refused(inside: str) -> None:
    with pytest.raises(ConfigRefused) as caught:
        load_userconfig(light(inside), "f", {})
    (refusal,) = caught.value.refusals
    assert refusal.line == 2
    assert "has no place in a light module" in refusal.sentence

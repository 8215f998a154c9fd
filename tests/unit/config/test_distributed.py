"""`-H HOSTS COMMAND`: which nodes, and what may travel."""

import pytest

from mirror.config.cluster import load_cluster
from mirror.config.distributed import refusal_of, targets

CLUSTER = load_cluster(
    b"""<cluster><lans>
<lan name="a"><node name="n1" addr="10.0.0.1"/><node name="n2" addr="10.0.0.2"/></lan>
<lan name="b" command="on"><node name="n1" addr="10.1.0.1"/><node name="n2" addr="fd00::2"/></lan>
</lans></cluster>""",
    "cluster.xml",
    {},
)


def found(hosts: str) -> list[tuple[str, tuple[str, ...], int, bool]]:
    return [
        (one.label, one.addresses, one.port, one.here) for one in targets(hosts, CLUSTER, "n1")
    ]


N1 = ("n1", ("10.1.0.1", "10.0.0.1"), 9453, True)
N2 = ("n2", ("fd00::2", "10.0.0.2"), 9453, False)


@pytest.mark.parametrize(
    ("hosts", "wanted"),
    [
        ("*", [N1, N2]),
        ("n2,n1", [N2, N1]),
        (" n2 , n2", [N2]),
        ("[https:9999],n2", [("n2", ("fd00::2", "10.0.0.2"), 9999, False)]),
        ("[https],n2", [N2]),
        ("https://10.0.0.2:9453", [("n2", ("10.0.0.2",), 9453, False)]),
        ("https://[fd00::2]:9453/", [("n2", ("fd00::2",), 9453, False)]),
        ("10.0.0.1", [("n1", ("10.0.0.1",), 9453, True)]),
    ],
)
def test_the_nodes_meant(hosts: str, wanted: list[object]) -> None:
    assert found(hosts) == wanted


@pytest.mark.parametrize(
    ("hosts", "said"),
    [
        ("", "no node name"),
        ("[https:9453]", "no node named"),
        ("n3", "no node of cluster.xml"),
        ("http://10.0.0.2:9010", "https only"),
        ("[http:9010],n1", "https only"),
        ("https://10.0.0.2:99999", "no node of cluster.xml"),
    ],
)
def test_hosts_that_are_none(hosts: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        found(hosts)


@pytest.mark.parametrize(
    "words", [("state", "-m", "a"), ("-m", "a", "stop"), ("cluster", "state"), ("errd", "off")]
)
def test_what_travels(words: tuple[str, ...]) -> None:
    # An option's value before the verb would be taken for the verb: it is refused, not guessed.
    expected = "" if words[0] != "-m" else "a is for one node only"
    assert refusal_of(words).startswith(expected)


@pytest.mark.parametrize("words", [(), ("node",), ("lab", "up"), ("cluster", "join"), ("kill",)])
def test_what_stays(words: tuple[str, ...]) -> None:
    assert "for one node only" in refusal_of(words)

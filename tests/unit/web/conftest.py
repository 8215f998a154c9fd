"""Nodes with a running console; each test module shares them, because a console takes a second."""

import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from mirror.adapters.console.roles import Role
from tests.free_port import free_port

from .world import PRIM, Browser, ControlPlane, Node, join


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """A node in no cluster, with three users."""
    made = Node(tmp_path_factory.mktemp("node")).make().start()
    yield made
    assert made.stop() == 0
    assert "Traceback" not in made.log, made.log


@pytest.fixture
def control_plane(node: Node) -> Iterator[ControlPlane]:
    """Its control plane."""
    plane = ControlPlane(node.layout.control_socket)
    yield plane
    plane.close()


@pytest.fixture
def admin(node: Node) -> Browser:
    return node.browser(Role.ADMIN)


@pytest.fixture
def operator(node: Node) -> Browser:
    return node.browser(Role.CONTROL)


@pytest.fixture
def monitor(node: Node) -> Browser:
    return node.browser(Role.MONITOR)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A directory to replicate."""
    path = tmp_path / "data"
    path.mkdir()
    return path


@dataclass
class Pair:
    """Two nodes of one cluster, each with its control plane."""

    n1: Node
    n2: Node
    plane1: ControlPlane
    plane2: ControlPlane


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """Two nodes of one cluster, on two addresses of this host."""
    root = tmp_path_factory.mktemp("pair")
    n1, n2 = Node(root / "n1", "n1"), Node(root / "n2", "n2", https_address="127.0.0.2")
    for one in (n1, n2):
        one.make()
    join(n1, n2)
    planes = [ControlPlane(one.layout.control_socket) for one in (n1, n2)]
    for plane, own, other in ((planes[0], "n1", "n2"), (planes[1], "n2", "n1")):
        is_first = own == "n1"
        plane.states["web"] = PRIM | {
            "state": "PRIM" if is_first else "SECOND",
            "local": {"node": own},
            "remote": {"node": other, "state": "SECOND" if is_first else "PRIM", "ready": "Ready"},
        }
    port = free_port()
    https = [socket.create_server((address, port)) for address in ("127.0.0.1", "127.0.0.2")]
    n1.start(https[0])
    n2.start(https[1])
    yield Pair(n1, n2, *planes)
    for one in (n1, n2):
        if one.process is not None:
            assert one.stop() == 0
        assert "Traceback" not in one.log, one.log
    for plane in planes:
        plane.close()

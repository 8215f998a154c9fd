"""Certificates renewed without an interruption, cluster.xml locked, users that give way."""

import socket
import ssl
import threading
import time
from pathlib import Path

import pytest

from mirror.adapters.certificates import certificate_facts
from mirror.adapters.console.database import Database
from mirror.adapters.console.roles import Role
from mirror.adapters.console.users import Users
from mirror.adapters.pki import Renewal, create_cluster, issue_node, sign_request
from mirror.config.cluster import load_cluster
from mirror.daemon.plane.link_tls import LinkTls
from mirror.daemon.plane.settings import PlaneSettings
from mirror.errors import PkiRefused

from .conftest import Pair
from .world import CLUSTER, START_S, Browser, Node

THERE = "/api/v1/nodes/n2"


@pytest.fixture
def admin(pair: Pair) -> Browser:
    return pair.n1.browser(Role.ADMIN)


def serial_shown(node: Node) -> str:
    """Serial of the certificate that the node shows now."""
    context = ssl.create_default_context(cafile=str(node.layout.certificate_authority))
    address = (node.https_address, node.https_port)
    with (
        socket.create_connection(address, START_S) as raw,
        context.wrap_socket(raw, server_hostname=node.https_address) as connection,
    ):
        certificate = connection.getpeercert()
    assert certificate is not None
    return str(certificate["serialNumber"]).lower().lstrip("0")


def test_a_certificate_is_renewed_and_nobody_is_turned_away(pair: Pair, admin: Browser) -> None:
    """n2 has no authority's key: n1 signs. Connections come all the time meanwhile."""
    before, failures, count = serial_shown(pair.n2), [], 0
    ended = threading.Event()

    def knock() -> None:
        nonlocal count
        while not ended.is_set():
            try:
                serial_shown(pair.n2)
                count += 1
            except OSError as error:
                failures.append(error)

    knocking = threading.Thread(target=knock)
    knocking.start()
    try:
        renewed = admin.post(f"{THERE}/cluster/certificate")
        assert renewed.status_code == 200, renewed.text
        assert renewed.json() == {"node": "n2", "signed_by": "n1"}
        on_disk = certificate_facts(pair.n2.layout.node_certificate).serial
        assert on_disk != before
        end = time.monotonic() + START_S
        while serial_shown(pair.n2) != on_disk or count <= 5:
            assert time.monotonic() < end, (count, failures)
    finally:
        ended.set()
        knocking.join()
    assert failures == []
    assert admin.json(f"{THERE}/node")["node"] == "n2", "both believe each other as before"
    here = admin.post("/api/v1/cluster/certificate").json()
    assert here == {"node": "n1", "signed_by": "n1"}
    shown = admin.json("/api/v1/cluster")["certificates"]
    assert {(one["node"], one["what"]) for one in shown} == {
        ("n1", "authority"),
        ("n1", "node"),
        ("n2", "authority"),
        ("n2", "node"),
    }
    assert all(one["days_left"] is None for one in shown), "they never end by themselves"


def test_nobody_but_a_node_has_certificates_signed(pair: Pair, admin: Browser) -> None:
    answer = admin.post("/api/v1/peer/certificate", request="x")
    assert (answer.status_code, answer.json()["code"]) == (403, "MIR-802")


def test_only_a_key_is_signed_and_only_ours_is_installed(tmp_path: Path) -> None:
    create_cluster(tmp_path)
    issue_node(tmp_path, "n1", ["10.0.0.1"], tmp_path)
    before = (tmp_path / "node.key").read_bytes()
    with pytest.raises(PkiRefused, match="no request of a node"):
        sign_request(tmp_path, "n1", [], b"nonsense")
    renewal = Renewal(tmp_path, "n1")
    another = sign_request(tmp_path, "n1", [], Renewal(tmp_path, "n1").request)
    with pytest.raises(PkiRefused, match="for the new key"):
        renewal.install(another)
    assert (tmp_path / "node.key").read_bytes() == before
    renewal.install(sign_request(tmp_path, "n1", ["10.0.0.1"], renewal.request))
    assert (tmp_path / "node.key").read_bytes() != before


def test_the_link_takes_up_what_fits_together(tmp_path: Path) -> None:
    create_cluster(tmp_path)
    files = issue_node(tmp_path, "n1", ["10.0.0.1"], tmp_path)
    settings = PlaneSettings.__new__(PlaneSettings)
    for name, path in (
        ("ca", files.ca_certificate),
        ("certificate", files.node_certificate),
        ("key", files.node_key),
    ):
        object.__setattr__(settings, name, str(path))
    link = LinkTls(settings)
    first = link.now()
    assert link.now() is first
    old_key = files.node_key.read_bytes()
    issue_node(tmp_path, "n1", ["10.0.0.1"], tmp_path)
    new_key = files.node_key.read_bytes()
    files.node_key.write_bytes(old_key)
    assert link.now() is first, "key and certificate do not belong together yet"
    files.node_key.write_bytes(new_key)
    assert link.now() is not first


def test_one_person_edits_cluster_xml_at_a_time(pair: Pair, admin: Browser) -> None:
    other = pair.n2.browser(Role.ADMIN)
    taken = admin.post("/api/v1/cluster/lock").json()
    assert other.json("/api/v1/cluster")["editing"]["name"] == "admin"
    refused = other.post("/api/v1/cluster/lock")
    assert (refused.status_code, refused.json()["code"]) == (409, "MIR-822")
    assert "admin at node n1" in refused.json()["detail"]
    assert other.put("/api/v1/cluster/config", xml=CLUSTER).status_code == 409
    again = admin.post("/api/v1/cluster/lock", key=taken["key"])
    assert (again.status_code, again.json()["key"]) == (200, taken["key"])
    saved = admin.put("/api/v1/cluster/config", xml=CLUSTER, nodes=["n1", "n2"], key=taken["key"])
    assert saved.json()["done"] is True, saved.text
    assert admin.post("/api/v1/cluster/unlock", key=taken["key"]).status_code == 204
    assert other.json("/api/v1/cluster")["editing"] is None
    key = other.post("/api/v1/cluster/lock").json()["key"]
    other.post("/api/v1/cluster/unlock", key=key)


def test_every_command_line_is_reached_through_the_api(pair: Pair, admin: Browser) -> None:
    answer = admin.post(f"{THERE}/command-line", arguments=["--json", "cluster", "confinfo"])
    done = answer.json()
    assert (done["exit_code"], '"this_node": "n2"' in done["output"]) == (0, True)
    refused = admin.post("/api/v1/command-line", arguments=["console", "users"])
    assert refused.status_code == 422, "what gives rights has routes of its own"
    monitor = pair.n1.browser(Role.MONITOR)
    assert monitor.post("/api/v1/command-line", arguments=["state"]).status_code == 403


def test_the_users_of_a_node_that_joins_give_way(tmp_path: Path) -> None:
    with Database(tmp_path / "n1") as one, Database(tmp_path / "n2") as two:
        cluster, joining = Users(one), Users(two)
        cluster.put("admin", Role.ADMIN, "walnut teapot harbour")
        joining.put("admin", Role.ADMIN, "another teapot harbour")
        joining.give_way()
        cluster.merge(joining.export())
        joining.merge(cluster.export())
        assert joining.verify("admin", "walnut teapot harbour") is not None
        assert cluster.verify("admin", "walnut teapot harbour") is not None


def test_a_refused_first_cluster_names_no_file_of_ours(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    node = Node(tmp_path_factory.mktemp("bare")).make().start()
    try:
        answer = node.browser(Role.ADMIN).post("/api/v1/cluster/init", node="n1", xml="<cluster/>")
        assert answer.status_code == 422
        assert "/tmp" not in answer.text
        assert answer.json()["errors"][0]["file"] == "cluster.xml"
    finally:
        assert node.stop() == 0
    assert load_cluster(CLUSTER.encode(), "x").node_names == ("n1", "n2")

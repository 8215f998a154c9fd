"""Two consoles of one cluster: one serves for both, and goes on without the other."""

import ssl
import time
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from mirror.adapters.console.roles import Role
from mirror.adapters.pki import issue_node
from mirror.adapters.tls import tls_context
from mirror.config.module_store import ModuleStore
from mirror.errors import ModuleUnknown

from .conftest import Pair
from .world import CLUSTER, PASSWORDS, SOON_S_MAX, START_S, Browser, Node, events, until


def there(path: str) -> str:
    return f"/api/v1/nodes/n2/{path}"


@pytest.fixture
def admin(pair: Pair) -> Browser:
    return pair.n1.browser(Role.ADMIN)


def https(node: Node, **more: object) -> httpx.Client:
    """A browser of another host, which trusts the cluster's authority and has no certificate."""
    context = ssl.create_default_context(cafile=str(node.layout.certificate_authority))
    base = f"https://{node.https_address}:{node.https_port}"
    return httpx.Client(base_url=base, verify=context, timeout=60, **more)  # type: ignore[arg-type]


def test_the_other_node_is_seen_through_this_one(pair: Pair, admin: Browser) -> None:
    assert admin.json("/api/v1/modules/web/state")["state"] == "PRIM"
    assert admin.json(there("modules/web/state"))["state"] == "SECOND"
    assert admin.json("/api/v1/nodes/n1/node")["node"] == "n1"
    assert admin.json("/api/v1/nodes/this/node")["node"] == "n1"
    assert admin.json(there("node"))["node"] == "n2"


def test_a_command_there_has_the_name_of_who_gave_it_here(pair: Pair, admin: Browser) -> None:
    pair.plane2.commands()
    assert admin.post(there("modules/web/commands"), verb="stop").status_code == 200
    (asked,) = pair.plane2.commands()
    assert asked["asked_by"] == "admin@node n1"
    here = admin.json("/api/v1/audit")["entries"][0]
    assert (here["what"], here["name"], here["origin"]) == (
        "command to a module on n2",
        "admin",
        "127.0.0.1",
    )
    elsewhere = admin.json(there("audit"))["entries"][0]
    assert (elsewhere["what"], elsewhere["name"], elsewhere["origin"], elsewhere["via"]) == (
        "command to a module",
        "admin",
        "node n1",
        "peer",
    )


def test_rights_are_the_same_there(pair: Pair) -> None:
    monitor = pair.n1.browser(Role.MONITOR)
    assert monitor.get(there("state")).status_code == 200
    assert monitor.post(there("modules/web/commands"), verb="stop").status_code == 403
    assert pair.n1.browser().get(there("state")).status_code == 401


def test_what_is_public_or_for_nodes_is_not_reached_through_a_node(
    pair: Pair, admin: Browser
) -> None:
    assert admin.get(there("peer/users")).status_code == 404
    assert admin.post(there("session"), name="admin", password="x").status_code == 404
    assert admin.get("/api/v1/nodes/n3/state").status_code == 404
    assert admin.get(there("no/such/path")).status_code == 404


def test_no_step_back_in_a_path_reaches_what_is_for_nodes(pair: Pair) -> None:
    """What sends it on resolves `..`: the other node would give hashes and secrets to this one."""
    bearer = f"Bearer {pair.n1.token(Role.ADMIN)}"
    for hidden in ("users", "sign-in"):
        path = there(f"modules/web/files/x/../../../../peer/{hidden}")
        assert pair.n1.status_of("GET", path, authorization=bearer) == 404


def test_problems_of_the_other_node_come_as_they_are(pair: Pair, admin: Browser) -> None:
    pair.plane2.answers["resources"] = ModuleUnknown(module="web", observed="gone")
    answer = admin.get(there("modules/web/resources"))
    assert (answer.status_code, answer.json()["code"]) == (404, "MIR-102")
    del pair.plane2.answers["resources"]


@pytest.mark.parametrize("header", ["Admin root", "Admin admin"])
def test_only_a_certificate_of_the_cluster_speaks_for_others(
    pair: Pair, tmp_path: Path, header: str
) -> None:
    """The header alone, a stranger's certificate, or one of a removed node say nothing."""
    headers = {"x-mirror-caller": header}
    with https(pair.n1, headers=headers) as stranger:
        assert stranger.get("/api/v1/state").status_code == 401
        assert stranger.get("/api/v1/peer/users").status_code == 403
    plain = httpx.get(f"{pair.n1.url}/api/v1/state", headers=headers, timeout=60)
    assert plain.status_code == 401
    issue_node(pair.n1.layout.pki, "n3", ["127.0.0.3"], tmp_path / "removed")
    context = tls_context(tmp_path / "removed", server_side=False)
    base = f"https://127.0.0.1:{pair.n1.https_port}"
    with httpx.Client(base_url=base, verify=context, headers=headers, timeout=60) as removed:
        assert removed.get("/api/v1/peer/users").status_code == 403
        assert removed.get("/api/v1/state").status_code == 401
    context = tls_context(pair.n2.layout.pki, server_side=False)
    with httpx.Client(base_url=base, verify=context, headers=headers, timeout=60) as node:
        assert node.get("/api/v1/peer/users").status_code == 200


def test_https_for_browsers(pair: Pair) -> None:
    with https(pair.n1) as browser:
        answer = browser.post(
            "/api/v1/session", json={"name": "admin", "password": PASSWORDS[Role.ADMIN]}
        )
        cookie = answer.headers["set-cookie"]
        assert cookie.startswith("__Host-mirror-")
        assert "Secure" in cookie
        assert browser.get("/api/v1/users").status_code == 200
        assert browser.get("/var/modules/web/ready.txt").status_code == 200, "on loopback"
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    old.load_verify_locations(str(pair.n1.layout.certificate_authority))
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"https://127.0.0.1:{pair.n1.https_port}/", verify=old, timeout=60)


def test_events_of_both_nodes_come_in_one_stream(pair: Pair, admin: Browser) -> None:
    with events(admin) as found:
        seen: set[str] = set()
        while seen != {"n1", "n2"}:
            _, data = until(found, "snapshot")
            seen.add(data["node"])
        begun = time.monotonic()
        pair.plane2.states["web"] = pair.plane2.states["web"] | {"state": "ALONE"}
        _, change = until(found, "state", node="n2", module="web")
        assert change["state"]["state"] == "ALONE"
        assert time.monotonic() - begun < SOON_S_MAX
        pair.plane2.states["web"] = pair.plane2.states["web"] | {"state": "SECOND"}
    with events(admin, nodes="own") as found:
        pair.plane2.states["web"] = pair.plane2.states["web"] | {"row": "X9"}
        pair.plane1.states["web"] = pair.plane1.states["web"] | {"row": "X8"}
        _, change = until(found, "state")
        assert change["node"] == "n1"


def test_the_cluster(pair: Pair, admin: Browser) -> None:
    pair.plane1.answers["cluster_state"] = {"nodes": {"n1": "this node", "n2": "heard on default"}}
    cluster = admin.json("/api/v1/cluster")
    assert (cluster["node"], cluster["secured"], cluster["same_configuration"]) == (
        "n1",
        True,
        True,
    )
    n1, n2 = cluster["nodes"]
    assert (n1["this"], n2["this"], n2["reachable"]) == (True, False, True)
    assert n2["addresses"] == [{"lan": "default", "address": "127.0.0.2"}]
    assert n2["seen"] == "heard on default"
    assert abs(n2["clock_difference_ms"]) < SOON_S_MAX * 1000
    assert n2["about"]["urls"][0] == pair.n2.url


def test_users_are_the_same_on_both_nodes(pair: Pair, admin: Browser) -> None:
    made = admin.put("/api/v1/users/rosa", role="Control", password="correct horse battery")
    assert made.status_code == 200
    deadline = time.monotonic() + START_S
    # Not by signing in: who fails at that has to wait.
    while "rosa" not in {one["name"] for one in admin.json(there("users"))["users"]}:
        assert time.monotonic() < deadline
    session = pair.n2.browser()
    assert session.sign_in("rosa", "correct horse battery").json()["role"] == "Control"
    assert admin.delete("/api/v1/users/rosa").status_code == 200
    deadline = time.monotonic() + START_S
    while session.json("/api/v1/session")["signed_in"]:
        assert time.monotonic() < deadline


def test_a_configuration_is_checked_and_applied_on_both(
    pair: Pair, admin: Browser, tmp_path: Path
) -> None:
    directory = tmp_path / "data"
    directory.mkdir()
    source = pair.n1.write_module(tmp_path / "shop", directory)
    ModuleStore(pair.n1.layout).install("shop", source, module_id=7)
    both = ["n1", "n2"]
    checked = admin.post("/api/v1/modules/shop/config/check", nodes=both).json()
    assert [(one["node"], one["done"]) for one in checked["results"]] == [
        ("n1", True),
        ("n2", True),
    ]
    applied = admin.post("/api/v1/modules/shop/config/apply", nodes=both).json()
    assert applied["done"] is True, applied
    for node in (pair.n1, pair.n2):
        store = ModuleStore(node.layout)
        assert "shop" in store.configured()
        assert store.ids.of("shop") == 7
    same = {
        one.layout.module("shop").applied_userconfig.read_bytes() for one in (pair.n1, pair.n2)
    }
    assert len(same) == 1
    # A change that a running module cannot take up is refused where it runs.
    other = tmp_path / "other"
    other.mkdir()
    edited = pair.n1.layout.module("shop").edited_userconfig
    edited.write_text(edited.read_text().replace(str(directory), str(other)))
    pair.plane2.states["shop"] = {"state": "SECOND", "ready": "Ready"}
    answer = admin.post("/api/v1/modules/shop/config/apply", nodes=both).json()
    assert [one["done"] for one in answer["results"]] == [True, False]
    assert answer["results"][1]["code"] == "MIR-106"
    del pair.plane2.states["shop"]
    removed = admin.post("/api/v1/modules/shop/config/remove", nodes=both).json()
    assert removed.get("done") is True, removed
    assert admin.post("/api/v1/modules/shop/config/apply", nodes=["n9"]).status_code == 422


def test_cluster_xml_is_put_in_force_on_both(pair: Pair, admin: Browser) -> None:
    xml = admin.json("/api/v1/cluster/config")
    changed = xml["xml"].replace("<lans>", '<lans pulse="200">')
    checked = admin.post("/api/v1/cluster/check", xml=changed).json()
    assert (checked["valid"], checked["nodes"]) == (True, ["n1", "n2"])
    wrong = admin.post("/api/v1/cluster/check", xml=changed.replace("127.0.0.2", "127.0.0.1"))
    assert wrong.json()["errors"][0]["attribute"] == "addr"
    refused = admin.put("/api/v1/cluster/config", xml="<cluster/>", etag=xml["etag"])
    assert (refused.status_code, refused.json()["code"]) == (422, "MIR-101")
    saved = admin.put(
        "/api/v1/cluster/config", xml=changed, etag=xml["etag"], nodes=["n1", "n2"]
    ).json()
    assert saved["done"] is True, saved
    for node in (pair.n1, pair.n2):
        assert node.layout.cluster_config.read_text() == changed
    late = admin.put("/api/v1/cluster/config", xml=CLUSTER, etag=xml["etag"])
    assert late.status_code == 412, late.text


def test_a_stream_through_a_node_ends_there_too(pair: Pair, admin: Browser) -> None:
    monitor = pair.n2.browser(Role.MONITOR)

    def await_streams(count: int) -> None:
        deadline = time.monotonic() + START_S
        while f"mirror_console_streams {count:.1f}" not in monitor.get("/metrics").text:
            assert time.monotonic() < deadline

    await_streams(1)  # by which the console of n1 looks at n2
    with admin.http.stream("GET", there("events"), timeout=60) as answer:
        assert answer.status_code == 200
        lines = answer.iter_lines()
        assert any("event: beat" in line for line in lines)
        await_streams(2)
        lines.close()  # type: ignore[attr-defined]  # a generator
    await_streams(1)


def test_a_stream_through_a_node_ends_with_the_session_here(pair: Pair, admin: Browser) -> None:
    """The other node knows nothing of the session; who was removed would see on for ever."""
    admin.put("/api/v1/users/sven", role="Monitor", password="correct horse battery")
    sven = pair.n1.browser()
    sven.sign_in("sven", "correct horse battery")
    deadline = time.monotonic() + START_S
    with sven.http.stream("GET", there("events"), timeout=60) as answer:
        assert answer.status_code == 200
        lines = answer.iter_lines()
        assert any("event: beat" in line for line in lines)
        admin.delete("/api/v1/users/sven")
        with suppress(httpx.RemoteProtocolError):  # it is broken off
            for _ in lines:
                assert time.monotonic() < deadline


def test_a_package_goes_up_through_a_node(pair: Pair, admin: Browser, tmp_path: Path) -> None:
    source = pair.n1.write_module(tmp_path / "far", tmp_path)
    store = ModuleStore(pair.n1.layout)
    store.install("far", source)
    package = admin.get("/api/v1/modules/far/package").content
    headers = {"x-csrf-token": admin.csrf, "content-type": "application/zip"}
    answer = admin.http.put(there("modules/far/package"), content=package, headers=headers)
    assert answer.status_code == 200, answer.text
    assert "far" in ModuleStore(pair.n2.layout).installed()
    assert admin.get(there("modules/far/package")).content == package
    for path in ("/api/v1/modules/far", there("modules/far")):
        assert admin.delete(path).status_code == 200


def test_a_ticket_gives_no_time(pair: Pair) -> None:
    """Who is put out of a group loses the role half a day after the sign-in, wherever it goes."""
    nora = pair.n1.external("ldap:nora", Role.ADMIN, ago_s=11 * 3600)
    ends_us = nora.json("/api/v1/session")["expires_us"]
    ticket = nora.post(there("tickets")).json()["ticket"]
    moved = pair.n2.browser().post("/api/v1/session/ticket", ticket=ticket).json()
    assert (moved["name"], moved["role"]) == ("ldap:nora", "Admin")
    assert moved["expires_us"] == ends_us


def test_a_token_gets_no_ticket_whatever_its_label(pair: Pair, admin: Browser) -> None:
    """A session would outlive the token that is revoked."""
    label = {"label": "backup: nightly", "role": "Admin", "days": 1}
    machine = pair.n1.machine(admin.post("/api/v1/tokens", **label).json()["secret"])
    for path in ("/api/v1/tickets", there("tickets")):
        assert machine.post(path).status_code == 401, path


def test_a_page_goes_on_when_its_node_dies(pair: Pair, admin: Browser) -> None:
    ticket = admin.post(there("tickets")).json()["ticket"]
    other = pair.n2.browser()
    with events(pair.n2.browser(Role.MONITOR)) as found:
        until(found, "snapshot", node="n1")
        pair.n1.kill()
        begun = time.monotonic()
        _, lost = until(found, "node", node="n1", reachable=False)
        assert time.monotonic() - begun < 2 * SOON_S_MAX
        assert lost["observed"]
        answer = other.post("/api/v1/session/ticket", ticket=ticket)
        assert (answer.json()["name"], answer.json()["role"]) == ("admin", "Admin")
        assert other.post("/api/v1/session/ticket", ticket=ticket).status_code == 403
        other.csrf = answer.json()["csrf"]
        unreachable = other.get("/api/v1/nodes/n1/state")
        assert (unreachable.status_code, unreachable.json()["code"]) == (502, "MIR-810")
        at_address = unreachable.json()["facts"]["observed"]
        assert at_address["facts"]["observed"]["code"] == "why.refused"
        assert other.json("/api/v1/cluster")["nodes"][0]["observed_said"]["code"] == "MIR-810"
        pair.n1.start()
        until(found, "node", node="n1", reachable=True)
    assert pair.n2.browser(Role.MONITOR).json("/api/v1/nodes/n1/node")["node"] == "n1"


def test_a_certificate_is_renewed_without_interruption(pair: Pair) -> None:
    with https(pair.n2) as browser:
        assert browser.get("/api/v1/session").status_code == 200
        pki = pair.n2.layout.pki
        issue_node(pair.n1.layout.pki, "n2", ["127.0.0.2"], pki)
        wanted = ssl.PEM_cert_to_DER_cert((pki / "node.crt").read_text())
        deadline = time.monotonic() + START_S
        while True:
            with https(pair.n2) as fresh, fresh.stream("GET", "/api/v1/session") as answer:
                assert answer.status_code == 200
                tls = answer.extensions["network_stream"].get_extra_info("ssl_object")
                if tls.getpeercert(True) == wanted:
                    break
            assert time.monotonic() < deadline


def test_a_page_here_has_the_other_node_read_its_figures(pair: Pair) -> None:
    end = time.monotonic() + START_S
    with events(pair.n1.browser(Role.MONITOR)) as found:
        given = pair.plane2.states_given.copy()
        # Three in a row: unseen they are read every quarter of a minute.
        while pair.plane2.states_given[True] < given[True] + 3:
            until(found, "beat")
            assert time.monotonic() < end
        pair.plane2.states["web"] |= {"replication": {"changes": 5, "age_ms": 1}}
        while True:
            _, data = until(found, "state", node="n2", module="web")
            if data["state"]["figures"] is not None:
                break

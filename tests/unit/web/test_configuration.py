"""Modules, userconfig.xml, files: what a person changes, and what keeps it whole."""

import http.client
import io
import zipfile
from pathlib import Path
from typing import Any

import pytest

from mirror.config.module_store import ModuleStore

from .world import CLUSTER, USERCONFIG, Browser, ControlPlane, Node

XML = "/api/v1/modules/web/config"


@pytest.fixture
def web(node: Node, control_plane: ControlPlane, tmp_path: Path, data: Path) -> Node:
    """A module `web`, installed and not configured, on a node of a cluster."""
    node.layout.cluster_config.write_text(CLUSTER)
    store = ModuleStore(node.layout)
    if "web" in store.configured():
        store.remove_applied("web")
    store.install("web", node.write_module(tmp_path / "web", data), replace=True)
    return node


def fields(problem: Any) -> list[tuple[int, str, str]]:
    return [(one["line"], one["element"], one["attribute"]) for one in problem]


def test_a_module_is_installed_from_what_comes_with_the_program(
    node: Node, control_plane: ControlPlane, admin: Browser
) -> None:
    packages = admin.json("/api/v1/packages")["packages"]
    assert {"mirror", "postgresql"} <= {one["name"] for one in packages}
    answer = admin.post("/api/v1/modules", module="shop", package="mirror", id=9)
    shop = next(one for one in answer.json()["modules"] if one["module"] == "shop")
    assert (shop["id"], shop["configured"], shop["heartbeat_udp"]) == (9, False, 8888)
    again = admin.post("/api/v1/modules", module="shop", package="mirror")
    assert (again.status_code, again.json()["code"]) == (409, "MIR-106")
    taken = admin.post("/api/v1/modules", module="other", package="mirror", id=9)
    assert (taken.status_code, taken.json()["code"]) == (422, "MIR-107")
    assert admin.delete("/api/v1/modules/shop").status_code == 200
    assert "shop" not in ModuleStore(node.layout).installed()


def test_a_module_is_listed_with_the_port_of_its_configuration(web: Node, admin: Browser) -> None:
    file = web.layout.module("web").edited_userconfig
    file.write_text(file.read_text().replace("<heart ", '<heart port="9999" '))
    listed = admin.json("/api/v1/modules")["modules"]
    assert [(one["module"], one["heartbeat_udp"]) for one in listed] == [("web", 9999)]


def test_a_package_goes_down_and_up_again(web: Node, admin: Browser) -> None:
    package = admin.get("/api/v1/modules/web/package")
    assert package.headers["content-type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(package.content)) as archive:
        assert "conf/userconfig.xml" in archive.namelist()
    headers = {"x-csrf-token": admin.csrf, "content-type": "application/zip"}
    path = "/api/v1/modules/copy/package"
    answer = admin.http.put(path, content=package.content, headers=headers)
    assert answer.status_code == 200, answer.text
    assert "copy" in ModuleStore(web.layout).installed()
    refused = admin.http.put(f"{path}?replace=true", content=b"no zip", headers=headers)
    assert (refused.status_code, refused.json()["code"]) == (422, "MIR-105")
    assert "copy" in ModuleStore(web.layout).installed(), "a bad one replaces nothing"
    assert admin.delete("/api/v1/modules/copy").status_code == 200


def test_a_hostile_package_is_refused(web: Node, admin: Browser, tmp_path: Path) -> None:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("conf/userconfig.xml", "<safe/>")
        archive.writestr("../../outside", "x")
    headers = {"x-csrf-token": admin.csrf, "content-type": "application/zip"}
    answer = admin.http.put(
        "/api/v1/modules/evil/package", content=content.getvalue(), headers=headers
    )
    assert (answer.status_code, answer.json()["code"]) == (422, "MIR-105")


def test_userconfig_is_checked_as_it_is_typed(web: Node, admin: Browser, data: Path) -> None:
    good = USERCONFIG.format(directory=data)
    checked = admin.post("/api/v1/userconfig/check", xml=good).json()
    assert checked["valid"] is True
    assert checked["values"]["rfs"]["replicated"][0]["directory"] == str(data)
    bad = good.replace('acl="off"', 'acl="of"\n nbri="3"').replace('"default"', '"lan9"')
    checked = admin.post("/api/v1/userconfig/check", xml=bad).json()
    assert checked["valid"] is False
    assert (4, "rfs", "nbri") in fields(checked["errors"])
    nbri = next(one for one in checked["errors"] if one["attribute"] == "nbri")
    assert 'did you mean "nbrei"?' in nbri["hint"]
    assert nbri["file"] == "userconfig.xml"
    assert nbri["said"]["code"] == "config.attribute"
    assert nbri["said"]["facts"]["nearest"]["facts"] == {"name": "nbrei"}
    torn = admin.post("/api/v1/userconfig/check", xml="<safe><service").json()
    assert torn["valid"] is False
    assert torn["errors"][0]["line"] == 1


def test_a_network_that_is_not_there_is_found_as_it_is_typed(web: Node, admin: Browser) -> None:
    xml = USERCONFIG.format(directory="/srv/x").replace('name="default"', 'name="lan9"')
    checked = admin.post("/api/v1/userconfig/check", xml=xml).json()
    assert 'no network "lan9" in cluster.xml' in checked["errors"][0]["sentence"]


def test_two_editors_do_not_overwrite_each_other(web: Node, admin: Browser) -> None:
    first = admin.json(XML)
    saved = admin.put(XML, xml=first["xml"] + "<!-- mine -->", etag=first["etag"])
    assert saved.status_code == 200
    late = admin.put(XML, xml=first["xml"] + "<!-- theirs -->", etag=first["etag"])
    assert (late.status_code, late.json()["code"]) == (412, "MIR-808")
    assert "mine" in admin.json(XML)["xml"]
    assert admin.put(XML, xml=first["xml"], etag=saved.json()["etag"]).status_code == 200


def test_it_is_saved_with_mistakes_checked_and_put_in_force(
    web: Node, admin: Browser, data: Path
) -> None:
    good = admin.json(XML)["xml"]
    assert admin.put(XML, xml=good.replace(str(data), "/srv/none")).status_code == 200
    checked = admin.post(f"{XML}/check").json()
    assert checked["done"] is False
    (result,) = checked["results"]
    assert (result["node"], result["status"], result["code"]) == ("this", 422, "MIR-101")
    assert "/srv/none does not exist" in result["errors"][0]["sentence"]
    assert result["errors"][0]["said"]["code"] == "host.no_directory"
    assert (result["errors"][0]["line"], result["errors"][0]["element"]) == (3, "replicated")
    refused = admin.post(f"{XML}/apply").json()
    assert refused["done"] is False
    assert admin.json(XML)["applied"] is None, "nothing is in force"
    admin.put(XML, xml=good)
    assert admin.post(f"{XML}/check").json()["done"] is True
    applied = admin.post(f"{XML}/apply").json()
    assert applied["done"] is True, applied
    seen = admin.json(XML)
    assert (seen["differs"], seen["edited"]) == (False, seen["applied"])
    assert admin.delete("/api/v1/modules/web").json()["code"] == "MIR-106"
    assert admin.post(f"{XML}/remove").json()["done"] is True


def test_a_module_that_runs_is_not_configured(
    web: Node, control_plane: ControlPlane, admin: Browser
) -> None:
    assert admin.post(f"{XML}/apply").json()["done"] is True
    control_plane.states["web"] = {"state": "PRIM", "ready": "Ready"}
    other = admin.json(XML)["xml"].replace("<rfs", '<rfs barrier="fsync"', 1)
    assert admin.put(XML, xml=other).status_code == 200
    (result,) = admin.post(f"{XML}/apply").json()["results"]
    assert (result["done"], result["status"], result["code"]) == (False, 409, "MIR-106")
    assert "stop" in result["sentence"]


def test_former_configurations_are_kept_compared_and_edited_again(
    web: Node, admin: Browser
) -> None:
    first = admin.json(XML)["xml"]
    admin.post(f"{XML}/apply")
    admin.put(XML, xml=first.replace('boot="on"', 'boot="off"'))
    diff = admin.json("/api/v1/modules/web/diff")["files"]
    assert [(one["path"], one["change"]) for one in diff] == [("conf/userconfig.xml", "changed")]
    assert '+<safe><service mode="mirror" boot="off">' in diff[0]["diff"]
    admin.post(f"{XML}/apply")
    kept = admin.json("/api/v1/modules/web/kept")["kept"]
    before = admin.json("/api/v1/modules/web/diff", before=kept[1]["name"], after=kept[0]["name"])
    assert len(before["files"]) == 1
    restored = admin.post(f"/api/v1/modules/web/kept/{kept[1]['name']}/restore")
    assert restored.status_code == 200
    assert 'boot="on"' in admin.json(XML)["xml"]
    assert admin.get("/api/v1/modules/web/diff", before="no.such").status_code == 404
    assert admin.post(f"{XML}/remove").json()["done"] is True


def test_scripts_are_edited(web: Node, admin: Browser) -> None:
    files = "/api/v1/modules/web/files"
    assert [one["path"] for one in admin.json(files)["files"]] == [
        "bin/start_prim",
        "conf/userconfig.xml",
    ]
    script = admin.json(f"{files}/bin/start_prim")
    saved = admin.put(
        f"{files}/bin/start_prim", content="#!/bin/sh\necho é\n", etag=script["etag"]
    ).json()
    assert saved["file"]["executable"] is True
    late = admin.put(f"{files}/bin/start_prim", content="x", etag=script["etag"])
    assert late.status_code == 412
    assert admin.put(f"{files}/conf/extra/deep.conf", content="a=1\n").status_code == 200
    on_disk = web.layout.module("web").edited
    assert (on_disk / "conf/extra/deep.conf").read_text() == "a=1\n"
    assert (on_disk / "bin/start_prim").read_text() == "#!/bin/sh\necho é\n"
    assert admin.delete(f"{files}/conf/extra/deep.conf").status_code == 200
    assert admin.delete(f"{files}/conf/userconfig.xml").json()["code"] == "MIR-806"
    (on_disk / "bin/picture").write_bytes(b"\x89PNG\0\xff")
    assert admin.json(f"{files}/bin/picture")["binary"] is True


@pytest.mark.parametrize(
    "path",
    [
        "../../../v/console/console.db",
        "bin/../../../secret",
        "bin/%2e%2e/%2e%2e/secret",
        "%2Fetc%2Fpasswd",
        "bin/link",
        "linked/secret",
        "bin/.hidden",
        "bin//start_prim",
        "bin",
        "bin/\x00",
        "x" * 400,
    ],
)
def test_a_name_never_leads_out_of_the_module(
    web: Node, admin: Browser, tmp_path: Path, path: str
) -> None:
    edited = web.layout.module("web").edited
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_text("hunter2")
    (edited / "bin/link").symlink_to(outside / "secret")
    (edited / "linked").symlink_to(outside)
    (edited.parent.parent / "secret").write_text("hunter2")
    for method in ("GET", "DELETE"):
        # Not by httpx, which tidies paths as browsers do.
        connection = http.client.HTTPConnection("127.0.0.1", web.http_port, timeout=60)
        (cookie,) = admin.http.cookies.jar
        headers = {"cookie": f"{cookie.name}={cookie.value}", "x-csrf-token": admin.csrf}
        sent = path.replace("\x00", "%00")
        connection.request(method, f"/api/v1/modules/web/files/{sent}", headers=headers)
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        assert answer.status in {404, 422}, text
        assert "hunter2" not in text
    assert (outside / "secret").read_text() == "hunter2"


def test_every_element_is_described(node: Node, monitor: Browser) -> None:
    elements = {
        one["name"]: one for one in monitor.json("/api/v1/userconfig/elements")["elements"]
    }
    barrier = next(one for one in elements["rfs"]["attributes"] if one["name"] == "barrier")
    assert barrier == {
        "name": "barrier",
        "allowed": "one of write, fsync",
        "choices": ["write", "fsync"],
        "default": "write",
        "required": False,
        "no_effect": "",
        "later": {},
    }
    assert "replicated" in elements["rfs"]["repeated"]
    assert monitor.json("/api/v1/cluster/elements")["root"] == "cluster"


def test_directories_are_browsed_and_nothing_else(
    web: Node, admin: Browser, tmp_path: Path
) -> None:
    place = tmp_path / "place"
    (place / "one").mkdir(parents=True)
    (place / "letter.txt").write_text("private")
    found = admin.json("/api/v1/host/directories", path=str(place))
    assert (found["names"], found["empty"], found["error"]) == (["one"], False, "")
    assert "letter" not in str(found)
    assert found["bytes_free"] > 0
    assert admin.json("/api/v1/host/directories", path=f"{place}/none")["error"] != ""
    root = admin.json("/api/v1/host/directories", path="/")
    assert "it belongs to the operating system" in root["warnings"][0]
    own = admin.json("/api/v1/host/directories", path=str(web.layout.safevar))
    assert any("which mirror itself needs" in one for one in own["warnings"])
    for wrong in ("relative", "/a\x00b"):
        assert admin.get("/api/v1/host/directories", path=wrong).status_code == 422


def test_an_address_is_checked(node: Node, admin: Browser) -> None:
    assert "cannot be held" in admin.json("/api/v1/host/address", address="127.0.0.1")["sentence"]
    assert "no network" in admin.json("/api/v1/host/address", address="203.0.113.7")["sentence"]
    unknown = admin.json("/api/v1/host/address", address="no-such-host.invalid")
    assert "not known to name resolution" in unknown["sentence"]
    assert admin.get("/api/v1/host/address", address="a b").status_code == 422
    assert admin.json("/api/v1/host/interfaces")["interfaces"]


def test_a_snapshot_without_secrets(web: Node, operator: Browser) -> None:
    answer = operator.get("/api/v1/modules/web/snapshot")
    assert answer.status_code == 200
    assert 'filename="snapshot_this_web.zip"' in answer.headers["content-disposition"]
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert "edited/conf/userconfig.xml" in archive.namelist()
        assert all(b"hunter2" not in archive.read(name) for name in archive.namelist())


def test_the_doctor(web: Node, operator: Browser) -> None:
    findings = operator.json("/api/v1/host/doctor")["findings"]
    assert {"kernel", "node"} <= {one["what"] for one in findings}


def test_ready_txt_is_switched_on_for_other_hosts(web: Node, admin: Browser) -> None:
    path = "/api/v1/modules/web/settings"
    assert admin.json(path) == {"ready_probe": False}
    assert admin.put(path, ready_probe=True).json() == {"ready_probe": True}
    assert admin.put("/api/v1/modules/none/settings", ready_probe=True).status_code == 404

"""From a package to a configuration in force, with everything that must stop on the way."""

import json
import os
import socket
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from mirror.config.layout import Layout
from mirror.errors import ModuleUnknown

from .conftest import CLUSTER, ControlPlane, Run


def edit(layout: Layout, old: str, new: str) -> None:
    file = layout.module("web").edited_userconfig
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


def script(layout: Layout, name: str, text: str) -> None:
    file = layout.module("web").edited / "bin" / name
    file.write_text(f"#!/bin/sh\n{text}\n")
    file.chmod(0o755)


def test_a_configuration_is_put_in_force(mirror: Run, web: Layout) -> None:
    outcome = mirror("config", "-m", "web")
    assert outcome.code == 0
    assert outcome.out == (
        "web (id 1) is configured on this node; the node reads it when it starts\n"
    )
    assert outcome.err.count("<rfs acl> has no effect here: ACLs are always replicated") == 1
    assert web.module("web").applied_userconfig.is_file()
    value = mirror("confinfo", "-m", "web", "--json").json
    assert value["edited"] == value["applied"]
    assert value["last"] == ["web.000001.safe"]
    edit(web, "acl=", "  acl=")
    assert "the edited one differs" in mirror("confinfo", "-m", "web").out
    assert mirror("deconfig", "-m", "web").code == 0
    assert mirror("deconfig", "-m", "web").code == 1
    assert "not configured" in mirror("confinfo", "-m", "web").out


def test_the_control_plane_is_told(mirror: Run, web: Layout, control_plane: ControlPlane) -> None:
    control_plane.answers["state"] = {"modules": {"web": {"state": "STOP"}}}
    outcome = mirror("config", "-m", "web", "--all-nodes")
    assert outcome.out == "web (id 1) is configured on all nodes\n"
    asked = [one["do"] for one in control_plane.asked]
    assert asked == ["state", "reconfigure", "push_config"]
    pushed = control_plane.asked[-1]
    assert (pushed["module"], pushed["module_id"]) == ("web", 1)
    assert pushed["package"].startswith(b"PK")
    assert list(web.run.iterdir()) == [web.control_socket]


def test_a_running_module_is_not_reconfigured(
    mirror: Run, web: Layout, control_plane: ControlPlane
) -> None:
    control_plane.answers["state"] = {"modules": {"web": {"state": "PRIM"}}}
    for verb in ("config", "deconfig"):
        outcome = mirror(verb, "-m", "web")
        assert outcome.code == 1
        assert "it is in PRIM; `stop -m web` it first" in outcome.err


def test_all_that_is_wrong_is_said_with_lines(mirror: Run, web: Layout, data: Path) -> None:
    edit(web, f'dir="{data}"', 'dir="/no/such/directory"')
    edit(web, 'name="default"', 'name="defautl"')
    outcome = mirror("confcheck", "-m", "web")
    assert outcome.code == 5
    file = web.module("web").edited_userconfig
    assert f'{file}:2: no network "defautl" in cluster.xml; did you mean "default"?' in outcome.err
    assert f'{file}:3: <replicated>: attribute "dir": /no/such/directory does not' in outcome.err
    assert "2 errors" in outcome.err
    assert mirror("config", "-m", "web").code == 5
    assert not web.module("web").applied.exists()


def test_a_refusal_leaves_what_was_in_force(mirror: Run, web: Layout) -> None:
    assert mirror("config", "-m", "web").code == 0
    before = web.module("web").applied_userconfig.read_text()
    edit(web, 'acl="off"', 'acl="perhaps"')
    assert mirror("config", "-m", "web").code == 5
    assert web.module("web").applied_userconfig.read_text() == before


@pytest.mark.parametrize("name", ["confcheck", "config", "postconfig"])
def test_a_script_of_the_module_may_refuse(mirror: Run, web: Layout, name: str) -> None:
    assert mirror("config", "-m", "web").code == 0
    before = web.module("web").applied_userconfig.read_text()
    edit(web, 'acl="off"', 'acl="on"')
    script(web, name, "echo the service is unknown; exit 3")
    outcome = mirror("config", "-m", "web")
    assert outcome.code == 5
    assert f"{name}: exit code 3, it said: the service is unknown" in outcome.err
    assert web.module("web").applied_userconfig.read_text() == before
    assert sorted(path.name for path in web.applied_modules.iterdir()) == ["web"]


def test_confcheck_asks_the_script_too_and_changes_nothing(mirror: Run, web: Layout) -> None:
    script(web, "confcheck", "echo no such unit; exit 1")
    outcome = mirror("confcheck", "-m", "web")
    assert outcome.code == 5
    assert "no such unit" in outcome.err
    assert list(web.applied_modules.iterdir()) == []


def test_a_script_that_cannot_be_started(mirror: Run, web: Layout) -> None:
    (web.module("web").edited / "bin" / "postconfig").write_text("#!/no/such/interpreter\n")
    outcome = mirror("config", "-m", "web")
    assert outcome.code == 5
    assert "postconfig: exit code 126, it said: No such file or directory" in outcome.err
    assert web.last_configurations.exists() is False or not list(web.last_configurations.iterdir())


def test_scripts_of_the_configuration_run_in_order_with_safekits_variables(
    mirror: Run, web: Layout, tmp_path: Path
) -> None:
    order = tmp_path / "order"
    for name in ("confcheck", "config", "postconfig", "deconfig"):
        words = "$SAFEMODULE $DB_PASSWORD $(test -f $SAFEUSERBIN/start_prim && echo found)"
        script(web, name, f'echo "{name} {words}" >> "{order}"')
    assert mirror("config", "-m", "web").code == 0
    assert mirror("deconfig", "-m", "web").code == 0
    assert order.read_text().splitlines() == [
        "confcheck web hunter2 found",
        "config web hunter2 found",
        "postconfig web hunter2 found",
        "deconfig web  found",
    ]


def test_two_modules_do_not_share_a_directory(mirror: Run, web: Layout, tmp_path: Path) -> None:
    assert mirror("config", "-m", "web").code == 0
    assert mirror("module", "package", "-m", "web", str(tmp_path / "x.safe")).code == 0
    assert mirror("module", "install", "-m", "copy", str(tmp_path / "x.safe")).code == 0
    outcome = mirror("config", "-m", "copy")
    assert outcome.code == 5
    assert "of module web; a directory belongs to one module only" in outcome.err


def test_modules_are_installed_listed_and_removed(
    mirror: Run, web: Layout, tmp_path: Path
) -> None:
    assert mirror("module", "list").out == "web  (not configured)\n"
    assert mirror("module", "listid").out == "1 web\n"
    assert mirror("module", "getports", "-m", "web").out == (
        "heartbeats: UDP 8888\nreplication: TCP 5600\n"
    )
    assert mirror("module", "getports", "-i", "3", "--json").json["data_tcp"] == 5608
    assert mirror("module", "genkey", "-m", "web").code == 0
    assert mirror("module", "install", "-m", "web", str(tmp_path / "web")).code == 1
    assert mirror("module", "install", "-r", "-m", "web", str(tmp_path / "web")).code == 0
    assert mirror("module", "uninstall", "-m", "web").code == 0
    assert mirror("module", "list", "--json").json == {"modules": []}
    assert mirror("module", "install", "-m", "nothing-like-it").code == 1


@pytest.mark.parametrize("name", ["mirror", "postgresql"])
def test_a_shipped_module_is_installed_by_its_name(mirror: Run, layout: Layout, name: str) -> None:
    layout.cluster_config.write_text(CLUSTER)
    assert mirror("module", "install", "-m", name).code == 0
    outcome = mirror("confcheck", "-m", name)
    assert outcome.code == 5
    assert "placeholder VIRTUAL_TO_BE_DEFINED" in outcome.err
    assert "not known" not in outcome.err


def test_without_a_cluster_nothing_is_configured(mirror: Run, web: Layout) -> None:
    web.cluster_config.unlink()
    assert "MIR-109" in mirror("config", "-m", "web").err


def test_unknown_modules(mirror: Run, layout: Layout) -> None:
    for arguments in (("config",), ("confinfo",), ("confcheck",), ("module", "uninstall")):
        assert ModuleUnknown.code in mirror(*arguments, "-m", "none").err


def test_a_cluster_begins_and_a_second_node_joins(
    mirror: Run, layout: Layout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "cluster.xml"
    file.write_text(CLUSTER)
    assert mirror("cluster", "confcheck", str(file)).code == 0
    assert mirror("cluster", "init", str(file), "--name", "n3").code == 1
    assert mirror("cluster", "init", str(file), "--name", "n1").code == 0
    invitation = tmp_path / "n2.invite"
    assert mirror("cluster", "invite", "n2", str(invitation)).code == 0
    assert invitation.stat().st_mode & 0o777 == 0o600
    here = mirror("cluster", "confinfo", "--json").json
    assert here["this_node"] == "n1"

    monkeypatch.setenv("SAFEVAR", str(tmp_path / "v2"))
    assert mirror("cluster", "join", str(invitation)).code == 0
    there = Layout.from_environment()
    assert json.loads(there.node_identity.read_text()) == {"name": "n2"}
    assert mirror("cluster", "confinfo", "--json").json["signature"] == here["signature"]
    assert there.node_key.stat().st_mode & 0o777 == 0o600
    assert there.certificate_authority.read_bytes() == layout.certificate_authority.read_bytes()
    assert not (there.pki / "ca.key").exists()
    assert mirror("cluster", "join", str(invitation)).code == 1
    assert mirror("cluster", "join", "-r", str(invitation)).code == 0


def test_a_node_joins_with_a_token(
    mirror: Run, layout: Layout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    file = tmp_path / "cluster.xml"
    file.write_text(CLUSTER.replace("<lans>", f'<lans port="{port}">'))
    assert mirror("cluster", "token", "n2").code == 1
    assert mirror("cluster", "init", str(file), "--name", "n1").code == 0
    assert mirror("cluster", "token", "n9").code == 1
    first = subprocess.Popen(
        [sys.executable, "-m", "mirror.cli", "cluster", "token", "n2", "--wait", "60"],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    assert first.stdout is not None
    word = first.stdout.readline().split()[-1]
    monkeypatch.setenv("SAFEVAR", str(tmp_path / "v2"))
    outcome = mirror("cluster", "join", word)
    assert outcome.code == 0, outcome.err
    assert outcome.out == "this node is n2 of the cluster\n"
    assert first.stdout.read().endswith("n2 joined from 127.0.0.1\n")
    assert first.wait(20) == 0
    first.stdout.close()
    assert mirror("cluster", "join", word).code == 1


def test_what_is_no_invitation(mirror: Run, layout: Layout, tmp_path: Path) -> None:
    file = tmp_path / "x"
    file.write_bytes(b"x")
    assert "not an invitation" in mirror("cluster", "join", str(file)).err
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("../../etc/passwd", "x")
    assert "not the files of an invitation" in mirror("cluster", "join", str(file)).err
    assert not layout.node_identity.exists()


def test_cluster_config(mirror: Run, layout: Layout, tmp_path: Path) -> None:
    file = tmp_path / "cluster.xml"
    file.write_text(CLUSTER.replace("n2", "n1"))
    assert mirror("cluster", "config", str(file)).code == 5
    assert not layout.cluster_config.exists()
    file.write_text(CLUSTER)
    assert mirror("cluster", "config", str(file)).code == 0
    assert layout.cluster_config.read_text() == CLUSTER
    assert "default: n1=127.0.0.1, n2=127.0.0.2" in mirror("cluster", "confinfo").out
    assert mirror("cluster", "config", "lock").code == 1, "a file of that name is meant"


def test_a_snapshot_holds_no_secret(
    mirror: Run, web: Layout, tmp_path: Path, control_plane: ControlPlane
) -> None:
    control_plane.answers["state"] = {"modules": {}}
    assert mirror("config", "-m", "web").code == 0
    working = web.module("web").working
    (working / "userlog_x.ulog").write_text("url=postgres://me:hunter2@db/x password=hunter2\n")
    web.module("web").data_plane_config.write_text(
        json.dumps({"links": [{"tls": {"key_pem": "hunter2"}}], "module": "web"})
    )
    web.module("web").record.write_text('{"generation": "9f3a"}')
    web.pki.mkdir()
    web.node_key.write_text("hunter2")
    file = tmp_path / "snapshot.zip"
    outcome = mirror("snapshot", "-m", "web", str(file))
    assert outcome.code == 0, outcome.err
    assert file.stat().st_mode & 0o777 == 0o600
    with zipfile.ZipFile(file) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    assert [name for name, content in contents.items() if b"hunter2" in content] == []
    assert {
        "edited/conf/userconfig.xml",
        "applied/bin/start_prim",
        "cluster.xml",
        "var/record.json",
        "var/data-plane.json",
        "var/userlog_x.ulog",
        "doctor.json",
        "state.json",
    } <= set(contents)
    assert json.loads(contents["var/data-plane.json"])["module"] == "web"
    assert mirror("snapshot", "-m", "web", str(file)).code == 1, "never over a file"

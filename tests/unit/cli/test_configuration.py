"""From a package to a configuration in force, with everything that must stop on the way."""

import io
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509

from mirror.cli.session import Session
from mirror.cli.snapshot import contents as contents_of
from mirror.config.layout import Layout
from mirror.errors import ChangesNotTaken, ModuleUnknown
from tests.free_port import free_port

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
    assert mirror("config", "-m", "web").out == "web (id 1) is configured on this node\n"
    assert mirror("config", "-m", "web").out == "web (id 1) is configured on this node\n"
    asked = [one["do"] for one in control_plane.asked]
    assert asked == ["reconfigure", "state", "reconfigure"]


def test_what_a_running_module_does_not_take_up_is_taken_back(
    mirror: Run, web: Layout, control_plane: ControlPlane
) -> None:
    control_plane.answers["state"] = {"modules": {"web": {"state": "STOP"}}}
    assert mirror("config", "-m", "web").code == 0
    before = web.module("web").applied_userconfig.read_text()
    kept = sorted(web.last_configurations.iterdir())
    control_plane.answers["state"] = {"modules": {"web": {"state": "PRIM"}}}
    control_plane.answers["reconfigure"] = ChangesNotTaken(module="web", observed="port taken")
    edit(web, 'mode="mirror"', 'mode="mirror" maxloop="5"')
    outcome = mirror("update", "-m", "web")
    assert outcome.code == 1
    assert "port taken" in outcome.err
    assert web.module("web").applied_userconfig.read_text() == before
    assert sorted(web.last_configurations.iterdir()) == kept
    told = [one for one in control_plane.asked if one["do"] == "reconfigure"]
    assert [one.get("put_back", False) for one in told] == [False, False, True]


def test_a_module_that_is_not_loaded_is_corrected_while_its_application_runs(
    mirror: Run, web: Layout, control_plane: ControlPlane
) -> None:
    assert mirror("config", "-m", "web").code == 0
    web.module("web").applied_userconfig.write_text("<safe>broken")
    control_plane.answers["state"] = {"modules": {"web": {"state": "UP", "loaded": False}}}
    assert mirror("config", "-m", "web").out == "web (id 1) is configured on this node\n"
    assert mirror("deconfig", "-m", "web").code == 1


def test_a_running_module_takes_up_what_needs_no_stop(
    mirror: Run, web: Layout, control_plane: ControlPlane
) -> None:
    control_plane.answers["state"] = {"modules": {"web": {"state": "STOP"}}}
    assert mirror("config", "-m", "web").code == 0
    control_plane.answers["state"] = {"modules": {"web": {"state": "PRIM"}}}
    edit(web, 'mode="mirror"', 'mode="mirror" maxloop="5"')
    outcome = mirror("update", "-m", "web")
    assert outcome.out == "web (id 1) took the changes up in PRIM on this node\n"
    assert control_plane.asked[-1]["do"] == "reconfigure"
    edit(web, 'acl="off"', 'barrier="fsync" async="none"')
    for verb in ("config", "update"):
        outcome = mirror(verb, "-m", "web")
        assert outcome.code == 1
        assert (
            "it is in PRIM, and <rfs async>, <rfs barrier> cannot change meanwhile" in outcome.err
        )
    outcome = mirror("deconfig", "-m", "web")
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
        "deconfig web hunter2 found",
    ]


def test_two_modules_do_not_share_a_directory(mirror: Run, web: Layout, tmp_path: Path) -> None:
    assert mirror("config", "-m", "web").code == 0
    assert mirror("module", "package", "-m", "web", str(tmp_path / "x.safe")).code == 0
    assert mirror("module", "install", "-m", "copy", str(tmp_path / "x.safe")).code == 0
    outcome = mirror("config", "-m", "copy")
    assert outcome.code == 5
    assert "of module web; a directory belongs to one module only" in outcome.err


def test_a_shipped_package_is_found_by_its_name(mirror: Run, layout: Layout) -> None:
    """As SafeKit's page says it: module install -m NAME mirror.safe."""
    assert mirror("module", "install", "-m", "shop", "mirror.safe").code == 0
    assert layout.module("shop").edited_userconfig.is_file()
    refused = mirror("module", "install", "-m", "other", "unheard_of.safe")
    assert refused.code != 0
    assert "unheard_of.safe" in refused.err


def test_every_command_tells_the_ports_that_the_configuration_says(
    mirror: Run, web: Layout
) -> None:
    """What is in force counts; what is only edited counts once it is configured."""
    file = web.module("web").edited_userconfig
    default = file.read_text()
    ports = {"heartbeat_udp": 9999, "data_tcp": 5600}

    file.write_text(default.replace("<heart ", '<heart port="9999" '))
    value = mirror("module", "getports", "-m", "web", "--json").json
    assert value.items() >= ports.items()
    assert mirror("config", "-m", "web").code == 0
    file.write_text(default)
    said = "heartbeats: UDP 9999\nreplication: TCP 5600\n"
    assert mirror("module", "getports", "-m", "web").out == said
    assert mirror("module", "getports", "-i", "1").out == said
    assert mirror("level", "--json").json["modules"]["web"].items() >= ports.items()
    assert "ports UDP 9999 and TCP 5600" in mirror("confinfo", "-m", "web").out
    assert mirror("deconfig", "-m", "web").code == 0

    file.write_text(default.replace("<heart ", '<heart port="many" '))
    refused = mirror("module", "getports", "-m", "web")
    assert "UDP 8888" in refused.out
    assert "<heart port>" in refused.err
    file.write_text('<safe><service mode="light"><user/></service></safe>')
    assert mirror("module", "getports", "-m", "web").out.startswith("none: ")


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


def test_a_directory_that_is_no_module_is_named(mirror: Run, tmp_path: Path) -> None:
    assert mirror("module", "list").out == "no module is installed: `module install FILE`\n"
    (tmp_path / "shop").mkdir()
    refused = mirror("module", "install", str(tmp_path / "shop")).err
    assert f"package refused: {tmp_path / 'shop'}: conf/userconfig.xml is missing" in refused


def test_what_is_neither_a_token_nor_a_file_is_called_so(mirror: Run) -> None:
    outcome = mirror("cluster", "join", "banana")
    assert outcome.code == 1
    assert "it is no token, and no file of that name is here" in outcome.err
    assert "MIR-115" in outcome.err
    assert "MIR-108" in mirror("cluster", "join", "./banana").err


def test_a_node_joins_with_a_token(
    mirror: Run, layout: Layout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "cluster.xml"
    file.write_text(CLUSTER.replace("<lans>", f'<lans port="{free_port()}">'))
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
    # As it is told to be typed: in an argument, every user of the server can read the secret.
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{word}\n"))
    outcome = mirror("cluster", "join")
    assert outcome.code == 0, outcome.err
    assert outcome.out == "this node is n2 of the cluster\n"
    assert first.stdout.read().endswith("n2 joined from 127.0.0.1\n")
    assert first.wait(60) == 0
    first.stdout.close()
    assert mirror("cluster", "join", word).code == 1


def test_a_node_is_taken_in_with_its_own_token(
    mirror: Run, layout: Layout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other way round: the new node makes the token, a node of the cluster uses it."""
    file = tmp_path / "cluster.xml"
    file.write_text(CLUSTER)
    second = subprocess.Popen(
        [
            *(sys.executable, "-m", "mirror.cli", "cluster", "token"),
            *("--address", "127.0.0.9", "--wait", "60"),
        ],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1", "SAFEVAR": str(tmp_path / "v2")},
    )
    assert second.stdout is not None
    word = second.stdout.readline().split()[-1]
    assert mirror("cluster", "join", word).code == 1, (
        "nobody is taken in where there is no cluster"
    )
    assert mirror("cluster", "init", str(file), "--name", "n1").code == 0
    assert mirror("cluster", "join", word, "--name", "n9").code == 1
    outcome = mirror("cluster", "join", word)
    assert outcome.code == 0, outcome.err
    assert outcome.out == "n2 is taken in: the node at 127.0.0.9\n"
    assert second.stdout.read().endswith("this node is n2 of the cluster of 127.0.0.1\n")
    assert second.wait(60) == 0
    second.stdout.close()
    here = mirror("cluster", "confinfo", "--json").json
    monkeypatch.setenv("SAFEVAR", str(tmp_path / "v2"))
    there = mirror("cluster", "confinfo", "--json").json
    assert (there["this_node"], there["signature"]) == ("n2", here["signature"])
    assert not Layout.from_environment().pki.joinpath("ca.key").exists()


def test_the_node_with_the_authority_is_replaced(
    mirror: Run, layout: Layout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """n1 is lost: n2 becomes the authority and lets another server in as n1."""
    file, invitation = tmp_path / "cluster.xml", tmp_path / "invite"
    file.write_text(CLUSTER)
    assert mirror("cluster", "init", str(file), "--name", "n1").code == 0
    assert mirror("cluster", "invite", "n2", str(invitation)).code == 0
    monkeypatch.setenv("SAFEVAR", str(tmp_path / "v2"))
    assert mirror("cluster", "join", str(invitation)).code == 0
    invitation.unlink()
    assert mirror("cluster", "invite", "n1", str(invitation)).code == 1, "its key is on n1"
    outcome = mirror("cluster", "renew", "--authority")
    assert outcome.code == 0, outcome.err
    assert mirror("cluster", "invite", "n1", str(invitation)).code == 0
    survivor = Layout.from_environment()
    monkeypatch.setenv("SAFEVAR", str(tmp_path / "v3"))
    assert mirror("cluster", "join", str(invitation)).code == 0
    new = Layout.from_environment()
    assert new.certificate_authority.read_bytes() == survivor.certificate_authority.read_bytes()
    assert new.certificate_authority.read_bytes() != layout.certificate_authority.read_bytes()
    keys = [(one.pki / "cluster.key").read_bytes() for one in (layout, survivor, new)]
    assert len(set(keys)) == 1, "heartbeats go on"
    authority = x509.load_pem_x509_certificate(survivor.certificate_authority.read_bytes())
    for one in (survivor, new):
        certificate = x509.load_pem_x509_certificate((one.pki / "node.crt").read_bytes())
        certificate.verify_directly_issued_by(authority)


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
    mirror: Run,
    web: Layout,
    tmp_path: Path,
    control_plane: ControlPlane,
    monkeypatch: pytest.MonkeyPatch,
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
    modes: set[int] = set()

    def watched(session: Session, module: str) -> Iterator[tuple[str, bytes]]:
        for one in contents_of(session, module):
            modes.add(file.stat().st_mode & 0o777)
            yield one

    monkeypatch.setattr("mirror.cli.snapshot.contents", watched)
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
    assert modes == {0o600}, "it is nobody else's while it is written, either"
    assert mirror("snapshot", "-m", "web", str(file)).code == 1, "never over a file"


def test_pasted_scripts_are_refused_and_straightened(mirror: Run, web: Layout) -> None:
    script(web, "start_prim", "echo “starting”")
    outcome = mirror("confcheck", "-m", "web")
    assert outcome.code == 5
    assert "bin/start_prim:2: a typographic quote" in outcome.err
    file = web.module("web").edited / "bin" / "start_prim"
    assert mirror("module", "straighten", "-m", "web").out == f"{file}: straightened\n"
    assert file.read_text() == '#!/bin/sh\necho "starting"\n'
    assert file.stat().st_mode & 0o777 == 0o755
    assert mirror("confcheck", "-m", "web").code == 0
    assert mirror("module", "straighten", "-m", "web").out == "no change\n"


def test_failover_rules_are_checked(mirror: Run, web: Layout) -> None:
    edit(web, "</service>", "<failover>wrong: when</failover></service>")
    outcome = mirror("confcheck", "-m", "web")
    assert outcome.code == 5
    assert "<failover>: " in outcome.err

"""Clusters and modules on a lab's nodes, and the command line, as far as no node must run."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mirror.adapters.lab import module_setup, plan, status
from mirror.adapters.lab.client import Lab
from mirror.errors import LabHostNotBooted, ModuleUnknown

pytestmark = pytest.mark.lab

REPOSITORY = Path(__file__).resolve().parents[2]
MIRROR = Path(sys.executable).with_name("mirror")


@pytest.fixture
def lab(run_name: str) -> Iterator[Lab]:
    """A lab whose nodes do nothing, with a witness."""
    idle = ("sleep", "infinity")
    with Lab.up(f"{run_name}-modules", node_command=idle, witness=True, bound=True) as running:
        yield running


def test_nodes_are_one_cluster_from_the_first_boot(lab: Lab) -> None:
    cluster = f"{plan.SAFEVAR}/cluster"
    one, two = (lab.exec(host, ["cat", f"{cluster}/cluster.xml"]).stdout for host in plan.NODES)
    assert one == two
    for lan, prefix in (("default", "10.77.1"), ("lan2", "10.77.2")):
        assert f'<lan name="{lan}">' in one
        assert f'<node name="n2" addr="{prefix}.2" />' in one
    for host in plan.NODES:
        identity = lab.exec(host, ["cat", f"{cluster}/node.json"]).stdout
        assert json.loads(identity) == {"name": host}
        check = ["openssl", "verify", "-CAfile", "ca.crt", "node.crt"]
        lab.exec(host, ["sh", "-c", f"cd {cluster}/pki && {' '.join(check)}"])
        assert lab.exec(host, ["stat", "-c", "%a", f"{cluster}/pki/node.key"]).stdout == "600\n"


def test_the_shipped_module_is_filled_in_and_accepted(lab: Lab) -> None:
    directory = module_setup.find_module("mirror")
    assert directory == REPOSITORY / "modules/mirror"
    for host in plan.NODES:
        module_setup.install(lab, host, directory)
        lab.exec(host, ["mirror", "config", "-m", "mirror"])
    facts = status.collect(lab)
    assert facts["modules"] == {
        "mirror": {
            "directories": [plan.REPLICATED_DIRECTORY],
            "rules": [[]],
            "virtual_ip": plan.VIRTUAL_IP,
        }
    }
    applied = f"{plan.SAFE}/private/modules/mirror/conf/userconfig.xml"
    text = lab.exec("n1", ["cat", applied]).stdout
    assert plan.witness_endpoint("lan2") in text
    assert '<heartbeat name="lan2"/>' in text


def test_a_module_prepares_the_empty_host(lab: Lab, tmp_path: Path) -> None:
    directory = tmp_path / "own"
    (directory / "conf").mkdir(parents=True)
    (directory / "lab").mkdir()
    (directory / "conf/userconfig.xml").write_text("<safe>WHO_TO_BE_DEFINED</safe>")
    (directory / "lab/prepare").write_text(
        "set -eu\n"
        'sed -i "s/WHO_TO_BE_DEFINED/$1 $VIRTUAL_IP/" "$MIRROR_LAB_MODULE/conf/userconfig.xml"\n'
    )
    module_setup.install(lab, "n2", module_setup.find_module(str(directory)))
    edited = f"{plan.SAFE}/modules/own/conf/userconfig.xml"
    assert lab.exec("n2", ["cat", edited]).stdout == f"<safe>n2 {plan.VIRTUAL_IP}</safe>"


def test_what_is_written_already_stays() -> None:
    written = '<service mode="mirror" boot="off"><heart><heartbeat name="lan2"/></heart></service>'
    assert module_setup.fill_in(written, witness=False) == written


def test_comments_are_left_alone() -> None:
    written = '<!-- <service boot="on"> --><service mode="mirror">\n</service>'
    assert module_setup.fill_in(written, witness=False) == (
        '<!-- <service boot="on"> --><service boot="on" mode="mirror">\n</service>'
    )


def test_an_unknown_module_is_refused_before_anything_is_made() -> None:
    with pytest.raises(ModuleUnknown):
        module_setup.find_module("no-such-module")


def test_a_silent_node_is_told(lab: Lab) -> None:
    with pytest.raises(LabHostNotBooted, match="silent"):
        module_setup.await_node(lab, "n1", timeout_s=0.2)


def run(*arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """`mirror lab`, as a user types it."""
    command = [str(MIRROR), "lab", *arguments]
    return subprocess.run(
        command, input=stdin, capture_output=True, text=True, check=False, timeout=120
    )


def test_the_command_line(run_name: str) -> None:
    name = f"{run_name}-command"
    named = ("--name", name)
    assert run("status", *named).returncode == 3
    try:
        assert run("up", "--bare", *named).returncode == 0
        done = run("exec", *named, "n2", "--", "sh", "-c", "cat; exit 9", stdin="given")
        assert (done.returncode, done.stdout) == (9, "given")
        for verb in ("power-off", "boot", "cut", "heal", "fill-disk", "free-disk", "pause"):
            done = run(verb, *named, "n1")
            assert done.returncode == 0, (verb, done.stderr)
        facts = json.loads(run("status", *named, "--json").stdout)
        assert (
            facts["hosts"]["n1"] | {"up": True, "paused": True, "modules": {}}
            == (facts["hosts"]["n1"])
        )
        assert facts["consoles"]["n1"].startswith("http://127.0.0.1:")
        assert run("resume", *named, "n1").returncode == 0
        refused = run("disk", *named, "n1", "--slow", "10")
        assert refused.returncode == 1
        assert "MIR-704" in refused.stderr
    finally:
        down = run("down", *named)
    assert down.returncode == 0

"""`mirror -H`: one command on both nodes, by the consoles, with the cluster's certificates."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from mirror.adapters.console.roles import Role
from mirror.adapters.peer_https import PeerConsole
from mirror.adapters.tls import tls_context
from mirror.config.module_store import ModuleStore
from mirror.errors import PeerNotReachable

from .conftest import Pair


@pytest.fixture(autouse=True, scope="module")
def installed(pair: Pair, tmp_path_factory: pytest.TempPathFactory) -> None:
    root = tmp_path_factory.mktemp("sent")
    (root / "data").mkdir()
    for node in (pair.n1, pair.n2):
        source = node.write_module(root / node.name, root / "data")
        ModuleStore(node.layout).install("web", source, module_id=3)


def on(pair: Pair, *words: str) -> tuple[int, str, str]:
    hosts, *rest = words
    hosts = hosts.replace("PORT", str(pair.n2.https_port))
    done = subprocess.run(
        [sys.executable, "-m", "mirror.cli", "-H", hosts, *rest],
        env={**os.environ, **pair.n1.environment()},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    return done.returncode, done.stdout, done.stderr


BOTH = "n1,[https:PORT],n2"


def test_each_node_answers_with_its_exit_code(pair: Pair) -> None:
    code, out, err = on(pair, BOTH, "confinfo", "-m", "web")
    assert (code, err) == (0, "")
    assert out.count("web (id 3") == 2
    assert out.count("---- n1\n") == out.count("---- n2\n") == 1  # in the order in which they come
    code, out, _ = on(pair, BOTH, "confinfo", "-m", "nothing")
    assert code == 1
    assert out.count("(exit code 1)") == 2
    assert out.count("MIR-102") == 2


def test_as_json(pair: Pair) -> None:
    code, out, _ = on(pair, BOTH, "confinfo", "-m", "web", "--json")
    nodes: dict[str, Any] = json.loads(out)["nodes"]
    assert code == 0
    assert {name: one["answer"]["module"] for name, one in nodes.items()} == {
        "n1": "web",
        "n2": "web",
    }


def test_it_is_in_the_audit_and_in_the_book_of_commands(pair: Pair) -> None:
    assert on(pair, "[https:PORT],n2", "module", "listid")[0] == 0
    entry = pair.n2.browser(Role.ADMIN).json("/api/v1/audit")["entries"][1]
    assert (entry["what"], entry["name"], entry["origin"]) == (
        "command line of the other node",
        "root",
        "node n1",
    )
    book = (pair.n2.layout.safevar / "commands.jsonl").read_text().splitlines()
    assert json.loads(book[-1])["command"] == "module listid"


def test_a_node_that_does_not_answer(pair: Pair) -> None:
    code, out, _ = on(pair, "n1,[https:1],n2", "confinfo", "-m", "web")
    assert code == 3
    assert "web (id 3" in out
    assert "MIR-810" in out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("*", "lab", "up"), "for one node only"),
        (("n9", "state"), "no node of cluster.xml"),
        (("*", "cluster", "join", "x"), "for one node only"),
    ],
)
def test_refused_before_anything_is_done(pair: Pair, words: tuple[str, ...], said: str) -> None:
    code, out, err = on(pair, *words)
    assert (code, out) == (2, "")
    assert said in err


def test_a_module_is_sent_and_configured(pair: Pair, tmp_path: Path) -> None:
    script = pair.n1.layout.module("web").edited / "bin" / "start_prim"
    script.write_text("#!/bin/sh\n# sent by -E\n")
    code, out, err = on(pair, BOTH, "-E", "web")
    assert (code, err) == (0, ""), out
    assert out.count("is configured on this node") == 2
    assert "sent by -E" in (pair.n2.layout.module("web").applied_bin / "start_prim").read_text()


def test_the_cluster_is_sent(pair: Pair) -> None:
    code, out, err = on(pair, "[https:PORT],n2", "-G")
    assert (code, err) == (0, ""), out
    assert "the cluster is configured" in out


def test_only_a_node_may_send_a_command_line(pair: Pair) -> None:
    pki = pair.n1.layout.pki
    base = f"https://127.0.0.2:{pair.n2.https_port}"
    body = {"arguments": ["state"]}
    with httpx.Client(
        base_url=base, verify=tls_context(pki, server_side=False), timeout=60
    ) as plain:
        assert plain.post("/api/v1/peer/command", json=body).status_code == 403
    peer = PeerConsole("n2", ["127.0.0.2"], pair.n2.https_port, pki)
    answer = peer.ask("POST", "/api/v1/peer/command", b'{"arguments": ["node"]}')
    assert (answer.status, answer.json["code"]) == (422, "MIR-131")
    with pytest.raises(PeerNotReachable):
        PeerConsole("n2", [], 1, pki).ask("GET", "/api/v1/state", b"")

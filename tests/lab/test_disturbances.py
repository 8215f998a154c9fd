"""What does not end a host, but troubles the pair: rows of the failure table (design 14), one lab.

Each test leaves the pair as it found it: PRIM on n1, SECOND (Ready) on n2, both equal.
"""

import re
import shutil
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Literal

import pytest

from mirror.adapters.lab import plan
from mirror.adapters.lab.client import Lab
from mirror.config.layout import ports_of
from tests.lab.looking import (
    GAP_S,
    LEDGER,
    MODULE,
    RETURN_S,
    SHIPPED,
    TAKEOVER_S,
    assert_equal,
    await_in_log,
    await_states,
    holds_address,
    numbers_in,
    opened,
    state,
    told_state,
)
from tests.lab.writer import Writer, writing

pytestmark = [pytest.mark.lab, pytest.mark.slow]

HANGS = """#!/bin/sh
trap "" TERM INT HUP
while :; do sleep 61; done
"""
_NOISE = """
import os, socket, sys
host, kind, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
for size in (1, 7, 64, 1400, 20000):
    if kind == "udp":
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
            udp.sendto(os.urandom(min(size, 1400)), (host, port))
        continue
    with socket.create_connection((host, port), timeout=5) as tcp:
        tcp.settimeout(5)
        try:
            tcp.sendall(os.urandom(size))
            tcp.shutdown(socket.SHUT_WR)
            while tcp.recv(65536):
                pass
        except (ConnectionError, BrokenPipeError):
            pass
"""


def open_pair(run_name: str, directory: Path) -> AbstractContextManager[Lab]:
    module = directory / MODULE
    shutil.copytree(SHIPPED, module)
    file = module / "conf/userconfig.xml"
    patience = '<user nicestoptimeout="2s" forcestoptimeout="2s"'
    text = re.sub(
        r"<user\b( nicestoptimeout=\S+| forcestoptimeout=\S+)*", patience, file.read_text()
    )
    file.write_text(text)
    return opened(f"{run_name}-disturbed", module)


@contextmanager
def work(lab: Lab) -> Iterator[Writer]:
    """Numbers are written on n1; at the end n1 is PRIM, n2 SECOND, nothing lost or different."""
    lab.exec("n1", ["rm", "-f", LEDGER])
    with writing(lab, "n1", LEDGER) as writer:
        yield writer
        said = writer.stop()
    serves = "n2" if told_state(lab, "n2") == "PRIM (Ready)" else "n1"
    assert set(said) <= numbers_in(lab, serves)
    assert_equal(lab)
    if serves == "n2":
        lab.exec("n2", ["mirror", "swap", "-m", MODULE])
        await_states(lab, RETURN_S, n1="PRIM", n2="SECOND")


def await_pair(lab: Lab, timeout_s: float = RETURN_S) -> None:
    """One is PRIM and the other SECOND, both Ready."""
    deadline = time.monotonic() + timeout_s
    wanted = {"PRIM (Ready)", "SECOND (Ready)"}
    while (now := {state(lab, host) for host in plan.NODES}) != wanted:
        assert time.monotonic() < deadline, now
        time.sleep(0.1)


def listened_on(lab: Lab, host: str) -> list[tuple[str, int]]:
    """What a node listens on, on its own address: ("tcp" or "udp", port)."""
    found = []
    for kind, flag in (("tcp", "-Hltn"), ("udp", "-Hlun")):
        for line in lab.exec(host, ["ss", flag]).stdout.splitlines():
            address, _, port = line.split()[3].rpartition(":")
            if not address.startswith(("127.", "[::1]")):
                found.append((kind, int(port)))
    return sorted(set(found))


def test_a_link_that_flaps(pair: Lab) -> None:
    with work(pair) as writer:
        for lan in (*plan.LANS, *plan.LANS):
            for _ in range(2):
                pair.cut("n1", lan)
                writer.await_more(5)
                pair.heal("n1")
        await_pair(pair)


def test_both_networks_flap_at_once(pair: Lab) -> None:
    with work(pair) as writer:
        for _ in range(3):
            pair.cut("n2")
            pair.heal("n2")
        await_pair(pair)
        writer.await_more(20)


@pytest.mark.parametrize("direction", ["in", "out"])
def test_one_direction_is_cut(pair: Lab, direction: Literal["in", "out"]) -> None:
    with work(pair) as writer:
        pair.cut("n2", None, direction)
        # n2 hears nobody, or is heard by nobody: either way changes go on, on one side at least.
        deadline = time.monotonic() + TAKEOVER_S
        while "ALONE (Ready)" not in {state(pair, host) for host in plan.NODES}:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        pair.heal("n2")
        await_pair(pair)
        if told_state(pair, "n1") == "PRIM (Ready)":
            writer.await_more(20)


def test_the_data_link_is_cut_while_heartbeats_live(pair: Lab) -> None:
    rule = f"tcp dport {ports_of(1).data_tcp} drop"
    table = (
        f"table inet cut {{\nchain out {{\ntype filter hook output priority 0;\n{rule}\n}}\n}}\n"
    )
    with work(pair) as writer:
        pair.exec("n1", ["nft", "-f", "-"], stdin=table)
        await_states(pair, TAKEOVER_S, n1="ALONE")
        writer.await_more(20)
        assert "ALONE" not in told_state(pair, "n2")  # it hears that n1 serves
        assert holds_address(pair, "n1")
        assert not holds_address(pair, "n2")
        pair.exec("n1", ["nft", "delete table inet cut"])
        await_states(pair, RETURN_S, n1="PRIM", n2="SECOND")
        assert writer.longest_gap_s() < GAP_S


def test_the_secondary_is_paused_and_resumed(pair: Lab) -> None:
    with work(pair) as writer:
        pair.pause("n2")
        await_states(pair, TAKEOVER_S, n1="ALONE")
        writer.await_more(20)
        pair.resume("n2")
        await_states(pair, RETURN_S, n1="PRIM", n2="SECOND")
        assert writer.longest_gap_s() < GAP_S


def test_garbage_on_every_port(pair: Lab) -> None:
    ports = listened_on(pair, "n2")
    assert {kind for kind, _ in ports} == {"tcp", "udp"}
    address = pair.lab_plan.host("n2").ports[0].address
    with work(pair) as writer:
        for kind, port in ports:
            pair.exec("client", ["python3", "-c", _NOISE, address, kind, str(port)])
        writer.await_more(20)
        await_states(pair, TAKEOVER_S, n1="PRIM", n2="SECOND")
        assert writer.longest_gap_s() < GAP_S


def test_an_application_that_hangs_in_its_stop(pair: Lab) -> None:
    """stop_prim listens to no signal: it is killed, with all that it started; the roles change."""
    script = f"{plan.SAFE}/private/modules/{MODULE}/bin/stop_prim"
    pair.exec("n1", ["cp", "-p", script, "/root/stop_prim"])
    pair.exec("n1", ["tee", script], stdin=HANGS)
    with work(pair) as writer:
        writer.stop()
        pair.exec("n1", ["mirror", "swap", "-m", MODULE])
        await_states(pair, RETURN_S, n2="PRIM", n1="SECOND")
        assert holds_address(pair, "n2")
        pair.exec("n1", ["cp", "-p", "/root/stop_prim", script])
    deadline = time.monotonic() + TAKEOVER_S
    while left := pair.exec("n1", ["pgrep", "-f", "sleep 61"], check=False).stdout:
        assert time.monotonic() < deadline, left
    await_in_log(pair, "n1", "stop_prim")

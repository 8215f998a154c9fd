"""The failure table on real processes: a test a row, as far as a row can be provoked here."""

import os
import subprocess
import sys
import time
from contextlib import AbstractContextManager, suppress
from pathlib import Path

import pytest

from mirror.adapters.lab import module_setup, plan
from mirror.adapters.lab.client import Lab
from mirror.adapters.lab.comparison import lower_directories
from mirror.errors import LabVerbRefused
from tests.lab.looking import (
    GAP_S,
    LEDGER,
    MODULE,
    RETURN_S,
    SHIPPED,
    SILENCE_S,
    TAKEOVER_S,
    assert_equal,
    await_in_log,
    await_no_address,
    await_state,
    await_states,
    holds_address,
    numbers_in,
    opened,
    serve_at,
    stable_epoch,
    state,
    times_in_log,
    told_state,
)
from tests.lab.writer import writing

pytestmark = [pytest.mark.lab, pytest.mark.slow]

NARROW_MBIT = 20
NAMED = f"{plan.REPLICATED_DIRECTORY}/named"
NAMED_BYTES, SENT_BYTES = 64 << 20, 4 << 20
NAMING = f"""
import ctypes, os
fd = os.open({plan.REPLICATED_DIRECTORY!r}, os.O_TMPFILE | os.O_RDWR, 0o644)
for _ in range({NAMED_BYTES >> 20}):
    os.write(fd, os.urandom(1 << 20))
print("linking", flush=True)
result = ctypes.CDLL(None).linkat(-100, b"/proc/self/fd/%d" % fd, -100, {NAMED.encode()!r}, 0x400)
print("linked" if result == 0 else "refused", flush=True)
"""


def open_pair(run_name: str, _directory: Path) -> AbstractContextManager[Lab]:
    return opened(f"{run_name}-failures", SHIPPED)


@pytest.fixture(autouse=True)
def _n1_serves(pair: Lab) -> None:
    """PRIM on n1, SECOND (Ready) on n2, whatever the test before has done."""
    serve_at(pair, "n1")


def test_power_of_the_primary_is_lost(pair: Lab) -> None:
    with writing(pair, "n1", LEDGER) as writer:
        pair.power_off("n1")
        await_states(pair, TAKEOVER_S, n2="ALONE")
        said = writer.stop()
    assert set(said) <= numbers_in(pair, "n2")
    assert holds_address(pair, "n2")
    pair.boot("n1")
    await_states(pair, RETURN_S, n2="PRIM", n1="SECOND")
    assert not holds_address(pair, "n1")
    assert_equal(pair)


def test_power_of_the_secondary_is_lost(pair: Lab) -> None:
    with writing(pair, "n1", LEDGER) as writer:
        pair.power_off("n2")
        await_states(pair, TAKEOVER_S, n1="ALONE")
        writer.await_more(20)
        pair.boot("n2")
        await_states(pair, RETURN_S, n1="PRIM", n2="SECOND")
        writer.await_more(20)
        assert writer.longest_gap_s() < GAP_S
        said = writer.stop()
    assert set(said) <= numbers_in(pair, "n1")
    assert_equal(pair)


def test_the_data_plane_of_the_primary_is_killed(pair: Lab) -> None:
    with writing(pair, "n1", LEDGER) as writer:
        pair.kill("n1", "data")
        await_states(pair, RETURN_S, n2="PRIM", n1="SECOND")
        writer.await_error()
        said = writer.stop()
    assert set(said) <= numbers_in(pair, "n2")
    assert holds_address(pair, "n2")
    assert not holds_address(pair, "n1")
    assert_equal(pair)


def free_bytes(lab: Lab, host: str) -> int:
    (lower,) = lower_directories(lab, host, MODULE)
    found = os.statvfs(f"/proc/{lab.pid(host)}/root{lower}")
    return found.f_bavail * found.f_frsize


def test_the_primary_dies_while_a_file_gets_its_first_name(pair: Lab) -> None:
    """Who takes over has all of it, or nothing."""
    before = free_bytes(pair, "n2")
    for lan in plan.LANS:
        pair.shape("n2", lan, NARROW_MBIT)
    command = [sys.executable, "-c", NAMING]
    with pair.popen("n1", command, stdout=subprocess.PIPE, text=True) as naming:
        assert naming.stdout is not None
        assert naming.stdout.readline() == "linking\n"
        deadline = time.monotonic() + RETURN_S
        while free_bytes(pair, "n2") > before - SENT_BYTES:
            assert time.monotonic() < deadline, "nothing of it arrives"
            time.sleep(0.01)
        pair.kill("n1", "data")
        assert naming.stdout.readline() == "refused\n"
    for lan in plan.LANS:
        pair.shape("n2", lan, 0)
    await_states(pair, RETURN_S, n2="PRIM", n1="SECOND")
    assert pair.exec("n2", ["test", "-e", NAMED], check=False).returncode == 1
    assert free_bytes(pair, "n2") > before - SENT_BYTES // 2
    assert_equal(pair)


def test_the_mount_of_the_primary_is_taken_away(pair: Lab) -> None:
    """By somebody else: as an administrator's umount -f, or the kernel's abort."""
    with writing(pair, "n1", LEDGER) as writer:
        command = ["umount", "-f", plan.REPLICATED_DIRECTORY]
        pair.exec("n1", command, check=False)  # busy: it stays there, dead
        await_states(pair, RETURN_S, n2="PRIM", n1="SECOND")
        writer.await_error()
        said = writer.stop()
    assert set(said) <= numbers_in(pair, "n2")
    assert holds_address(pair, "n2")
    assert_equal(pair)


def test_the_data_plane_of_the_secondary_is_killed(pair: Lab) -> None:
    with writing(pair, "n1", LEDGER) as writer:
        pair.kill("n2", "data")
        writer.await_more(50)
        await_states(pair, RETURN_S, n1="PRIM", n2="SECOND")
        said = writer.stop()
    assert writer.longest_gap_s() < GAP_S
    assert set(said) <= numbers_in(pair, "n1")
    assert_equal(pair)


@pytest.mark.parametrize("host", plan.NODES)
def test_the_control_plane_is_killed(pair: Lab, host: str) -> None:
    with writing(pair, "n1", LEDGER) as writer:
        for _ in range(3):
            module_setup.await_spare(pair, host)
            pair.kill(host, "control")
            module_setup.await_node(pair, host)
            writer.await_more(50)
        await_states(pair, TAKEOVER_S, n1="PRIM", n2="SECOND")
        assert holds_address(pair, "n1")
        assert not holds_address(pair, "n2")
        assert writer.longest_gap_s() < GAP_S
        said = writer.stop()
    assert set(said) <= numbers_in(pair, "n1")
    assert_equal(pair)


def test_everything_of_the_primary_is_killed(pair: Lab) -> None:
    with writing(pair, "n1", LEDGER) as writer:
        pair.kill("n1", "all")
        await_states(pair, RETURN_S, n2="PRIM", n1="SECOND")
        said = writer.stop()
    assert set(said) <= numbers_in(pair, "n2")
    assert holds_address(pair, "n2")
    assert not holds_address(pair, "n1")
    assert_equal(pair)


def test_one_network_is_cut(pair: Lab) -> None:
    with writing(pair, "n1", LEDGER) as writer:
        pair.cut("n1", "lan2")
        writer.await_more(200)
        await_states(pair, TAKEOVER_S, n1="PRIM", n2="SECOND")
        assert writer.longest_gap_s() < GAP_S
        pair.heal("n1")
        await_states(pair, TAKEOVER_S, n1="PRIM", n2="SECOND")


def test_a_firewall_drops_the_heartbeats_alone(pair: Lab) -> None:
    """The data link lives, and nothing is written: silence is no death (design 9)."""
    chain = "type filter hook input priority 0\nmeta l4proto udp drop"
    drop = f"table inet deaf {{\nchain heard {{\n{chain}\n}}\n}}\n"
    words = ("the data link lives", "Heartbeat heard on default", "Local state ")
    before = {(host, one): times_in_log(pair, host, one) for host in plan.NODES for one in words}
    for host in plan.NODES:
        pair.exec(host, ["nft", "-f", "-"], stdin=drop)
    for host in plan.NODES:
        await_in_log(pair, host, words[0], before[host, words[0]] + 1)
    calm_until = time.monotonic() + 3 * SILENCE_S
    while time.monotonic() < calm_until:
        await_states(pair, TAKEOVER_S, n1="PRIM", n2="SECOND")
    with writing(pair, "n1", LEDGER) as writer:
        writer.await_more(200)
        for host in plan.NODES:
            pair.exec(host, ["nft", "delete", "table", "inet", "deaf"])
        await_in_log(pair, "n2", words[1], before["n2", words[1]] + 1)
        said = writer.stop()
    for host in plan.NODES:
        assert times_in_log(pair, host, words[2]) == before[host, words[2]], "no state changed"
    assert set(said) <= numbers_in(pair, "n2")


def test_all_networks_are_cut_without_a_witness(pair: Lab) -> None:
    with writing(pair, "n1", LEDGER) as writer:
        pair.cut("n1")
        await_states(pair, TAKEOVER_S, n1="ALONE", n2="ALONE")
        pair.exec("n2", ["sh", "-c", f"echo here > {plan.REPLICATED_DIRECTORY}/only-on-n2"])
        writer.await_more(20)
        pair.heal("n1")
        await_states(pair, RETURN_S, n1="PRIM", n2="SECOND")
        said = writer.stop()
    # As SafeKit: the former PRIM stays. Nothing of the other side is thrown away.
    assert set(said) <= numbers_in(pair, "n1")
    await_in_log(pair, "n1", "Split brain recovery: staying alone")
    find = ["find", "/var/lib/mirror", plan.REPLICATED_DIRECTORY, "-name", "only-on-n2*"]
    kept = pair.exec("n2", find, check=False).stdout
    assert "only-on-n2" in kept
    assert_equal(pair)


def test_a_node_is_paused_and_resumed(pair: Lab) -> None:
    with writing(pair, "n1", LEDGER) as writer:
        pair.pause("n1")
        await_states(pair, TAKEOVER_S, n2="ALONE")
        pair.exec("n2", ["sh", "-c", f"echo after > {plan.REPLICATED_DIRECTORY}/after"])
        pair.resume("n1")
        await_states(pair, RETURN_S, n2="PRIM", n1="SECOND")
        said = writer.stop()
    assert set(said) <= numbers_in(pair, "n2")
    assert_equal(pair)


def test_roles_are_swapped(pair: Lab) -> None:
    with writing(pair, "n1", LEDGER) as writer:
        said = writer.stop()
    pair.exec("n1", ["mirror", "swap", "-m", MODULE])
    await_states(pair, RETURN_S, n2="PRIM", n1="SECOND")
    assert set(said) <= numbers_in(pair, "n2")
    assert holds_address(pair, "n2")
    assert not holds_address(pair, "n1")
    pair.exec("n1", ["mirror", "swap", "-m", MODULE])
    await_states(pair, RETURN_S, n1="PRIM", n2="SECOND")
    assert_equal(pair)


def test_the_primary_is_stopped_and_started(pair: Lab) -> None:
    with writing(pair, "n1", LEDGER) as writer:
        said = writer.stop()
    pair.exec("n1", ["mirror", "waitstop", "-m", MODULE])
    await_states(pair, TAKEOVER_S, n2="ALONE")
    assert plan.REPLICATED_DIRECTORY not in pair.exec("n1", ["cat", "/proc/mounts"]).stdout
    assert set(said) <= numbers_in(pair, "n2")
    pair.exec("n1", ["mirror", "start", "-m", MODULE])
    await_states(pair, RETURN_S, n2="PRIM", n1="SECOND")
    assert_equal(pair)


def test_files_are_edited_while_both_are_stopped(pair: Lab) -> None:
    edited, other = f"{plan.REPLICATED_DIRECTORY}/edited", f"{plan.REPLICATED_DIRECTORY}/other"
    pair.exec("n1", ["sh", "-c", f"echo before > {edited}; echo before > {other}"])
    pair.exec("n1", ["mirror", "waitstop", "-m", MODULE])
    await_states(pair, TAKEOVER_S, n2="ALONE")
    pair.exec("n2", ["mirror", "waitstop", "-m", MODULE])
    # n2 has served last: it will be the source.
    pair.exec("n1", ["sh", "-c", f"echo of n1 > {edited}; echo of n1 > {other}"])
    pair.exec("n2", ["sh", "-c", f"echo of n2 > {edited}"])
    for host in ("n2", "n1"):
        pair.exec(host, ["mirror", "start", "-m", MODULE])
    await_states(pair, RETURN_S, n2="PRIM", n1="SECOND")
    assert_equal(pair)
    assert pair.exec("n2", ["cat", edited, other]).stdout == "of n2\nbefore\n"
    (directory,) = lower_directories(pair, "n1", MODULE)
    kept = pair.exec("n1", ["sh", "-c", f"cat {directory}/.mirror/aside/edited-*/files/*"])
    assert kept.stdout == "of n1\nof n1\n"


def test_a_control_plane_that_does_not_come_back(pair: Lab) -> None:
    with writing(pair, "n1", LEDGER) as writer:
        deadline = time.monotonic() + RETURN_S
        # Whenever one is started it dies: the guardian acts, and only then the peer takes over.
        while state(pair, "n2") != "ALONE (Ready)":
            assert time.monotonic() < deadline
            with suppress(LabVerbRefused):
                pair.kill("n1", "control")
        writer.await_error()
        await_no_address(pair, "n1")
        said = writer.stop()
    assert set(said) <= numbers_in(pair, "n2")
    await_states(pair, RETURN_S, n2="PRIM", n1="SECOND")
    assert_equal(pair)


def test_both_lose_their_power(pair: Lab) -> None:
    with writing(pair, "n1", LEDGER) as writer:
        writer.await_more(200)
        kept_for_certain = stable_epoch(pair, "n1") + 2  # the next one may have begun before
        deadline = time.monotonic() + RETURN_S
        while stable_epoch(pair, "n1") < kept_for_certain:
            assert time.monotonic() < deadline, "no checkpoint"
            writer.await_more(1)
        # In this order: n2, did it live on for long enough, would rightly serve.
        pair.power_off("n2")
        pair.power_off("n1")
        said = writer.stop()
    pair.boot("n2")  # it was the secondary: n1 may have gone on alone without it
    await_state(pair, "n2", "WAIT (NotReady)")
    time.sleep(SILENCE_S + 1)  # that it goes on waiting is what is tested
    assert told_state(pair, "n2") == "WAIT (NotReady)"
    pair.boot("n1")
    await_states(pair, RETURN_S, n1="PRIM", n2="SECOND")
    assert_equal(pair)
    # The application synced nothing: what came after the last checkpoint, about a second, is gone.
    # Within a block that was on disk, ext4 may have kept the size and not the bytes: zeros.
    text = pair.exec("n1", ["cat", LEDGER]).stdout.partition("\0")[0]
    kept = {int(line) for line in text[: text.rfind("\n") + 1].split()}
    assert kept == set(range(len(kept)))
    assert 100 < len(kept) <= len(said) + 1


def test_the_primary_loses_its_power_during_reintegration(pair: Lab) -> None:
    pair.power_off("n2")
    await_states(pair, TAKEOVER_S, n1="ALONE")
    fill = "head -c 100M /dev/urandom > /srv/mirror/big; sync"
    pair.exec("n1", ["sh", "-c", fill])
    pair.boot("n2")
    for lan in plan.LANS:
        pair.shape("n2", lan, NARROW_MBIT)  # it lasts much longer than the test needs
    await_state(pair, "n2", "SECOND (NotReady)")
    pair.power_off("n1")
    time.sleep(SILENCE_S + 3)  # that nothing happens is what is tested
    assert "ALONE" not in told_state(pair, "n2")  # never a mixed copy promoted
    for lan in plan.LANS:
        pair.shape("n2", lan, 0)
    pair.boot("n1")
    await_states(pair, RETURN_S, n1="PRIM", n2="SECOND")
    assert_equal(pair)

"""Disks that are full, break, are slow or hang (the failure table), on either node."""

import re
import shutil
import time
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from mirror.adapters.lab import plan
from mirror.adapters.lab.client import Lab
from tests.lab.looking import (
    LEDGER,
    MODULE,
    RETURN_S,
    SHIPPED,
    SILENCE_S,
    TAKEOVER_S,
    assert_equal,
    await_in_log,
    await_state,
    await_states,
    holds_address,
    numbers_in,
    opened,
    serve_at,
)
from tests.lab.writer import writing

pytestmark = [pytest.mark.lab, pytest.mark.slow]

STALL_S = 8.0
STANDS_STILL_S = 3 * SILENCE_S
ALONE_AND_BACK_S = 20.0  # recorded alone on this disk, and a machine at work; still no 30 s


def open_pair(run_name: str, directory: Path) -> AbstractContextManager[Lab]:
    """A secondary that hangs may stall the application for STALL_S."""
    module = directory / MODULE
    shutil.copytree(SHIPPED, module)
    file = module / "conf" / "userconfig.xml"
    patience = f'<rfs sendtimeout="{STALL_S:.0f}"'
    file.write_text(re.sub(r"<rfs\b", patience, file.read_text(), count=1))
    return opened(f"{run_name}-pairdisks", module, faulty_disks=True)


def await_line(lab: Lab, host: str, text: str) -> None:
    """Wait for a line of the node's log: the module log lies on the disk that may be full."""
    deadline = time.monotonic() + TAKEOVER_S
    file = Path(lab.facts()["hosts"][host]["log"])
    while text not in (said := file.read_text()):
        assert time.monotonic() < deadline, said[-3000:]
        time.sleep(0.2)


def test_a_hung_disk_of_the_secondary_stalls_for_a_bounded_time(pair: Lab) -> None:
    with writing(pair, "n1", LEDGER) as writer:
        pair.disk("n2", "hang")
        await_states(pair, TAKEOVER_S + STALL_S, n1="ALONE")
        writer.await_more(50)
        assert writer.longest_gap_s() < STALL_S + ALONE_AND_BACK_S
        assert not writer.error
        said = writer.stop()
    assert set(said) <= numbers_in(pair, "n1")
    await_line(pair, "n1", "Link lost: ")
    pair.power_off("n2")
    pair.disk("n2", "heal")
    pair.boot("n2")
    await_states(pair, RETURN_S, n1="PRIM", n2="SECOND")
    assert_equal(pair)


def test_a_slow_disk_of_the_secondary_is_waited_for(pair: Lab) -> None:
    pair.disk("n2", "slow", 20)
    with writing(pair, "n1", LEDGER) as writer:
        writer.await_more(200)
        assert not writer.error
    pair.disk("n2", "heal")
    await_states(pair, RETURN_S, n1="PRIM", n2="SECOND")
    assert_equal(pair)


def node_log(lab: Lab, host: str) -> str:
    """What the node's processes say; it does not lie on the node's disk."""
    return Path(lab.facts()["hosts"][host]["log"]).read_text()


def test_who_decides_comes_before_ordinary_work_and_what_it_starts_does_not(pair: Lab) -> None:
    policy = 'for p in $(pgrep "$0" "$1"); do chrt -p $p; done | sed -n "s/.*policy: //p"'
    deciding = pair.exec("n1", ["sh", "-c", policy, "-x", "mirror-control"]).stdout.split()
    assert deciding == ["SCHED_RR|SCHED_RESET_ON_FORK"]
    started = pair.exec(
        "n1", ["sh", "-c", policy, "-f", "mirror.daemon.data_plan[e]"]
    ).stdout.split()
    assert started == ["SCHED_OTHER"]


def test_the_control_plane_stores_into_no_file_of_the_disk(pair: Lab) -> None:
    """A store into a page on its way to the disk waits for it, with the interpreter's lock held.

    But for SQLite's: its calls are made without that lock.
    """
    script = "cat /proc/$(pgrep -x mirror-control)/maps"
    maps = pair.exec("n1", ["sh", "-c", script]).stdout.splitlines()
    shared = [line for line in maps if line.split()[1] == "rw-s" and line.split()[-1][0] == "/"]
    assert len(maps) > len(shared)
    assert [line for line in shared if not line.endswith("-shm")] == []


def test_a_disk_of_the_primary_that_stands_still_is_no_death(pair: Lab) -> None:
    """Nothing that the heartbeats need waits for a disk, not even for a page of a file."""
    before = {host: len(node_log(pair, host)) for host in plan.NODES}
    with writing(pair, "n1", LEDGER) as writer:
        pair.exec("n1", ["sync"])
        pair.disk("n1", "hang")
        # A transaction that cannot end: from now on who touches a clean page of a file waits.
        syncing = pair.popen("n1", ["sh", "-c", "date > /var/tmp/touched; sync"])
        time.sleep(STANDS_STILL_S)  # what must not happen meanwhile is no event to wait for
        pair.disk("n1", "heal")
        assert syncing.wait(RETURN_S) == 0
        writer.await_more(50)
        assert not writer.error
        said = writer.stop()
    await_states(pair, TAKEOVER_S, n1="PRIM", n2="SECOND")
    assert set(said) <= numbers_in(pair, "n1")
    after = {host: node_log(pair, host)[size:] for host, size in before.items()}
    assert "control plane lost" not in after["n1"]
    assert "Heartbeat lost" not in after["n2"]


def await_reason(lab: Lab, host: str, text: str) -> None:
    """Wait until `state` gives this reason."""
    deadline = time.monotonic() + TAKEOVER_S
    while text not in (said := lab.exec(host, ["mirror", "state", "-m", MODULE]).stdout):
        assert time.monotonic() < deadline, said
        time.sleep(0.2)


def write_a_file(lab: Lab, host: str, name: str) -> str:
    """8 MiB, as the application does it; what dd says."""
    target = f"of={plan.REPLICATED_DIRECTORY}/{name}"
    command = ["dd", "if=/dev/zero", target, "bs=1M", "count=8", "conv=fsync"]
    return lab.exec(host, ["env", "LC_ALL=C", *command], check=False).stderr


def partings(lab: Lab, host: str) -> int:
    """How often the node's log, which lies elsewhere, says that the link was lost."""
    return Path(lab.facts()["hosts"][host]["log"]).read_text().count("Link lost: ")


def test_a_full_disk_of_the_primary_is_only_an_errno(pair: Lab) -> None:
    before = partings(pair, "n1")
    pair.fill_disk("n1")
    assert "No space left on device" in write_a_file(pair, "n1", "large")
    await_states(pair, TAKEOVER_S, n1="PRIM", n2="SECOND")
    pair.free_disk("n1")
    assert_equal(pair)
    assert "8388608 bytes" in write_a_file(pair, "n1", "large")
    assert_equal(pair)
    assert partings(pair, "n1") == before


def overwrite(lab: Lab, host: str, name: str) -> str:
    """The first 4 KiB of a file that is there; what dd says."""
    target = f"of={plan.REPLICATED_DIRECTORY}/{name}"
    command = ["dd", "if=/dev/urandom", target, "bs=4k", "count=1", "conv=notrunc,fsync"]
    return lab.exec(host, ["env", "LC_ALL=C", *command], check=False).stderr


def test_a_full_disk_of_the_primary_lets_it_go_on_alone(pair: Lab) -> None:
    """The disk on which its record lies: what it must write then was given room before."""
    assert "8388608 bytes" in write_a_file(pair, "n1", "known")
    pair.fill_disk("n1")
    pair.power_off("n2")
    assert "4096 bytes" in overwrite(pair, "n1", "known")
    await_states(pair, TAKEOVER_S, n1="ALONE")
    assert "4096 bytes" in overwrite(pair, "n1", "known")
    pair.boot("n2")
    # What it notes alone is preallocated too, so it can be joined while the disk is full.
    await_states(pair, RETURN_S, n1="PRIM", n2="SECOND")
    pair.free_disk("n1")
    assert_equal(pair)


def test_a_primary_alone_whose_index_is_damaged_goes_on_and_all_is_compared(pair: Lab) -> None:
    """What it named is known to nobody any more."""
    index = f"{plan.SAFEVAR}/modules/{MODULE}/index/data.mdb"
    pair.power_off("n2")
    assert "8388608 bytes" in write_a_file(pair, "n1", "unnamed")
    await_states(pair, TAKEOVER_S, n1="ALONE")
    pair.exec("n1", ["dd", "if=/dev/zero", f"of={index}", "bs=4k", "seek=2", "count=99"])
    pair.kill("n1", "data")
    await_in_log(pair, "n1", "The dirty index is damaged; it is now ")
    await_states(pair, RETURN_S, n1="ALONE")
    pair.boot("n2")
    await_states(pair, RETURN_S, n1="PRIM", n2="SECOND")
    assert_equal(pair)


def await_spare(lab: Lab, host: str) -> None:
    """Until one has imported everything, a successor comes too late on a machine at work."""
    looks = "cat /proc/[0-9]*/comm | grep -x mirror-spare"
    deadline = time.monotonic() + RETURN_S
    while not lab.exec(host, ["sh", "-c", looks], check=False).stdout:
        assert time.monotonic() < deadline, "no spare control plane"
        time.sleep(0.2)


def await_in_trace(lab: Lab, host: str, first: str, then: str) -> None:
    """Wait for a line of the node's log that follows another one."""
    deadline = time.monotonic() + TAKEOVER_S
    file = Path(lab.facts()["hosts"][host]["log"])
    while first not in (said := file.read_text()) or then not in said.rpartition(first)[2]:
        assert time.monotonic() < deadline, said[-3000:]
        time.sleep(0.2)


def test_the_control_plane_of_a_primary_with_a_full_disk_is_killed(pair: Lab) -> None:
    """What its successor must know was given room before, too: the application goes on."""
    assert "8388608 bytes" in write_a_file(pair, "n1", "again")
    pair.fill_disk("n1")
    pair.power_off("n2")
    await_states(pair, TAKEOVER_S, n1="ALONE")
    await_spare(pair, "n1")
    pair.kill("n1", "control")
    await_states(pair, TAKEOVER_S, n1="ALONE")
    assert "4096 bytes" in overwrite(pair, "n1", "again")
    pair.exec("n1", ["mirror", "stopstart", "-m", MODULE])
    await_in_trace(pair, "n1", "Action stopstart called by administrator", "Script start_prim")
    await_states(pair, TAKEOVER_S, n1="ALONE")
    assert "4096 bytes" in overwrite(pair, "n1", "again")
    pair.boot("n2")
    await_states(pair, RETURN_S, n1="PRIM", n2="SECOND")
    pair.free_disk("n1")
    assert_equal(pair)


def test_what_serves_here_is_ended_when_its_state_was_not_saved(pair: Lab) -> None:
    """The disk took no state since the module was stopped: it is not taken for stopped."""
    serve_at(pair, "n1")
    file = f"{plan.SAFEVAR}/modules/{MODULE}/state/automaton.json"
    pair.exec("n1", ["sed", "-i", 's/"state": "[A-Z]*"/"state": "STOP"/', file])
    pair.kill("n1", "control")
    await_states(pair, RETURN_S, n1="SECOND", n2="PRIM")
    assert not holds_address(pair, "n1")
    serve_at(pair, "n1")


def test_a_full_disk_of_the_secondary_says_so_and_it_returns_by_itself(pair: Lab) -> None:
    pair.fill_disk("n2")
    await_line(pair, "n2", "Disk nearly full")
    assert "8388608 bytes" in write_a_file(pair, "n1", "larger")
    await_states(pair, TAKEOVER_S, n1="ALONE")
    await_line(pair, "n1", "Link lost: the secondary ")
    await_line(pair, "n2", "Link lost: No space left on device")
    await_reason(pair, "n2", "Disk nearly full: ")
    pair.free_disk("n2")
    await_states(pair, RETURN_S, n1="PRIM", n2="SECOND")
    assert_equal(pair)


def test_a_broken_disk_of_the_secondary_says_so_and_is_left_out(pair: Lab) -> None:
    with writing(pair, "n1", LEDGER) as writer:
        pair.disk("n2", "error")
        await_states(pair, TAKEOVER_S, n1="ALONE")
        writer.await_more(50)
        assert not writer.error
        said = writer.stop()
    await_line(pair, "n2", "durable record not written")
    pair.power_off("n2")
    pair.disk("n2", "heal")
    pair.boot("n2")
    await_states(pair, RETURN_S, n1="PRIM", n2="SECOND")
    assert set(said) <= numbers_in(pair, "n1")
    assert_equal(pair)


def test_a_broken_disk_of_the_primary_moves_the_service(pair: Lab) -> None:
    """All of its disk, on which its record and its scripts lie too."""
    with writing(pair, "n1", LEDGER) as writer:
        pair.disk("n1", "error")
        await_states(pair, TAKEOVER_S, n2="ALONE")
        said = writer.stop()
    assert set(said) <= numbers_in(pair, "n2")
    await_line(pair, "n1", "this node's disk")
    pair.power_off("n1")
    pair.disk("n1", "heal")
    pair.boot("n1")
    await_states(pair, RETURN_S, n2="PRIM", n1="SECOND")
    assert_equal(pair)


def test_a_stop_ends_on_a_broken_disk_of_the_node_that_serves_alone(pair: Lab) -> None:
    pair.exec("n2", ["mirror", "stop", "-m", MODULE])
    await_states(pair, TAKEOVER_S, n1="ALONE")
    write_a_file(pair, "n1", "synced")
    with writing(pair, "n1", LEDGER) as writer:  # never synced
        writer.await_more(20)
        pair.disk("n1", "error")
        pair.exec("n1", ["mirror", "stop", "-m", MODULE])
    await_state(pair, "n1", "STOP (NotReady)")
    await_line(pair, "n1", "this node's disk failed to sync")
    pair.power_off("n1")
    pair.disk("n1", "heal")
    pair.boot("n1")
    await_states(pair, RETURN_S, n1="ALONE")  # that it was stopped could not be saved
    pair.exec("n2", ["mirror", "start", "-m", MODULE])
    await_states(pair, RETURN_S, n1="PRIM", n2="SECOND")
    pair.exec("n1", ["test", "-s", f"{plan.REPLICATED_DIRECTORY}/synced"])
    assert_equal(pair)


def test_forcestop_ends_a_stop_that_a_broken_disk_cannot_record(pair: Lab) -> None:
    """The secondary serves by this node's word meanwhile."""
    pair.disk("n1", "error")
    pair.exec("n1", ["mirror", "stop", "-m", MODULE], check=False)
    await_states(pair, TAKEOVER_S, n2="ALONE")
    await_reason(pair, "n1", "Not recorded yet: ")
    pair.exec("n1", ["mirror", "forcestop", "-m", MODULE], check=False)
    await_state(pair, "n1", "STOP (NotReady)")
    pair.power_off("n1")
    pair.disk("n1", "heal")
    pair.boot("n1")
    await_states(pair, RETURN_S, n2="PRIM", n1="SECOND")
    assert_equal(pair)

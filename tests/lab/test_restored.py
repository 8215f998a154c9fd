"""A disk that is put back to a snapshot of an earlier day, its record with it (design 14)."""

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mirror.adapters.lab import module_setup, plan
from mirror.adapters.lab.client import Lab
from mirror.adapters.lab.comparison import lower_directories
from tests.lab.looking import (
    MODULE,
    RETURN_S,
    SHIPPED,
    TAKEOVER_S,
    assert_equal,
    await_in_log,
    await_states,
    opened,
    stable_epoch,
    told_state,
)

pytestmark = [pytest.mark.lab, pytest.mark.slow]


@pytest.fixture
def pair(run_name: str) -> Iterator[Lab]:
    """PRIM on n1, SECOND (Ready) on n2."""
    with opened(f"{run_name}-restored", SHIPPED) as lab:
        yield lab


def write(lab: Lab, host: str, name: str, text: str) -> None:
    """Write a file there, and wait until both disks hold it for certain."""
    before = stable_epoch(lab, "n2")
    file = f"{plan.REPLICATED_DIRECTORY}/{name}"
    lab.exec(host, ["sh", "-c", f"echo {text} > {file}"])
    deadline = time.monotonic() + RETURN_S
    number = 0
    while stable_epoch(lab, "n2") < before + 3:  # checkpoints come with changes
        assert time.monotonic() < deadline
        number += 1
        lab.exec(host, ["sh", "-c", f"echo {number} > {plan.REPLICATED_DIRECTORY}/noise"])


def image(lab: Lab, host: str) -> Path:
    return Path(lab.facts()["hosts"][host]["disk"])


def take_snapshot(lab: Lab, host: str) -> Path:
    """As a hypervisor does: of a machine that runs, its file system frozen for the moment."""
    copy = image(lab, host).with_suffix(".snapshot")
    # As seen from outside: a process of the host could not end while its disk is frozen.
    top = f"/proc/{lab.pid(host)}/root/srv"
    subprocess.run(["fsfreeze", "--freeze", top], check=True)
    try:
        subprocess.run(["cp", "--sparse=always", image(lab, host), copy], check=True)
    finally:
        subprocess.run(["fsfreeze", "--unfreeze", top], check=True)
    return copy


def put_back(lab: Lab, host: str, snapshot: Path) -> None:
    """The host is off: its disk is what it was."""
    subprocess.run(["cp", "--sparse=always", snapshot, image(lab, host)], check=True)


def text_beneath(lab: Lab, host: str, name: str) -> str:
    (lower,) = lower_directories(lab, host, MODULE)
    return lab.exec(host, ["cat", f"{lower}/{name}"], check=False).stdout


def test_a_secondary_that_was_put_back_is_compared_as_a_whole(pair: Lab) -> None:
    write(pair, "n1", "old", "before")
    pair.exec("n2", ["mirror", "waitstop", "-m", MODULE])
    pair.exec("n2", ["mirror", "start", "-m", MODULE])
    await_states(pair, RETURN_S, n1="PRIM", n2="SECOND")
    # From here on nothing but the marks tells of the change: neither n1's index, which counts from
    # the parting, nor n2's scan, which looks for what changed since this start.
    write(pair, "n1", "noise", "0")
    snapshot = take_snapshot(pair, "n2")
    write(pair, "n1", "old", "later")
    pair.power_off("n2")
    await_states(pair, TAKEOVER_S, n1="ALONE")
    put_back(pair, "n2", snapshot)
    pair.boot("n2")
    await_states(pair, RETURN_S, n1="PRIM", n2="SECOND")
    assert text_beneath(pair, "n2", "old") == "later\n"
    assert_equal(pair)


def test_a_primary_that_was_put_back_is_never_the_source(pair: Lab) -> None:
    write(pair, "n1", "file", "before")
    snapshot = take_snapshot(pair, "n1")
    write(pair, "n1", "file", "later")
    # n2 leaves first: by its record it is as old as the snapshot, by its disk it is not.
    pair.exec("n2", ["mirror", "waitstop", "-m", MODULE])
    pair.exec("n1", ["mirror", "waitstop", "-m", MODULE])
    pair.power_off("n1")
    put_back(pair, "n1", snapshot)
    pair.boot("n1")
    module_setup.await_node(pair, "n1")
    pair.exec("n1", ["mirror", "prim", "-m", MODULE], check=False)
    pair.exec("n2", ["mirror", "start", "-m", MODULE])
    await_in_log(pair, "n1", "was put back to an earlier day")
    assert told_state(pair, "n2") != "SECOND (Ready)"
    assert text_beneath(pair, "n2", "file") == "later\n"
    # As the sentence says.
    pair.exec("n1", ["mirror", "waitstop", "-m", MODULE])
    pair.exec("n2", ["mirror", "waitstop", "-m", MODULE])
    pair.exec("n2", ["mirror", "primforce", "-m", MODULE])
    await_states(pair, RETURN_S, n2="ALONE")
    pair.exec("n1", ["mirror", "start", "-m", MODULE])
    await_states(pair, RETURN_S, n2="PRIM", n1="SECOND")
    assert text_beneath(pair, "n1", "file") == "later\n"
    assert_equal(pair)

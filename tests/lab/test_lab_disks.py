"""Disks that are told to fail, and what a host sees of it."""

import itertools
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from mirror.adapters.lab.client import Lab
from mirror.errors import LabVerbRefused

pytestmark = pytest.mark.lab

SLOW_MS = 1000  # of each read and write
HANGS_S = 0.5
END_S = 60.0

# Says that it begins, writes a new file, syncs it; the error's name or the milliseconds it took.
SYNC = """
import errno, os, sys, time
begun = time.monotonic()
print("begins", flush=True)
try:
    file = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT)
    os.write(file, b"x" * 10_000)
    os.fsync(file)
except OSError as error:
    print(errno.errorcode[error.errno])
else:
    print(int((time.monotonic() - begun) * 1000))
"""


@pytest.fixture
def lab(run_name: str) -> Iterator[Lab]:
    """A lab whose disks can be broken and whose nodes do nothing."""
    idle = ("sleep", "infinity")
    with Lab.up(f"{run_name}-disks", node_command=idle, faulty_disks=True, bound=True) as running:
        yield running


def sync_new_file(lab: Lab, name: str) -> str:
    """What SYNC says on n1 at its end."""
    return lab.exec("n1", [sys.executable, "-c", SYNC, f"/srv/{name}"]).stdout.split()[-1]


def await_a_fast_sync(lab: Lab, name: str) -> None:
    """Wait for one that a slow disk could not make; a machine at work makes slow ones too."""
    deadline = time.monotonic() + END_S
    for number in itertools.count():
        if int(sync_new_file(lab, f"{name}{number}")) < 2 * SLOW_MS:
            return
        assert time.monotonic() < deadline, "every sync is slow"


@contextmanager
def hanging_writer(lab: Lab, name: str) -> Iterator["subprocess.Popen[str]"]:
    """SYNC on n1, whose disk hangs, once it has begun."""
    command = [sys.executable, "-c", SYNC, f"/srv/{name}"]
    with lab.popen("n1", command, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "begins\n"
        with pytest.raises(subprocess.TimeoutExpired):
            writer.wait(HANGS_S)
        yield writer


def test_a_slow_disk_delays_every_sync(lab: Lab) -> None:
    await_a_fast_sync(lab, "before")
    lab.disk("n1", "slow", SLOW_MS)
    assert int(sync_new_file(lab, "slowly")) >= 2 * SLOW_MS  # data, then the journal
    lab.disk("n1", "heal")
    await_a_fast_sync(lab, "after")


def test_a_broken_disk_gives_io_errors_and_is_good_after_a_repair(lab: Lab) -> None:
    sync_new_file(lab, "safe")
    lab.disk("n1", "error")
    assert sync_new_file(lab, "refused") == "EIO"
    lab.power_off("n1")
    lab.disk("n1", "heal")
    lab.boot("n1")
    assert lab.exec("n1", ["stat", "-c", "%s", "/srv/safe"]).stdout == "10000\n"
    assert sync_new_file(lab, "again").isdigit()


def test_a_hanging_disk_holds_a_sync_until_it_is_healed(lab: Lab) -> None:
    lab.disk("n1", "hang")
    with hanging_writer(lab, "held") as writer:
        lab.disk("n1", "heal")
        assert writer.stdout is not None
        assert int(writer.stdout.readline()) >= HANGS_S * 1000


def test_power_can_be_cut_while_the_disk_hangs(lab: Lab) -> None:
    sync_new_file(lab, "safe")
    lab.disk("n1", "hang")
    with hanging_writer(lab, "lost") as writer:
        lab.power_off("n1")
        writer.wait(END_S)
    lab.disk("n1", "heal")
    lab.boot("n1")
    listing = lab.exec(
        "n1", ["sh", "-c", "stat -c %s /srv/safe; cat /srv/lost 2>&1 | tr -d '\\0'"]
    )
    assert listing.stdout.startswith("10000\n")
    assert "xxx" not in listing.stdout


def test_a_killed_lab_with_a_hanging_disk_ends(run_name: str) -> None:
    idle = ("sleep", "infinity")
    lab = Lab.up(f"{run_name}-hanging", node_command=idle, faulty_disks=True)
    lab.disk("n1", "hang")
    with hanging_writer(lab, "lost") as writer:
        subprocess.run(["kill", "-9", str(lab.facts()["keeper_pid"])], check=True)
        lab.down()
        writer.wait(END_S)
    assert not lab.registry.exists()


def test_a_plain_disk_says_that_it_cannot_be_broken(run_name: str) -> None:
    idle = ("sleep", "infinity")
    with (
        Lab.up(f"{run_name}-plain", node_command=idle, bound=True) as lab,
        pytest.raises(LabVerbRefused, match="--faulty-disks"),
    ):
        lab.disk("n1", "error")


def test_power_can_be_cut_while_a_process_waits_for_a_stopped_file_server(lab: Lab) -> None:
    """A process held in a FUSE request does not die of SIGKILL; without power it must."""
    serve = (
        "import os, sys\n"
        "from mirror.adapters.lab import bad_disk\n"
        "os.mkdir('/srv/mounted')\n"
        "open('/srv/image', 'wb').truncate(1 << 20)\n"
        "sys.argv[1:] = ['/srv/image', '/srv/mounted', str(os.getppid())]\n"
        "bad_disk.main()\n"
    )
    command, pipe = [sys.executable, "-c", serve], subprocess.PIPE
    with lab.popen("n1", command, stdin=pipe, stdout=pipe) as server:
        assert server.stdout is not None
        assert server.stdin is not None
        assert server.stdout.readline() == b"mounted\n"
        server.stdin.write(b"hang\n")
        server.stdin.flush()
        assert server.stdout.readline() == b"done\n"
        read = ["sh", "-c", "echo; exec cat /srv/mounted/disk.img"]
        with lab.popen("n1", read, stdout=subprocess.PIPE) as reader:
            assert reader.stdout is not None
            assert reader.stdout.readline() == b"\n"
            lab.pause("n1")
            lab.power_off("n1")
            assert reader.wait(END_S) != 0
        assert server.wait(END_S) != 0
    lab.boot("n1")

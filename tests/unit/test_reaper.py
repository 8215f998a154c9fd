"""A killed run leaves a process, a mount, a loop device, a namespace; the next cleans them up."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests import reaper

LEAVE_EVERYTHING = """
import subprocess, sys, time
from tests.reaper import Run
run = Run()
run.directory.mkdir()
image = run.directory / "image"
image.write_bytes(bytes(1 << 20))
mount = run.directory / "mount"
mount.mkdir()
subprocess.run(["mkfs.ext4", "-q", "-F", image], check=True)
subprocess.run(["mount", "-o", "loop", image, mount], check=True)
subprocess.run(["ip", "netns", "add", f"{run.name}-a"], check=True)
child = subprocess.Popen(["sleep", "600"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
print(run.name, child.pid, flush=True)
sys.stdin.read()
"""


def is_alive(pid: int) -> bool:
    """A zombie is dead."""
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False


def test_the_next_run_cleans_up_after_a_killed_one() -> None:
    if os.geteuid() != 0:
        pytest.skip("makes namespaces and mounts: needs root")
    with subprocess.Popen(
        [sys.executable, "-c", LEAVE_EVERYTHING],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as victim:
        assert victim.stdout is not None
        name, child = victim.stdout.readline().split()
        assert name in Path("/proc/self/mountinfo").read_text()
        assert name not in reaper.reap_the_dead(), "it is alive"
        victim.send_signal(signal.SIGKILL)

    assert name in reaper.reap_the_dead()

    assert not is_alive(int(child))
    assert name not in Path("/proc/self/mountinfo").read_text()
    assert not Path(f"/run/netns/{name}-a").exists()
    losetup = subprocess.run(["losetup", "--list"], check=True, capture_output=True, text=True)
    assert name not in losetup.stdout
    assert not (reaper.LOCKS / name).exists()
    shutil.rmtree(reaper.WORK / name, ignore_errors=True)

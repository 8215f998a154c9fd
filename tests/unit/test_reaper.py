"""A killed run leaves a process, a mount, a loop device, a namespace; the next cleans them up."""

import os
import shutil
import signal
import subprocess
import sys
import time
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
child = subprocess.Popen(
    ["sh", "-c", "echo; kill -STOP $$"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE
)
child.stdout.readline()  # from here on it is what it was started as, for everybody
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
    deadline = time.monotonic() + 60
    while name in subprocess.check_output(["losetup", "--list"], text=True):
        assert time.monotonic() < deadline  # whoever looks at a device holds it meanwhile
    assert not (reaper.LOCKS / name).exists()
    shutil.rmtree(reaper.WORK / name, ignore_errors=True)


WAIT_FOR_ITSELF = """
import sys, threading
from tests.mount.pair import open_pair
from tests.reaper import Run
run = Run()
run.directory.mkdir()
with open_pair(run.directory / "pair") as pair:
    (pair.mount / "file").touch()
    pair.primary.freeze(600_000)
    threading.Thread(target=(pair.mount / "file").write_bytes, args=(b"x",), daemon=True).start()
    while pair.primary.counters().parked != 1:
        pass
    print(run.name, flush=True)
    sys.stdin.read()
"""


def test_the_next_run_ends_one_that_was_killed_while_it_waited_for_itself() -> None:
    """Its thread waits for an answer of its own file server, which is dead: no signal ends it."""
    if os.geteuid() != 0:
        pytest.skip("mounts: needs root")
    victim = subprocess.Popen(
        [sys.executable, "-c", WAIT_FOR_ITSELF],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert victim.stdout is not None
        name = victim.stdout.readline().strip()
        assert name not in reaper.reap_the_dead(), "it is alive"
        victim.kill()
        try:
            victim.wait(1)  # ended already: by another run on this machine that has just begun
        except subprocess.TimeoutExpired:
            assert name in reaper.reap_the_dead()
            victim.wait(60)
    finally:
        assert victim.stdin is not None
        assert victim.stdout is not None
        victim.stdin.close()
        victim.stdout.close()
    assert name not in Path("/proc/self/mountinfo").read_text()
    shutil.rmtree(reaper.WORK / name, ignore_errors=True)


def test_a_group_that_goes_while_it_is_looked_for_is_passed_over(tmp_path: Path) -> None:
    for name in ("first", "second", "third"):
        (tmp_path / name / "mt123456").mkdir(parents=True)
    found = reaper.directories_of("mt123456", tmp_path)
    one = next(found)
    for left in set(tmp_path.iterdir()) - {one.parent}:
        shutil.rmtree(left)
    assert list(found) == []

"""Cleans up after test runs that were killed: their processes, mounts, devices, namespaces.

Every run has a name, which is part of everything it makes: the directory that all its temporary
files lie in, its network namespaces, its control groups; its processes inherit it in their
environment. A run holds a lock as long as it lives, so another run knows for certain when it is
gone, whatever has become of its process number. One that was killed while it waited for a file
server of its own cannot die, and holds it still: its connection is aborted first.
"""

import contextlib
import ctypes
import fcntl
import os
import secrets
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

LOCKS = Path("/run/mirror-tests")
WORK = Path("/tmp/mirror-tests")
RUN_VARIABLE = "MIRROR_TEST_RUN"
_DEATH_TIMEOUT_S = 10.0
_MNT_FORCE, _MNT_DETACH = 1, 2
_KEPT_DIRECTORIES = 1


class Run:
    """A run of tests that is alive as long as this object is."""

    def __init__(self) -> None:
        """Take a name that nobody has: 8 characters, so that it fits before a network's name."""
        LOCKS.mkdir(parents=True, exist_ok=True)
        WORK.mkdir(parents=True, exist_ok=True)
        self.name = f"mt{secrets.token_hex(3)}"
        self.directory = WORK / self.name
        with _one_at_a_time():
            self._lock: TextIO = (LOCKS / self.name).open("w")
            fcntl.flock(self._lock, fcntl.LOCK_EX)
            self._lock.write(str(os.getpid()))
            self._lock.flush()
        os.environ[RUN_VARIABLE] = self.name

    def end(self) -> None:
        """Clean up what the tests left, but not the directory; it may explain a failure."""
        reap(self.name)
        (LOCKS / self.name).unlink(missing_ok=True)
        self._lock.close()


@contextlib.contextmanager
def _one_at_a_time() -> Iterator[None]:
    """Between the creation of a lock file and its lock, a run looks dead."""
    with (LOCKS / "guard").open("w") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)
        yield


def reap_the_dead() -> list[str]:
    """Clean up after every run that is gone; return their names."""
    LOCKS.mkdir(parents=True, exist_ok=True)
    with _one_at_a_time():
        dead = [path.name for path in LOCKS.glob("mt*") if not _is_alive(path)]
        for run in dead:
            reap(run)
            (LOCKS / run).unlink(missing_ok=True)
        _remove_old_directories()
    return dead


def _is_alive(path: Path) -> bool:
    with path.open() as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return not _was_killed(lock.read())
    return False


def _was_killed(pid: str) -> bool:
    """Whether the process that holds the lock is only there because it cannot die."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return False
    status = dict(line.split(":\t", 1) for line in lines if ":\t" in line)
    pending = int(status["SigPnd"], 16) | int(status["ShdPnd"], 16)
    return status["State"].startswith("Z") or bool(pending & 1 << (signal.SIGKILL - 1))


def reap(run: str) -> None:
    """End and remove everything of that run, except its directory."""
    _abort_fuse_connections(run)
    _kill_processes(run)
    for mount in reversed(_mounts_of(run)):
        subprocess.run(["umount", "--lazy", mount], check=False, capture_output=True)
    for device in _loop_devices_of(run):
        subprocess.run(["losetup", "--detach", device], check=False, capture_output=True)
    for namespace in Path("/run/netns").glob(f"{run}*"):
        subprocess.run(["ip", "netns", "delete", namespace.name], check=False, capture_output=True)
    for link in Path("/sys/class/net").glob(f"{run}*"):
        subprocess.run(["ip", "link", "delete", link.name], check=False, capture_output=True)
    for group in sorted(directories_of(run, Path("/sys/fs/cgroup")), reverse=True):
        with contextlib.suppress(OSError):
            group.rmdir()


def directories_of(run: str, top: Path) -> Iterator[Path]:
    """Directories beneath top that bear the run's name. One that goes meanwhile is passed over."""
    for directory, names, _ in os.walk(top):
        yield from (Path(directory, name) for name in names if run in name)


def _mountinfo_of(run: str) -> list[list[str]]:
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    return [line.split() for line in lines if run in line]


def _mounts_of(run: str) -> list[str]:
    """Mount points in the order in which they were mounted."""
    return [fields[4].encode().decode("unicode_escape") for fields in _mountinfo_of(run)]


def _abort_fuse_connections(run: str) -> None:
    """Free what waits in a dead mount: neither a signal nor a look into /proc would get past."""
    for fields in _mountinfo_of(run):
        kind = fields[fields.index("-") + 1]
        if kind.startswith("fuse"):
            mount = os.fsencode(fields[4].encode().decode("unicode_escape"))
            ctypes.CDLL(None).umount2(mount, _MNT_FORCE | _MNT_DETACH)


def _processes_of(run: str) -> list[int]:
    wanted = f"{RUN_VARIABLE}={run}".encode()
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal() and int(entry.name) != os.getpid():
            with contextlib.suppress(OSError):
                if wanted in (entry / "environ").read_bytes().split(b"\0"):
                    found.append(int(entry.name))
    return found


def _kill_processes(run: str) -> None:
    deadline = time.monotonic() + _DEATH_TIMEOUT_S
    while (pids := _processes_of(run)) and time.monotonic() < deadline:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.02)  # nothing tells when a process that is not our child is gone


def _loop_devices_of(run: str) -> list[str]:
    found = []
    for backing in Path("/sys/block").glob("loop*/loop/backing_file"):
        with contextlib.suppress(OSError):
            if run in backing.read_text():
                found.append(f"/dev/{backing.parts[3]}")
    return found


def _remove_old_directories() -> None:
    """Keep the directory of the last run, which somebody may be looking at."""
    alive = {path.name for path in LOCKS.glob("mt*")}
    dead = [path for path in WORK.glob("mt*") if path.name not in alive]
    dead.sort(key=lambda path: path.stat().st_mtime)
    for path in dead[:-_KEPT_DIRECTORIES]:
        if not _mounts_of(path.name):
            shutil.rmtree(path, ignore_errors=True)

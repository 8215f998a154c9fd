"""Control groups (version 2): every process of a script or an application, whatever it forked.

A daemon that forked twice has left its parent, its session and its terminal, but not its control
group. So a forced stop can end all of an application, and prove it (invariant 8).
"""

import asyncio
import contextlib
import os
import signal
from collections.abc import Sequence
from pathlib import Path

from inotify_simple import INotify, flags

ROOT_GROUP = "mirror"
CHECKERS_GROUP = "mirror-checkers"  # custom checkers: no application, nothing serves by them

# `0` written to cgroup.procs moves the writer, here the shell itself, before it becomes the
# program. Words after the script are its arguments: nothing of them is ever parsed by the shell.
_ENTER = 'echo 0 > "$0" || exit 125; exec "$@"'


def find_cgroup2(mountinfo: Path = Path("/proc/self/mountinfo")) -> Path | None:
    """Where control groups of version 2 are mounted and may be made; None when nowhere."""
    for line in mountinfo.read_text().splitlines():
        before, _, after = line.partition(" - ")
        if after.startswith("cgroup2 "):
            mount = Path(before.split()[4])
            if os.access(mount, os.W_OK) and not os.statvfs(mount).f_flag & os.ST_RDONLY:
                return mount
    return None


class ControlGroup:
    """One control group. The directory is made by `create` and is ours."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = f"{path.parent.name}/{path.name}"

    def create(self) -> None:
        """Make the group and its parents; existing ones are kept. Raises: OSError."""
        self.path.mkdir(parents=True, exist_ok=True)

    def enter(self, command: Sequence[str]) -> list[str]:
        """The command that runs `command` in this group. 125: it could not enter the group."""
        return ["/bin/sh", "-c", _ENTER, str(self.path / "cgroup.procs"), *command]

    def processes(self) -> list[int]:
        """Processes of the group and of those beneath it, in no order. [] when it is gone."""
        found: list[int] = []
        for directory, _, _ in os.walk(self.path):  # a group may go away meanwhile: no error
            with contextlib.suppress(OSError):
                procs = Path(directory) / "cgroup.procs"
                found.extend(int(line) for line in procs.read_text().split())
        return sorted(set(found))

    def populated(self) -> bool:
        """Whether any process is in the group or beneath it, by the kernel's word."""
        try:
            return "populated 1" in (self.path / "cgroup.events").read_text()
        except FileNotFoundError:
            return False

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to every process; SIGKILL reaches those born meanwhile too."""
        if number is signal.SIGKILL:
            with contextlib.suppress(FileNotFoundError):
                (self.path / "cgroup.kill").write_text("1")
            return
        for pid in self.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    async def wait_empty(self, timeout_s: float) -> bool:
        """Wait until no process is left. Returns: whether that came true in time."""
        with contextlib.closing(INotify(nonblocking=True)) as watch:
            try:
                watch.add_watch(self.path / "cgroup.events", flags.MODIFY)
            except FileNotFoundError:
                return True
            loop, changed = asyncio.get_running_loop(), asyncio.Event()
            loop.add_reader(watch.fileno(), changed.set)
            try:
                async with asyncio.timeout(timeout_s):
                    while self.populated():
                        await changed.wait()
                        changed.clear()
                        watch.read(timeout=0)
            except TimeoutError:
                return not self.populated()
            finally:
                loop.remove_reader(watch.fileno())
        return True

    def remove(self) -> None:
        """Remove the group and those beneath it when they are empty; one that is not stays."""
        for directory, _, _ in os.walk(self.path, topdown=False):
            with contextlib.suppress(OSError):
                Path(directory).rmdir()

"""The control group of each host: all its processes, to be frozen or killed at once.

Always a version 2 hierarchy, in a mount of our own, so that it is the same on a machine that
mixes both versions. Nobody's controllers are touched.
"""

import time
from contextlib import suppress
from pathlib import Path

from mirror.adapters.lab import linux

_POLL_S = 0.005


def mount_hierarchy(at: Path) -> None:
    """Mount the version 2 hierarchy at an existing directory (the caller has a private view)."""
    linux.mount("cgroup2", at, "cgroup2")


class ControlGroup:
    """One group. Not thread-safe; any process that can reach the mount may use it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def create(self) -> None:
        """Make it, with its one subgroup `system` for what the host itself runs.

        Processes live in the subgroup because a group with processes of its own cannot hand
        controllers on: the host's own control plane may want to.
        """
        (self.path / "system").mkdir(parents=True, exist_ok=True)

    def freeze(self, *, frozen: bool, timeout_s: float) -> bool:
        """Stop or continue every process; True once the kernel says that all of them are.

        False after the timeout: one waits uninterruptibly in the kernel, and stops when it leaves.
        """
        (self.path / "cgroup.freeze").write_text("1" if frozen else "0")
        return self._await("frozen", wanted=frozen, timeout_s=timeout_s)

    def kill(self, timeout_s: float) -> bool:
        """Kill every process, frozen ones too; True once none is left."""
        if not self.path.exists():
            return True
        (self.path / "cgroup.kill").write_text("1")
        return self._await("populated", wanted=False, timeout_s=timeout_s)

    def is_frozen(self) -> bool:
        """Whether freezing was asked for."""
        with suppress(OSError):
            return (self.path / "cgroup.freeze").read_text().strip() == "1"
        return False

    def pids(self) -> list[int]:
        """Every process of the group and its subgroups, as this process numbers them."""
        found: list[int] = []
        for listing in self.path.rglob("cgroup.procs"):
            with suppress(OSError):  # a subgroup removed meanwhile
                found.extend(int(line) for line in listing.read_text().split())
        return [pid for pid in found if pid > 0]

    def remove(self) -> None:
        """Remove it and what is below; a group that still has processes stays."""
        if not self.path.exists():
            return
        for directory in sorted(self.path.rglob("*/"), reverse=True):
            with suppress(OSError):
                directory.rmdir()
        with suppress(OSError):
            self.path.rmdir()

    def _await(self, key: str, *, wanted: bool, timeout_s: float) -> bool:
        deadline = time.monotonic() + timeout_s
        line = f"{key} {int(wanted)}"
        # cgroup.events can be polled for changes, but freezing takes less than one poll's set-up.
        while line not in (self.path / "cgroup.events").read_text().splitlines():
            if time.monotonic() > deadline:
                return False
            time.sleep(_POLL_S)
        return True

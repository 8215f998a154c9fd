"""The replicated directories of a module as mounts: private bind, cover, capture.

    private bind   lower_prefix + i, made once, survives this process (a restart finds it)
    cover          read-only bind of the lower directory over itself, on WAIT and SECOND
    capture        the FUSE mount, on PRIM and ALONE (made by the native library)

What lies over a directory is asked of the kernel each time (/proc/self/mountinfo), never
remembered: an earlier process may have left it there.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from mirror.adapters import native
from mirror.daemon.plane.objects import HIDDEN_NAME
from mirror.errors import DirectoryNotReady
from mirror.vocabulary.said import say

UNMOUNTS_MAX = 16  # a stack of our own mounts is at most cover + capture; more is somebody else's


def mounts_at(path: str) -> list[str]:
    """File system types mounted exactly at a path, lowest first."""
    found = []
    with Path("/proc/self/mountinfo").open("rb") as lines:
        for line in lines:
            fields = line.split(b" ")
            point = fields[4].decode("unicode_escape").encode("latin-1")
            if point == os.fsencode(path):
                found.append(fields[fields.index(b"-") + 1].decode())
    return found


@dataclass(frozen=True, slots=True)
class Directory:
    """One replicated directory. number: as on the wire."""

    number: int
    path: str
    lower: str

    def check(self, paths: Iterable[str]) -> None:
        """See that what must be there is there, before anything is touched.

        paths: relative to the directory. Raises: DirectoryNotReady (MIR-507).
        """
        top = self.lower if mounts_at(self.lower) else self.path
        for path in paths:
            if not Path(top, path).exists():
                raise DirectoryNotReady(
                    directory=self.path,
                    observed=say("plane.tocheck", path=path),
                )

    def bind_lower(self) -> bool:
        """Make the private bind, unless an earlier process did; clear a dead mount above.

        Returns: whether the directory was, and is, covered: nobody could change it.
        Raises: OSError.
        """
        if not mounts_at(self.lower):
            self.clear()
            Path(self.lower).mkdir(parents=True, exist_ok=True)
            native.bind(self.path, self.lower, read_only=False)
            return False
        if self._ours_on_top() and mounts_at(self.path)[-1] != "fuse.mirror":
            return True
        self.clear()
        return False

    def clear(self) -> None:
        """Take away what we or a dead process of ours left over the directory.

        A mount that was there before us (the directory is itself a mount point) stays.
        """
        for _ in range(UNMOUNTS_MAX):
            if not self._ours_on_top():
                return
            native.unmount(self.path, lazy=True)

    def _ours_on_top(self) -> bool:
        mounts = mounts_at(self.path)
        if not mounts:
            return False
        if mounts[-1] == "fuse.mirror":
            return True
        return self._is_cover()

    def _is_cover(self) -> bool:
        """True when the top is a read-only view of the lower directory."""
        try:
            top = os.statvfs(self.path)
            same = os.stat(self.path).st_ino == os.stat(self.lower).st_ino
        except OSError as error:
            if error.errno == errno.ENOTCONN:
                return True
            raise
        return bool(top.f_flag & os.ST_RDONLY) and same and len(mounts_at(self.lower)) > 0

    def cover(self) -> None:
        """Show the directory read-only. Idempotent. Raises: OSError."""
        if not self._ours_on_top():
            native.bind(self.lower, self.path, read_only=True)

    def release(self) -> None:
        """Take the private bind away: the module stops.

        Its place stays: a full disk would have no room for it at the next start.
        """
        self.clear()
        if mounts_at(self.lower):
            # Lazily: our own descriptors hold it until the process ends, moments from now.
            native.unmount(self.lower, lazy=True)

    def room(self) -> dict[str, object]:
        """How full its disk is, as an application may fill it; no disk is waited for."""
        status = os.statvfs(self.lower)
        total = (status.f_blocks - status.f_bfree + status.f_bavail) * status.f_frsize
        free = status.f_bavail * status.f_frsize
        return {"directory": self.path, "free_bytes": free, "total_bytes": total}

    def is_empty(self) -> bool:
        """True when the lower directory holds nothing but what is ours and lost+found."""
        with os.scandir(self.lower) as entries:
            return all(
                os.fsencode(entry.name) in (HIDDEN_NAME, b"lost+found") for entry in entries
            )

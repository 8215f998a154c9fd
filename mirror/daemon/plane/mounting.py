"""The capture's mount over a replicated directory: tuned, written back, taken away."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable

import structlog

from mirror.adapters import clock, native
from mirror.daemon.plane.directories import Directory, mounts_at
from mirror.errors import DirectoryInUse
from mirror.vocabulary.said import say

log = structlog.get_logger()

UNMOUNT_MS_MAX = 5_000
RETRY_S = 0.05


def tune(directory: Directory, *, writeback: bool) -> None:
    """Read ahead more than the kernel's 128 KiB; lift the early throttle of dirty pages."""
    device = os.stat(directory.path).st_dev
    folder = f"/sys/class/bdi/{os.major(device)}:{os.minor(device)}"
    values = {"read_ahead_kb": "1024"}
    if writeback:
        # Bounded: a stalled data plane must not fill the host's memory with dirty pages.
        values |= {"strict_limit": "0", "max_ratio": "25"}
    for name, value in values.items():
        try:
            with open(f"{folder}/{name}", "w", encoding="ascii") as file:
                file.write(value)
        except OSError as error:
            log.info("not tuned", directory=directory.path, setting=name, error=str(error))


def unmount(directory: Directory) -> None:
    """Take the mount away. Raises: DirectoryInUse (MIR-503), OSError."""
    pause = threading.Event()  # never set
    deadline_ms = clock.boottime_ms() + UNMOUNT_MS_MAX
    while mounts_at(directory.path)[-1:] == ["fuse.mirror"]:
        try:
            native.unmount(directory.path)
        except OSError as error:
            if error.errno != errno.EBUSY:
                raise
            if clock.boottime_ms() > deadline_ms:
                native.unmount(directory.path, lazy=True, force=True)
                raise DirectoryInUse(
                    directory=directory.path, observed=say("plane.in_use")
                ) from error
            pause.wait(RETRY_S)


def write_back(path: str) -> None:
    """Write back what the kernel caches of a mount, before the gate closes.

    syncfs is not passed to a FUSE server, but it writes pages back and waits for them (design 6).
    """
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        native.sync_filesystem(fd)
    finally:
        os.close(fd)


def is_synced(
    sync: Callable[[], None], on_failure: Callable[[OSError], None], *, may_fail: bool
) -> bool:
    """Sync this node's disk; False: it failed. Raises: OSError, unless it may fail."""
    try:
        sync()
    except OSError as error:
        if not may_fail:
            raise
        on_failure(error)
        return False
    return True

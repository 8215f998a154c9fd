"""What the disks allow of a large file in which regions have changed: the same work, by itself.

Region by region, as the copying threads of a node do it and as many at a time: read at the
source, read at the target, compared, written. The target's disk is told to begin every 4 MiB, and
waited for at the end. Nothing is hashed or sent: the link, a pair of cables within this machine,
is not in the way.

Caches are in the same state before either is measured:

    cold    neither node has the file in memory, as when both have been doing other work
    warm    the source has what changed in memory, as right after it was written

The target compares with what is on its disk, whatever it has in memory (native/apply/copy.c), so
its file is dropped from memory in either state.
"""

import ctypes
import os
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bench.row import Figures

REGION = 64 << 10
BEHIND_BYTES = 4 << 20
SYNC_FILE_RANGE_WRITE = 2
DEPTH = 6  # copying threads, as mirror.daemon.plane.settings
STATES = ("cold", "warm")


def prepare(
    state: str, files: Iterable[Path], images: Iterable[Path], places: Sequence[int]
) -> None:
    """Bring the caches into a state. files: the source's first. images: of their disks."""
    source, *others = files
    os.sync()
    for path in (*files, *images) if state == "cold" else others:
        with path.open("rb", buffering=0) as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    if state == "warm":
        with source.open("rb", buffering=0) as file:
            for place in places:
                os.pread(file.fileno(), REGION, place * REGION)


def rewritten(file: Path, to: Path, places: Sequence[int]) -> Figures:
    """Make these regions of `to` those of `file`."""
    started = time.monotonic()
    with file.open("rb", buffering=0) as source, to.open("r+b", buffering=0) as target:
        begin = ctypes.CDLL(None).sync_file_range
        begin.argtypes = (ctypes.c_int, ctypes.c_int64, ctypes.c_int64, ctypes.c_uint)

        def one(place: int) -> None:
            data = os.pread(source.fileno(), REGION, place * REGION)
            if data != os.pread(target.fileno(), REGION, place * REGION):
                os.pwrite(target.fileno(), data, place * REGION)

        with ThreadPoolExecutor(DEPTH) as threads:
            for done, _ in enumerate(threads.map(one, places), start=1):
                if done % (BEHIND_BYTES // REGION) == 0:
                    begin(target.fileno(), 0, 0, SYNC_FILE_RANGE_WRITE)
        os.fdatasync(target.fileno())
    seconds = time.monotonic() - started
    return {"s": seconds, "mb_per_s": len(places) * REGION / seconds / 1e6}

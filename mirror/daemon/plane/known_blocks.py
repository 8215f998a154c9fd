"""Block hashes of what the follower has of large files: a write to one costs what it wrote.

inotify names a file, not a place in it. The blocks of a file that is still open are hashed here
and compared with those of its last sending: only blocks that differ are looked at by both nodes.
A file that was closed is compared wholly: stores through a mapping are seen then, and not before.
"""

from __future__ import annotations

import os
import stat
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from xxhash import xxh3_128_digest

from mirror.adapters import clock
from mirror.adapters.native import Plane
from mirror.daemon.plane.objects import GONE, opened
from mirror.daemon.plane.works import Work
from mirror.vocabulary.places import REGION_BYTES

FILE_BYTES_MIN = 1 << 20  # smaller ones are compared sooner than remembered
MEMORY_BYTES_MAX = 32 << 20  # 16 bytes for 64 KiB: 128 GiB of files
HASH_BYTES = 16

FileKey = tuple[int, bytes]  # root, identity


@dataclass(frozen=True, slots=True)
class _Read:
    """A file as it was hashed. is_past: a change after that has another ctime."""

    handle: bytes
    ctime_ns: int
    is_past: bool
    hashes: bytes


class KnownBlocks:
    """Hashes of one session. One thread.

    closed: files that were closed after writing; taken out when they are compared wholly.
    """

    def __init__(self, plane: Plane, closed: set[FileKey]) -> None:
        self._plane = plane
        self._closed = closed
        self._known: OrderedDict[FileKey, bytes] = OrderedDict()
        self._bytes = 0
        self._read: dict[FileKey, _Read] = {}

    def narrow(self, works: Iterable[Work]) -> Iterator[Work]:
        """The same works; of a known file only the regions that differ. `sent` follows."""
        self._read = {}
        for work in works:
            if work.whole and work.handle:
                self._narrow(work)
            yield work

    def sent(self) -> None:
        """Everything that `narrow` gave was sent. Raises: OSError."""
        for key, read in self._read.items():
            if read.is_past and self._ctime_ns(key[0], read.handle) == read.ctime_ns:
                self._remember(key, read.hashes)
        self._read = {}

    def forget(self, key: FileKey) -> bytes:
        """The follower has not what it had. Returns: what that was."""
        hashes = self._known.pop(key, b"")
        self._bytes -= len(hashes)
        return hashes

    def _narrow(self, work: Work) -> None:
        key = (work.root, work.id)
        known = self.forget(key)
        if key in self._closed:
            self._closed.discard(key)
            known = b""
        read = self._hash(work.root, work.handle)
        if read is None:
            return
        self._read[key] = read
        if known:
            work.whole = False
            work.regions = [
                at // HASH_BYTES
                for at in range(0, len(read.hashes), HASH_BYTES)
                if read.hashes[at : at + HASH_BYTES] != known[at : at + HASH_BYTES]
            ]

    def _hash(self, root: int, handle: bytes) -> _Read | None:
        """Hash the blocks of a file; None: it is small, no file, or gone."""
        try:
            with opened(self._plane, root, handle, os.O_PATH) as fd:
                if not _is_large(os.fstat(fd)):
                    return None
            with opened(self._plane, root, handle, os.O_RDONLY) as fd:
                now_ns, status = clock.file_ns(), os.fstat(fd)
                digests: list[bytes] = []
                while data := os.pread(fd, REGION_BYTES, len(digests) * REGION_BYTES):
                    digests.append(xxh3_128_digest(data))
        except OSError as error:
            if error.errno in GONE:
                return None
            raise
        is_past = status.st_ctime_ns < now_ns
        return _Read(handle, status.st_ctime_ns, is_past, b"".join(digests))

    def _ctime_ns(self, root: int, handle: bytes) -> int:
        try:
            with opened(self._plane, root, handle, os.O_PATH) as fd:
                return os.fstat(fd).st_ctime_ns
        except OSError as error:
            if error.errno in GONE:
                return 0
            raise

    def _remember(self, key: FileKey, hashes: bytes) -> None:
        self._known[key] = hashes
        self._bytes += len(hashes)
        while self._bytes > MEMORY_BYTES_MAX:
            _, oldest = self._known.popitem(last=False)
            self._bytes -= len(oldest)


def _is_large(status: os.stat_result) -> bool:
    return stat.S_ISREG(status.st_mode) and status.st_size >= FILE_BYTES_MIN

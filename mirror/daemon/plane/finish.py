"""Attributes of objects whose data are equal, in batches (message SetAll).

A batch is read, sent, and then looked at once more, each object under its conflict lock: whatever
live change was under way has finished then on both nodes, and whatever came between has changed
the ctime. Those are done again one by one, under the lock. So are, from the first, those with a
flag that forbids changes: were it taken away here meanwhile, the target would refuse what follows.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from mirror.adapters import clock
from mirror.adapters.native import Plane, bulk
from mirror.daemon.plane import attributes
from mirror.daemon.plane.attributes import THERE_IS_NONE, WAS_OTHER, Fields
from mirror.daemon.plane.objects import GONE, open_any
from mirror.daemon.plane.rpc import Rpc
from mirror.errors import ReintegrationStopped
from mirror.vocabulary.said import say

ATTRIBUTES_AT_ONCE = 128
BATCH_BYTES_MAX = 512 << 10  # of extended attributes, which may be 64 KiB each


@dataclass(slots=True)
class _Read:
    """One object as read. fd: open until the batch is done."""

    fd: int
    handle: bytes
    fields: Fields
    ctime_ns: int
    is_past: bool  # a later change cannot have the same ctime


class Finisher:
    """Sends attributes of one replicated directory after another. One thread."""

    def __init__(self, plane: Plane, rpc: Rpc) -> None:
        self._plane = plane
        self._rpc = rpc

    def finish(self, root: int, objects: Sequence[tuple[bytes, bytes]]) -> bool:
        """Set the attributes of these objects (identity, handle); those gone are left out.

        Returns: whether a directory among them had others that what is made in it inherits.
        Raises: OSError, ReintegrationStopped.
        """
        inherited = False
        for at in range(0, len(objects), ATTRIBUTES_AT_ONCE):
            with self._opened(root, objects[at : at + ATTRIBUTES_AT_ONCE]) as each:
                for part in _parts(each):
                    inherited |= self._send(root, part)
        return inherited

    @contextmanager
    def _opened(
        self, root: int, objects: Sequence[tuple[bytes, bytes]]
    ) -> Iterator[Iterator[_Read]]:
        now_ns = clock.file_ns()
        opened = bulk.Opened(self._plane, root, [handle for _, handle in objects])
        others: list[int] = []  # what cannot be opened for reading: links, devices

        def each() -> Iterator[_Read]:
            for at, (identity, handle) in enumerate(objects):
                fd, plain = opened.fds[at], opened.plain(at)
                if plain is not None:
                    fields, ctime_ns = attributes.of_plain(plain, identity), plain.ctime_ns
                else:
                    if fd < 0:
                        fd = self._open(root, handle)
                        others.append(fd)
                    if fd < 0:
                        continue
                    fields, ctime_ns = attributes.read(fd, identity)
                yield _Read(fd, handle, fields, ctime_ns, is_past=ctime_ns < now_ns)

        try:
            yield each()
        finally:
            opened.close()
            for fd in others:
                if fd >= 0:
                    os.close(fd)

    def _open(self, root: int, handle: bytes) -> int:
        """A descriptor, or -1: it has gone."""
        try:
            return open_any(self._plane, root, handle)
        except OSError as error:
            if error.errno in GONE:
                return -1
            raise

    def _send(self, root: int, batch: Sequence[_Read]) -> bool:
        inherited = False
        for each in batch:
            if _forbids_changes(each):
                inherited |= self._send_locked(root, each)
        free = [each for each in batch if not _forbids_changes(each)]
        outcomes = self._ask(root, [each.fields for each in free])
        seen = [(each.handle, each.fd, each.ctime_ns) for each in free]
        changed = bulk.has_changed(self._plane, root, seen)
        for each, outcome, now in zip(free, outcomes, changed, strict=True):
            if stat.S_ISDIR(each.fields["mode"]):
                inherited |= outcome == WAS_OTHER
            if now == bulk.NAMELESS:
                continue
            _see_that_it_is_there(outcome)
            if now == bulk.CHANGED or not each.is_past:
                inherited |= self._send_locked(root, each)
        return inherited

    def _send_locked(self, root: int, each: _Read) -> bool:
        with self._rpc.turn(), self._plane.object_lock(each.handle):
            if os.fstat(each.fd).st_nlink == 0:
                return False
            fields, _ = attributes.read(each.fd, each.fields["id"])
            (outcome,) = self._ask(root, [fields])
            _see_that_it_is_there(outcome)
        return stat.S_ISDIR(fields["mode"]) and outcome == WAS_OTHER

    def _ask(self, root: int, objects: Sequence[Fields]) -> bytes:
        answer = self._rpc.ask("SetAll", root=root, objects=objects)
        outcomes: bytes = answer["outcomes"]
        return outcomes


def _forbids_changes(each: _Read) -> bool:
    return bool(each.fields["flags"] & attributes.FLAGS_THAT_FORBID)


def _see_that_it_is_there(outcome: int) -> None:
    if outcome == THERE_IS_NONE:
        raise ReintegrationStopped(step="attributes", observed=say("plane.no_such_object"))


def _parts(each: Iterable[_Read]) -> Iterator[list[_Read]]:
    """Batches that fit a message."""
    batch: list[_Read] = []
    size = 0
    for one in each:
        batch.append(one)
        size += sum(len(xattr["value"]) for xattr in one.fields["xattrs"])
        if size >= BATCH_BYTES_MAX:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch

"""Attributes of objects whose data are equal, in batches (message SetAll).

A batch is read, sent, and then looked at once more, each object under its conflict lock: whatever
live change was under way has finished then on both nodes, and whatever came between has changed
the ctime. Those are done again one by one, under the lock.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass

from mirror.adapters import clock
from mirror.adapters.native import Plane
from mirror.daemon.plane import attributes
from mirror.daemon.plane.attributes import Fields
from mirror.daemon.plane.objects import GONE, open_any
from mirror.daemon.plane.rpc import Rpc
from mirror.daemon.plane.target import THERE_IS_NONE, WAS_OTHER
from mirror.errors import ReintegrationStopped

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
        batch: list[_Read] = []
        size = 0
        inherited = False
        try:
            for identity, handle in objects:
                each = self._read(root, identity, handle)
                if each is None:
                    continue
                batch.append(each)
                size += sum(len(xattr["value"]) for xattr in each.fields["xattrs"])
                if len(batch) >= ATTRIBUTES_AT_ONCE or size >= BATCH_BYTES_MAX:
                    inherited |= self._send(root, batch)
                    _close(batch)
                    size = 0
            if batch:
                inherited |= self._send(root, batch)
        finally:
            _close(batch)
        return inherited

    def _read(self, root: int, identity: bytes, handle: bytes) -> _Read | None:
        try:
            fd = open_any(self._plane, root, handle)
        except OSError as error:
            if error.errno in GONE:
                return None
            raise
        now_ns = clock.file_ns()
        fields, ctime_ns = attributes.read(fd, identity)
        return _Read(fd, handle, fields, ctime_ns, is_past=ctime_ns < now_ns)

    def _send(self, root: int, batch: Sequence[_Read]) -> bool:
        outcomes = self._ask(root, [each.fields for each in batch])
        inherited = False
        for each, outcome in zip(batch, outcomes, strict=True):
            if stat.S_ISDIR(each.fields["mode"]):
                inherited |= outcome == WAS_OTHER
            with self._plane.object_lock(each.handle):
                status = os.fstat(each.fd)
                if status.st_nlink == 0:
                    continue
                if outcome == THERE_IS_NONE:
                    raise ReintegrationStopped(
                        step="attributes", observed="the target does not have an object we have"
                    )
                if each.is_past and status.st_ctime_ns == each.ctime_ns:
                    continue
                fields, _ = attributes.read(each.fd, each.fields["id"])
                self._ask(root, [fields])
        return inherited

    def _ask(self, root: int, objects: Sequence[Fields]) -> bytes:
        answer = self._rpc.ask("SetAll", root=root, objects=objects)
        outcomes: bytes = answer["outcomes"]
        return outcomes


def _close(batch: list[_Read]) -> None:
    for each in batch:
        os.close(each.fd)
    batch.clear()

"""Many objects of a reintegration in one call: the interpreter is free meanwhile."""

from __future__ import annotations

import os
from collections.abc import Sequence
from enum import IntEnum
from typing import Any, NamedTuple

from mirror._native import ffi, lib
from mirror.adapters.native.link import Connection
from mirror.adapters.native.plane import Plane
from mirror.adapters.native.values import ID_BYTES, Copied, check

LEFT = 255  # to the caller: not the plain case
COMPLETED, COMPLETED_OTHER = 0, 1


SAME, CHANGED, NAMELESS = 0, 1, 2  # of `Opened.changed`


SMALL_BYTES_MAX = 64 << 10  # of a file that is copied with others, as native/capture/copy_small.h


class Small(IntEnum):
    """What has to be done for a small file."""

    NEW = 0  # the target has just made it, and it holds nothing
    KNOWN = 1  # what differs is sent
    SIZE = 2  # its size only, whatever that is


class SmallOutcome(IntEnum):
    """What became of it."""

    COPIED = 0
    GONE = 1
    LEFT = 2  # to be copied as any other


class NewObject(NamedTuple):
    """An object to be made. mode: until it is complete, with its type bits."""

    id: bytes
    parent: bytes
    name: bytes
    target: bytes
    rdev: int
    mode: int


class WholeAttributes(NamedTuple):
    """All attributes of an object without extended ones. mode: with its type bits."""

    id: bytes
    mode: int
    uid: int
    gid: int
    atime_ns: int
    mtime_ns: int


class Seen(NamedTuple):
    """What stands at a name, with the identity it has now. A link's text is not read."""

    id: bytes
    handle: bytes
    mode: int
    links: int
    rdev: int
    size: int
    mtime_ns: int


class Plain(NamedTuple):
    """Attributes of an object without inode flags and extended attributes, as they were read."""

    mode: int
    uid: int
    gid: int
    atime_ns: int
    mtime_ns: int
    ctime_ns: int


def see(directory_fd: int, name: bytes) -> Seen | None:
    """Look at a name, and give what stands there an identity if it has none. None: nothing.

    Raises: OSError.
    """
    raw = ffi.new("struct mnf_seen *")
    result = lib.mnf_see(directory_fd, name, raw)
    if result == -2:  # ENOENT
        return None
    check(result, os.fsdecode(name))
    return Seen(
        bytes(raw.id),
        bytes(raw.handle),
        raw.mode,
        raw.links,
        raw.rdev,
        raw.size_bytes,
        raw.mtime_ns,
    )


class Opened:
    """Objects opened for reading, and the attributes of those that are plain; to be closed.

    fds: -1: gone, or what cannot be opened for reading.
    """

    def __init__(self, plane: Plane, root: int, handles: Sequence[bytes]) -> None:
        """Raises: OSError of this disk."""
        self._plane = plane
        self._raw = ffi.new("struct mnf_opened[]", max(1, len(handles)))
        self._count = len(handles)
        for to, handle in zip(self._raw, handles, strict=False):
            ffi.memmove(to.handle, handle, len(handle))
        check(lib.mnf_open_plain(plane.raw, root, self._raw, self._count), f"root {root}")
        self.fds = [self._raw[at].fd for at in range(self._count)]

    def plain(self, at: int) -> Plain | None:
        """The attributes of one; None: it must be read as a whole."""
        raw = self._raw[at]
        if not raw.plain:
            return None
        return Plain(raw.mode, raw.uid, raw.gid, raw.atime_ns, raw.mtime_ns, raw.ctime_ns)

    def close(self) -> None:
        """Give the descriptors back. May be repeated."""
        for fd in self.fds:
            if fd >= 0:
                os.close(fd)
        self.fds = [-1] * self._count


def has_changed(plane: Plane, root: int, objects: Sequence[tuple[bytes, int, int]]) -> bytes:
    """Whether objects (handle, descriptor, ctime) were touched since, after any live change.

    Returns: SAME, CHANGED or NAMELESS, for each. Raises: OSError.
    """
    changed = ffi.new("uint8_t[]", max(1, len(objects)))
    raw = ffi.new("struct mnf_opened[]", max(1, len(objects)))
    for to, (handle, fd, ctime_ns) in zip(raw, objects, strict=False):
        ffi.memmove(to.handle, handle, len(handle))
        to.fd, to.ctime_ns = fd, ctime_ns
    check(lib.mnf_has_changed(plane.raw, raw, len(objects), changed), f"root {root}")
    return bytes(ffi.buffer(changed, len(objects)))


def make_new(
    plane: Plane, root: int, stash_fd: int, mark: bytes, objects: Sequence[NewObject]
) -> bytes:
    """Make what this node does not have where nothing stands. Returns: 0 made or LEFT, for each.

    mark: of what is not complete.

    Raises: OSError of this disk.
    """
    outcomes = ffi.new("uint8_t[]", max(1, len(objects)))
    raw = ffi.new("struct mnf_new_object[]", max(1, len(objects)))
    alive: list[Any] = []
    for to, each in zip(raw, objects, strict=False):
        ffi.memmove(to.id, each.id, ID_BYTES)
        ffi.memmove(to.parent, each.parent, ID_BYTES)
        text = ffi.new("char[]", each.name), ffi.new("char[]", each.target)
        alive.append(text)
        to.name, to.target = text
        to.rdev, to.mode = each.rdev, each.mode
    count = len(objects)
    made = lib.mnf_apply_make_new(plane.raw, root, stash_fd, mark, raw, count, outcomes)
    check(made, "objects")
    return bytes(ffi.buffer(outcomes, count))


def complete(plane: Plane, root: int, objects: Sequence[WholeAttributes]) -> bytes:
    """Set all attributes of files and directories that have no others here.

    Returns: COMPLETED, COMPLETED_OTHER or LEFT, for each. Raises: OSError of this disk.
    """
    outcomes = ffi.new("uint8_t[]", max(1, len(objects)))
    raw = ffi.new("struct mnf_whole_attributes[]", max(1, len(objects)))
    for to, each in zip(raw, objects, strict=False):
        ffi.memmove(to.id, each.id, ID_BYTES)
        to.mode, to.uid, to.gid = each.mode, each.uid, each.gid
        to.atime_ns, to.mtime_ns = each.atime_ns, each.mtime_ns
    count = len(objects)
    check(lib.mnf_apply_complete(plane.raw, root, raw, count, outcomes), "attributes")
    return bytes(ffi.buffer(outcomes, count))


def copy_small(
    plane: Plane,
    root: int,
    connection: Connection,
    files: Sequence[tuple[bytes, bytes, Small]],
) -> tuple[list[SmallOutcome], Copied]:
    """Copy files (handle, identity, what to do). Returns: what became of each, and the bytes.

    Raises: OSError of the connection or of this disk.
    """
    raw = ffi.new("struct mnf_small[]", max(1, len(files)))
    copied = ffi.new("struct mnf_copied *")
    for to, (handle, identity, kind) in zip(raw, files, strict=False):
        ffi.memmove(to.handle, handle, len(handle))
        ffi.memmove(to.id, identity, ID_BYTES)
        to.kind = kind
    check(lib.mnf_copy_small(plane.raw, root, connection.raw, raw, len(files), copied), "copy")
    outcomes = [SmallOutcome(raw[at].outcome) for at in range(len(files))]
    return outcomes, Copied(copied.compared_bytes, copied.copied_bytes, copied.hole_bytes)

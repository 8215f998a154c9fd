"""All attributes of an object: read at the source, set at the target (message SetAll)."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
from collections.abc import Sequence
from typing import Any

from mirror.adapters.native import Plane, bulk
from mirror.daemon.plane.objects import OURS_PREFIX, by_descriptor, open_any

# The inode flags that are replicated, as MN_FLAGS_REPLICATED: immutable, append; sync, nodump,
# noatime, dirsync.
FLAGS_THAT_FORBID = 0x10 | 0x20
FLAGS_KEPT = FLAGS_THAT_FORBID | 0x08 | 0x40 | 0x80 | 0x10000
_FS_IOC_GETFLAGS = 0x80086601
TRIES = 3
_FLAG_TYPES = {stat.S_IFREG, stat.S_IFDIR}  # others cannot be opened, and have none

# A byte an object of the answers to Find and SetAll.
DONE, THERE_IS_NONE, WAS_OTHER = 0, 1, 2

Fields = dict[str, Any]


def flags_of(fd: int, mode: int) -> int:
    """The inode flags of an open object, as far as they are replicated."""
    if stat.S_IFMT(mode) not in _FLAG_TYPES:
        return 0
    try:
        raw = fcntl.ioctl(fd, _FS_IOC_GETFLAGS, bytes(8))
    except OSError as error:
        if error.errno in (errno.ENOTTY, errno.EOPNOTSUPP):
            return 0
        raise
    return int.from_bytes(raw[:4], "little") & FLAGS_KEPT


def read(fd: int, identity: bytes) -> tuple[Fields, int]:
    """All attributes of an open object as the struct Attributes; and its ctime, ns.

    The ctime is read first: if it is the same later, nothing else has changed since.
    """
    status = os.fstat(fd)
    path = by_descriptor(fd)
    xattrs = []
    for name in os.listxattr(path):
        if name.startswith(OURS_PREFIX):
            continue
        try:
            xattrs.append({"name": name, "value": os.getxattr(path, name)})
        except OSError as error:
            if error.errno != errno.ENODATA:  # removed between the two calls
                raise
    fields = {
        "id": identity,
        "mode": status.st_mode,
        "uid": status.st_uid,
        "gid": status.st_gid,
        "atime_ns": status.st_atime_ns,
        "mtime_ns": status.st_mtime_ns,
        "flags": flags_of(fd, status.st_mode),
        "xattrs": xattrs,
    }
    return fields, status.st_ctime_ns


def of_plain(plain: bulk.Plain, identity: bytes) -> Fields:
    """The struct Attributes of an object that has no flags and no extended attributes."""
    return {
        "id": identity,
        "mode": plain.mode,
        "uid": plain.uid,
        "gid": plain.gid,
        "atime_ns": plain.atime_ns,
        "mtime_ns": plain.mtime_ns,
        "flags": 0,
        "xattrs": (),
    }


def seen(fd: int, identity: bytes) -> Fields:
    """An open object as the struct Seen: all but its data and times of access."""
    fields, _ = read(fd, identity)
    status = os.fstat(fd)
    is_device = stat.S_IFMT(status.st_mode) in (stat.S_IFCHR, stat.S_IFBLK)
    return {
        "found": 1,
        "mode": status.st_mode,
        "uid": fields["uid"],
        "gid": fields["gid"],
        "mtime_ns": fields["mtime_ns"],
        "rdev": status.st_rdev if is_device else 0,
        "flags": fields["flags"],
        "target": os.readlink(b"", dir_fd=fd) if stat.S_ISLNK(status.st_mode) else b"",
        "xattrs": fields["xattrs"],
    }


NOT_SEEN: Fields = {
    "found": 0,
    "mode": 0,
    "uid": 0,
    "gid": 0,
    "mtime_ns": 0,
    "rdev": 0,
    "flags": 0,
    "target": b"",
    "xattrs": (),
}


def write_plain(plane: Plane, root: int, wanted: Sequence[Fields]) -> dict[bytes, int]:
    """Write attributes without extended ones and flags, where the object here has none either.

    Returns: DONE or WAS_OTHER by identity; those missing must be looked at (`write`).
    Raises: OSError of this disk.
    """
    objects = [
        bulk.WholeAttributes(
            each["id"],
            each["mode"],
            each["uid"],
            each["gid"],
            each["atime_ns"],
            each["mtime_ns"],
        )
        for each in wanted
    ]
    became = {bulk.COMPLETED: DONE, bulk.COMPLETED_OTHER: WAS_OTHER}
    outcomes = zip(wanted, bulk.complete(plane, root, objects), strict=True)
    return {each["id"]: became[outcome] for each, outcome in outcomes if outcome in became}


def write(plane: Plane, root: int, handle: bytes, wanted: Fields) -> bool:
    """Make an object's attributes what the source says; it is complete from now on.

    Returns: whether its mode, owner, flags or extended attributes were others.

    Raises: OSError (ESTALE: it has gone).
    """
    fd = open_any(plane, root, handle)
    try:
        for _ in range(TRIES - 1):
            # A live change may set a flag that forbids this, between two steps: then the source
            # sees that the object has changed, and sends it once more, with that flag.
            with contextlib.suppress(PermissionError):
                return _write(plane, fd, wanted)
        return _write(plane, fd, wanted)
    finally:
        os.close(fd)


def _write(plane: Plane, fd: int, wanted: Fields) -> bool:
    status = os.fstat(fd)
    path = by_descriptor(fd)
    before, _ = read(fd, wanted["id"])
    allow_changes(plane, fd, status.st_mode)
    if (status.st_uid, status.st_gid) != (wanted["uid"], wanted["gid"]):
        os.chown(path, wanted["uid"], wanted["gid"])
        status = os.fstat(fd)  # a change of owner clears setuid and setgid
    present = os.listxattr(path)
    _remove_xattrs(path, present, wanted["xattrs"])
    mode = stat.S_IMODE(wanted["mode"])
    if not stat.S_ISLNK(status.st_mode) and (stat.S_IMODE(status.st_mode) != mode or present):
        os.chmod(path, mode)
    for xattr in wanted["xattrs"]:
        # After the mode: an ACL says the same as the mode's group bits, and more.
        os.setxattr(path, xattr["name"], xattr["value"])
    os.utime(path, ns=(wanted["atime_ns"], wanted["mtime_ns"]))
    if (before["flags"] | wanted["flags"]) & FLAGS_KEPT:
        plane.set_flags(fd, wanted["flags"] & FLAGS_KEPT, FLAGS_KEPT)
    return _inherited(before) != _inherited(wanted)


def _inherited(fields: Fields) -> tuple[object, ...]:
    """What an object made in this one, a directory, may take from it."""
    xattrs = sorted((xattr["name"], xattr["value"]) for xattr in fields["xattrs"])
    flags = fields["flags"] & ~FLAGS_THAT_FORBID
    return fields["mode"], fields["uid"], fields["gid"], flags, xattrs


def _remove_xattrs(path: str, present: Sequence[str], wanted: Sequence[Fields]) -> None:
    """Remove what the source has not; with it the mark of an object that is not complete."""
    kept = {xattr["name"] for xattr in wanted}
    for name in present:
        if name not in kept and name != OURS_PREFIX + "id":
            os.removexattr(path, name)


def allow_changes(plane: Plane, fd: int, mode: int) -> None:
    """Take away the flags that forbid changes; `write` sets them again, last. fd: not O_PATH."""
    if flags_of(fd, mode) & FLAGS_THAT_FORBID:
        plane.set_flags(fd, 0, FLAGS_THAT_FORBID)

"""Objects of a lower directory by handle and by name, for both nodes of a reintegration."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from mirror.adapters.native import Entry, Plane
from mirror.core.reintegration.names import NO_ID
from mirror.daemon.plane.numbers import Numbers
from mirror.vocabulary.places import PlaceKind
from mirror.wire.fields import NAME_BYTES_MAX

HIDDEN_NAME = b".mirror"
# On an object that was made here and is not complete: an interruption never makes it look so.
FRESH_XATTR = "trusted.mirror.fresh"
# Its value on what never held anything of its own; else it is empty. Four bytes: with more, ext4
# takes a block for the attributes of each object.
MADE_HERE = b"f%03x"
SERVES_TOLD_APART = 0x1000
OURS_PREFIX = "trusted.mirror."
GONE = {errno.ESTALE, errno.ENOENT}

DIRECTORY = os.O_RDONLY | os.O_DIRECTORY


@dataclass(frozen=True, slots=True)
class Root:
    """The top of one replicated directory on this node."""

    number: int
    id: bytes
    handle: bytes
    # The value that FRESH_XATTR has on what a reintegration made here since this node last served:
    # whoever serves may write into what an earlier one left.
    made_here: bytes


def root_of(plane: Plane, number: int) -> Root:
    """The top of a replicated directory. Raises: OSError (ESTALE: it has no identity)."""
    handle = plane.root_handle(number)
    with opened(plane, number, handle, DIRECTORY) as fd:
        seen = plane.look(fd, b".")
        numbers = Numbers.read(by_descriptor(fd))
    if seen is None or seen.id is None:
        raise OSError(errno.ESTALE, "the directory has no identity", f"root {number}")
    return Root(number, seen.id, handle, MADE_HERE % (numbers.serves % SERVES_TOLD_APART))


def wholly(root: Root) -> Entry:
    """The mark that all of a directory is to be compared."""
    return Entry(PlaceKind.SUBTREE, root.number, root.id, 0, b"", NO_ID, b"", root.handle, 0)


@contextmanager
def opened(plane: Plane, root: int, handle: bytes, flags: int) -> Iterator[int]:
    """A descriptor of an object, closed at the end. Raises: OSError (ESTALE: gone)."""
    fd = plane.open(root, handle, flags)
    try:
        yield fd
    finally:
        os.close(fd)


def open_any(plane: Plane, root: int, handle: bytes) -> int:
    """A descriptor for reading when the object holds data or names, else O_PATH; the caller's."""
    try:
        return plane.open(root, handle, os.O_RDONLY)
    except OSError as error:
        if error.errno not in (errno.ENXIO, errno.ELOOP):
            raise
    return plane.open(root, handle, os.O_PATH)


def by_descriptor(fd: int) -> str:
    """A path that ends in the object itself, a symbolic link too."""
    return f"/proc/self/fd/{fd}"


def is_made_here(root: Root, fd: int) -> bool:
    """Say whether a reintegration made an object that is not complete yet, and nobody else's."""
    try:
        return os.getxattr(by_descriptor(fd), FRESH_XATTR) == root.made_here
    except OSError as error:
        if error.errno in (errno.ENODATA, errno.EOPNOTSUPP):
            return False
        raise


def has_mark(fd: int, mark: str) -> bool:
    """Say whether an object has an extended attribute. fd: any descriptor of it."""
    try:
        os.getxattr(by_descriptor(fd), mark)
    except OSError as error:
        if error.errno in (errno.ENODATA, errno.EOPNOTSUPP):
            return False
        raise
    return True


def path_of(fd: int, root_fd: int) -> tuple[bytes, ...] | None:
    """Names from the top of the root down to an object; None when the kernel does not know.

    It always does for directories. What is returned may be untrue a moment later: whoever walks
    it compares the identity at its end.
    """
    top = os.readlink(os.fsencode(by_descriptor(root_fd)))
    path = os.readlink(os.fsencode(by_descriptor(fd)))
    if path == top:
        return ()
    prefix = top.rstrip(b"/") + b"/"
    return tuple(path[len(prefix) :].split(b"/")) if path.startswith(prefix) else None


def steps_to(plane: Plane, root: Root, handle: bytes) -> list[dict[str, bytes]]:
    """The path of an object as the struct Wanted has it; empty when it is gone or unknown."""
    try:
        with (
            opened(plane, root.number, handle, os.O_PATH) as fd,
            opened(plane, root.number, root.handle, os.O_PATH) as top,
        ):
            names = path_of(fd, top) or ()
    except OSError as error:
        if error.errno in GONE:
            return []
        raise
    return [{"name": name} for name in names if 0 < len(name) <= NAME_BYTES_MAX]


def names_in(fd: int) -> list[bytes]:
    """What is in a directory now, in no order.

    btrfs shows a descriptor what was there when it was opened, or rewound last (Linux 6.5).
    """
    os.lseek(fd, 0, os.SEEK_SET)
    return [os.fsencode(name) for name in os.listdir(fd)]


Learn = Callable[[bytes, bytes, bytes, bytes], None]  # identity, handle, parent, name


def scan(
    plane: Plane, root: Root, learn: Learn, wanted: set[bytes] | None = None, top: bytes = b""
) -> None:
    """Walk the whole tree and show every object that has an identity.

    wanted: ends when all of these were seen. top: handle of another directory to begin at.
    Costs some ten microseconds an object: the last resort.
    """
    missing = None if wanted is None else set(wanted)
    stack = [(NO_ID if top else root.id, top or root.handle)]
    while stack and missing != set():
        parent, handle = stack.pop()
        try:
            fd = plane.open(root.number, handle, DIRECTORY)
        except OSError as error:
            if error.errno in GONE:
                continue
            raise
        try:
            with os.scandir(fd) as entries:
                for entry in entries:
                    name = os.fsencode(entry.name)
                    if name == HIDDEN_NAME and parent == root.id:
                        continue
                    seen = plane.look(fd, name)
                    if seen is None:
                        continue
                    if seen.id is not None:
                        learn(seen.id, seen.handle, parent, name)
                        if missing is not None:
                            missing.discard(seen.id)
                    if entry.is_dir(follow_symlinks=False):
                        stack.append((seen.id or NO_ID, seen.handle))
        finally:
            os.close(fd)


def find_all(plane: Plane, root: Root, wanted: set[bytes]) -> dict[bytes, bytes]:
    """Handles of these identities, by a walk over the tree; without those not there."""
    found: dict[bytes, bytes] = {}

    def learn(identity: bytes, handle: bytes, _parent: bytes, _name: bytes) -> None:
        if identity in wanted:
            found[identity] = handle

    scan(plane, root, learn, wanted)
    return found


def is_gone(plane: Plane, root: int, handle: bytes) -> bool:
    """Say whether an object has no name any more, or is not there at all."""
    try:
        with opened(plane, root, handle, os.O_PATH) as fd:
            return os.fstat(fd).st_nlink == 0
    except OSError as error:
        if error.errno in GONE:
            return True
        raise


def type_bits(mode: int) -> int:
    """The type bits of a mode."""
    return stat.S_IFMT(mode)

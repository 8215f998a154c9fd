"""One replicated directory at the target: finding, listing, detaching, attaching (design 10.1).

Everything goes by descriptors that come from handles; a name from the network is one component,
looked up in a directory that was found by identity. The map of identities is the apply's, so that
live operations know at once what reintegration has put in place.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from mirror.adapters.native import Look, Plane, bulk
from mirror.core.reintegration.names import (
    NO_ID,
    UNFINISHED,
    Outcome,
    Standing,
    may_adopt,
    type_of,
)
from mirror.daemon.plane.attributes import NOT_SEEN, allow_changes, seen
from mirror.daemon.plane.exclusions import Exclusions
from mirror.daemon.plane.objects import (
    DIRECTORY,
    FRESH_XATTR,
    GONE,
    HIDDEN_NAME,
    Root,
    by_descriptor,
    has_mark,
    is_gone,
    names_in,
    open_any,
    opened,
    scan,
)
from mirror.daemon.plane.stash import Stash

Fields = dict[str, Any]
SEARCH, ONLY_IF_KNOWN = 1, 2  # field `search` of the struct Object


class Tree:
    """See the module. The thread of the lane CONTROL alone uses it."""

    def __init__(self, plane: Plane, root: Root, *, keeps_origin: bool) -> None:
        self._plane = plane
        self.root = root
        self.stash = Stash(plane, root)
        self.exclusions = Exclusions(plane, root)
        self._keeps_origin = keeps_origin or self.exclusions.exist
        self._scanned = False
        self._listing: tuple[bytes, list[bytes]] = (NO_ID, [])
        self.learn(root.id, root.handle, NO_ID, b"")

    def close(self) -> None:
        """Give descriptors back."""
        self.stash.close()

    def learn(self, identity: bytes, handle: bytes, parent: bytes, name: bytes) -> None:
        """Remember where an object is."""
        self._plane.apply_learn(self.root.number, identity, handle, parent, name)

    # Finding.

    def find(self, identity: bytes, *, search: bool) -> bytes | None:
        """The handle of an object, or None. search: walk over the whole tree, once."""
        handle = self._plane.apply_find(self.root.number, identity)
        if handle is None and self.stash.holds(identity):
            seen = self._plane.look(self.stash.fd, identity.hex().encode())
            if seen is not None and seen.id == identity:
                handle = seen.handle
                self.learn(identity, handle, NO_ID, b"")
        if handle is None and search and not self._scanned:
            self._scan()
            handle = self._plane.apply_find(self.root.number, identity)
        return handle

    def _scan(self) -> None:
        self._scanned = True
        scan(self._plane, self.root, self._learn_unless_known)
        scan(self._plane, self.root, self._learn_unless_known, top=self.stash.handle())

    def _learn_unless_known(
        self, identity: bytes, handle: bytes, parent: bytes, name: bytes
    ) -> None:
        """What was made new under an identity counts, not what is found in the stash with it."""
        if not self._is_another(identity, handle):
            self.learn(identity, handle, parent, name)

    def find_wanted(self, wanted: Fields, *, search: bool) -> bool:
        """Know an object by identity from now on, and be able to write it. False: not here.

        The one known by it may be gone, and another made in its place by a live change.
        """
        handle = self.find(wanted["id"], search=False)
        if handle is None or is_gone(self._plane, self.root.number, handle):
            self._look_at_hint(wanted)
            self._walk([step["name"] for step in wanted["path"]])
            handle = self.find(wanted["id"], search=search)
        if handle is None:
            return False
        try:
            fd = open_any(self._plane, self.root.number, handle)
        except OSError as error:
            if error.errno in GONE:
                return False
            raise
        try:
            status = os.fstat(fd)
            if status.st_nlink == 0:  # deleted, and held by a descriptor
                return False
            allow_changes(self._plane, fd, status.st_mode)
        finally:
            os.close(fd)
        return True

    def seen(self, wanted: Fields) -> Fields:
        """An object as it is here, as the struct Seen; one that is not known is looked up.

        So is one that has gone: another may have been made in its place by a live change.
        """
        handle = self.find(wanted["id"], search=False)
        if wanted["path"] and (handle is None or is_gone(self._plane, self.root.number, handle)):
            self._walk([step["name"] for step in wanted["path"]])
            handle = self.find(wanted["id"], search=False)
        if handle is None:
            return NOT_SEEN
        try:
            fd = open_any(self._plane, self.root.number, handle)
        except OSError as error:
            if error.errno in GONE:
                return NOT_SEEN
            raise
        try:
            return seen(fd, wanted["id"])
        finally:
            os.close(fd)

    def _look_at_hint(self, wanted: Fields) -> None:
        name = wanted["hint"]
        if not name or b"/" in name or name in (b".", b".."):
            return
        with self.directory(wanted["parent"]) as fd:
            seen = self._plane.look(fd, name) if fd >= 0 else None
            if seen is not None and seen.id is not None:
                self.learn(seen.id, seen.handle, wanted["parent"], name)

    def _walk(self, names: list[bytes]) -> None:
        """Learn what stands along a path, as far as it leads."""
        fd, parent = self._plane.open(self.root.number, self.root.handle, DIRECTORY), self.root.id
        try:
            for name in names:
                seen = self._plane.look(fd, name)
                if seen is None or seen.id is None:
                    return
                self.learn(seen.id, seen.handle, parent, name)
                parent = seen.id
                if name is names[-1]:
                    return
                below = os.open(name, DIRECTORY | os.O_NOFOLLOW, dir_fd=fd)
                os.close(fd)
                fd = below
        except NotADirectoryError:
            return
        finally:
            os.close(fd)

    @contextmanager
    def directory(self, identity: bytes, *, search: bool = False) -> Iterator[int]:
        """A descriptor of a directory; -1 when there is none."""
        handle = self.find(identity, search=search)
        fd = -1
        if handle is not None:
            try:
                fd = self._plane.open(self.root.number, handle, DIRECTORY)
            except OSError as error:
                if error.errno not in GONE | {errno.ENOTDIR}:
                    raise
        if fd >= 0 and os.fstat(fd).st_nlink == 0:  # deleted, and held by another descriptor
            os.close(fd)
            fd = -1
        try:
            yield fd
        finally:
            if fd >= 0:
                os.close(fd)

    # Listing.

    def names_after(self, identity: bytes, fd: int, after: bytes, count: int) -> list[bytes]:
        """The next names of a directory, in order. Sorted once: pages follow each other."""
        if self._listing[0] != identity or not after:
            names = names_in(fd)
            if identity == self.root.id:
                names = [name for name in names if name != HIDDEN_NAME]
            names = self.exclusions.without_local(fd, names)
            self._listing = identity, sorted(names, reverse=True)
        names = self._listing[1]
        while names and names[-1] <= after:
            names.pop()
        page = names[-count:][::-1]
        del names[-count:]
        return page

    def standing(self, fd: int, parent: bytes, name: bytes) -> tuple[Standing, Look] | None:
        """What stands at a name; learnt, when it has an identity of its own."""
        seen = self._plane.look(fd, name)
        if seen is None:
            return None
        kind = stat.S_IFMT(os.stat(name, dir_fd=fd, follow_symlinks=False).st_mode)
        if seen.id is None or self._is_another(seen.id, seen.handle):
            return Standing(name, NO_ID, kind), seen
        self.learn(seen.id, seen.handle, parent, name)
        if self._is_unfinished(seen.handle):
            kind |= UNFINISHED
        return Standing(name, seen.id, kind), seen

    def _is_another(self, identity: bytes, handle: bytes) -> bool:
        """Whether the identity belongs to another object here already.

        One that the source moved while a round ran may have been made new at its new name before
        the old one was seen here: the old one is nothing any more.
        """
        known = self._plane.apply_find(self.root.number, identity)
        return known not in (None, handle) and not is_gone(self._plane, self.root.number, known)

    def _is_unfinished(self, handle: bytes) -> bool:
        with opened(self._plane, self.root.number, handle, os.O_PATH) as fd:
            return has_mark(fd, FRESH_XATTR)

    # Detaching.

    def detach(self, directory: bytes, entry: Fields) -> None:
        """Move what stands at a name into the stash, if it is what is said."""
        with self.directory(directory) as fd:
            found = self.standing(fd, directory, entry["name"]) if fd >= 0 else None
            if found is not None and found[0].id == entry["id"]:
                self._to_stash(fd, entry["name"], entry["id"])

    def _to_stash(self, fd: int, name: bytes, identity: bytes) -> None:
        origin = b""
        if self._keeps_origin:
            origin = b"/".join((*self.exclusions.path_of(fd), name))
        self.stash.take(fd, name, identity, origin)

    # Attaching.

    def attach_all(self, objects: Sequence[Fields]) -> Iterator[Outcome]:
        """Put objects in their places. Raises: OSError of this disk (ENOSPC, EIO)."""
        new = self._make_new(objects)
        return (
            Outcome.MADE_NEW if at in new else self.attach(wanted)
            for at, wanted in enumerate(objects)
        )

    def _make_new(self, objects: Sequence[Fields]) -> set[int]:
        """Make what this node does not have anywhere, where nothing stands. Returns: which."""
        numbers = [
            at
            for at, wanted in enumerate(objects)
            if wanted["search"] != ONLY_IF_KNOWN and (wanted["search"] != SEARCH or self._scanned)
        ]
        new = [
            bulk.NewObject(
                wanted["id"],
                wanted["parent"],
                wanted["name"],
                wanted["target"],
                wanted["rdev"],
                _mode_until_complete(wanted["mode"]),
            )
            for wanted in map(objects.__getitem__, numbers)
        ]
        outcomes = bulk.make_new(
            self._plane, self.root.number, self.stash.fd, self.root.made_here, new
        )
        return {at for at, outcome in zip(numbers, outcomes, strict=True) if outcome != bulk.LEFT}

    def attach(self, wanted: Fields) -> Outcome:
        """Put an object in its place. Raises: OSError of this disk (ENOSPC, EIO)."""
        with self.directory(wanted["parent"]) as fd:
            if fd < 0:
                return Outcome.NOT_NOW
            return self._attach(fd, wanted)

    def _attach(self, fd: int, wanted: Fields) -> Outcome:
        identity, name = wanted["id"], wanted["name"]
        known = self.find(identity, search=False) is not None
        if wanted["search"] == ONLY_IF_KNOWN and not known:
            return Outcome.NOT_NOW
        found = self.standing(fd, wanted["parent"], name)
        if found is not None:
            there, seen = found
            if there.id == identity:
                return Outcome.UNFINISHED if there.kind & UNFINISHED else Outcome.WAS_THERE
            if not known and may_adopt(wanted["mode"], there) and _same_content(fd, wanted):
                self._name_object(wanted, seen.handle)
                return Outcome.ADOPTED
            if self.exclusions.is_local(fd, name):
                self.exclusions.keep(fd, name)
            else:
                self._to_stash(fd, name, there.id)
        outcome = self._bring(fd, wanted)
        if outcome is None:
            self._create(fd, wanted)
            return Outcome.MADE_NEW
        placed = self.standing(fd, wanted["parent"], name)
        return Outcome.UNFINISHED if placed and placed[0].kind & UNFINISHED else outcome

    def _bring(self, fd: int, wanted: Fields) -> Outcome | None:
        """From the stash, or from another name. None: this node has no such object."""
        identity, name = wanted["id"], wanted["name"]
        try:
            if self._give(identity, fd, name):
                return Outcome.MOVED
            handle = self.find(identity, search=wanted["search"] == SEARCH)
            if handle is None:
                return None
            if not stat.S_ISDIR(wanted["mode"]):
                return self._link(handle, fd, name)
            self._take_directory(handle, identity)
        except OSError as error:
            if error.errno == errno.EINVAL:  # a directory into itself: the trees moved meanwhile
                return Outcome.NOT_NOW
            if error.errno in GONE:
                return None
            raise
        return Outcome.MOVED if self._give(identity, fd, name) else None

    def _give(self, identity: bytes, fd: int, name: bytes) -> bool:
        """From the stash to a name; a directory with its local entries, unless a rule forbids."""
        if self.exclusions.exist and self.stash.holds(identity):
            into = identity.hex().encode()
            old = self.stash.origin_of(into)
            new = (*self.exclusions.path_of(fd), name)
            if old and not self.exclusions.may_move(self.stash.fd, into, old, new):
                return False
        return self.stash.give(identity, fd, name)

    def empty_stash(self) -> None:
        """Names are equal: what is left has no place any more; local entries are kept aside."""
        for name in self.stash.names():
            self.exclusions.keep_beneath(self.stash.fd, name, self.stash.origin_of(name))
            self.stash.remove(name)

    def _link(self, handle: bytes, fd: int, name: bytes) -> Outcome:
        other = open_any(self._plane, self.root.number, handle)
        try:
            allow_changes(self._plane, other, os.fstat(other).st_mode)
            os.link(by_descriptor(other), name, dst_dir_fd=fd, follow_symlinks=True)
        finally:
            os.close(other)
        return Outcome.LINKED

    def _take_directory(self, handle: bytes, identity: bytes) -> None:
        """A directory has one name only: it leaves where it stands."""
        with opened(self._plane, self.root.number, handle, DIRECTORY) as here:
            name = os.path.basename(os.readlink(os.fsencode(by_descriptor(here))))
            above = os.open("..", DIRECTORY, dir_fd=here)
        try:
            seen = self._plane.look(above, name)
            if seen is not None and seen.id == identity:
                self._to_stash(above, name, identity)
        finally:
            os.close(above)

    def _create(self, fd: int, wanted: Fields) -> None:
        name, mode = wanted["name"], _mode_until_complete(wanted["mode"])
        if stat.S_ISDIR(mode):
            os.mkdir(name, stat.S_IMODE(mode), dir_fd=fd)
        elif stat.S_ISLNK(mode):
            os.symlink(wanted["target"], name, dir_fd=fd)
        else:
            os.mknod(name, mode, wanted["rdev"], dir_fd=fd)
        seen = self._plane.look(fd, name)
        assert seen is not None
        self._name_object(wanted, seen.handle, mark=self.root.made_here)

    def _name_object(self, wanted: Fields, handle: bytes, *, mark: bytes = b"") -> None:
        """The mark first, then the identity: cut between the two, it is named again later."""
        with opened(self._plane, self.root.number, handle, os.O_PATH) as path_fd:
            os.setxattr(by_descriptor(path_fd), FRESH_XATTR, mark)
            self._plane.identity_set(path_fd, handle, wanted["id"])
        self.learn(wanted["id"], handle, wanted["parent"], wanted["name"])


def _mode_until_complete(mode: int) -> int:
    """The type bits of a mode, and permissions for nobody but us."""
    kind = type_of(mode)
    return kind | (0o700 if stat.S_ISDIR(kind) else 0o600)


def _same_content(fd: int, wanted: Fields) -> bool:
    """What is never copied later must be equal now: a link's text, a device's number."""
    mode = wanted["mode"]
    if stat.S_ISLNK(mode):
        return bool(os.readlink(wanted["name"], dir_fd=fd) == wanted["target"])
    if stat.S_ISCHR(mode) or stat.S_ISBLK(mode):
        status = os.stat(wanted["name"], dir_fd=fd, follow_symlinks=False)
        return bool(status.st_rdev == wanted["rdev"])
    return True

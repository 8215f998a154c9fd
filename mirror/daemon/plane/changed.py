"""What this node changed since the pair parted, as a list for people: from the dirty index.

Both nodes' lists side by side are what an administrator looks at before a choice after a split
brain. It reads only, and looks nothing up at the other node.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from typing import Any

from mirror.adapters.native import Entry, Plane
from mirror.daemon.plane.objects import GONE, Root, opened, path_of, root_of, scan
from mirror.vocabulary.places import PlaceKind

FILES_MAX = 5_000
WHAT = {
    PlaceKind.DATA: "data",
    PlaceKind.WHOLE: "data",
    PlaceKind.ATTRIBUTES: "attributes",
    PlaceKind.NAME: "names",
    PlaceKind.DIRECTORY: "names",
    PlaceKind.SUBTREE: "names",
}
ORDER = ("data", "names", "attributes")  # what is said of a path that changed in several ways


def changed(plane: Plane, directories: Iterable[tuple[int, str]]) -> dict[str, Any]:
    """The answer to the verb. directories: number and path. Raises: OSError.

    complete False: more changed than is listed, or nobody knows what.
    """
    files: list[dict[str, Any]] = []
    complete = True
    for number, path in directories:
        listing = _Listing(plane, root_of(plane, number))
        for entry in plane.index_entries():
            if entry.root != number:
                continue
            if entry.kind in (PlaceKind.ALL, PlaceKind.SUBTREE) or len(listing.paths) > FILES_MAX:
                complete = False
                continue
            listing.take(entry)
        listing.look_for_lost()
        for names, what in sorted(listing.paths.items()):
            files.append({"directory": path, **_shown(plane, listing.root, names, what)})
    return {"complete": complete and len(files) <= FILES_MAX, "files": files[:FILES_MAX]}


class _Listing:
    """Paths of one directory and in which ways each changed."""

    def __init__(self, plane: Plane, root: Root) -> None:
        self.root = root
        self.paths: dict[tuple[bytes, ...], set[str]] = {}
        self._plane = plane
        self._known: dict[bytes, tuple[bytes, ...] | None] = {}
        self._lost: dict[bytes, list[tuple[bytes, str]]] = {}  # identity -> name below, what

    def take(self, entry: Entry) -> None:
        """Put one entry of the index where it belongs."""
        below, what = entry.name, WHAT[PlaceKind(entry.kind)]
        if entry.kind == PlaceKind.ATTRIBUTES and entry.id == self.root.id:
            return  # its times follow from the names in it
        path = self._path(entry)
        if path is None:
            self._lost.setdefault(entry.id, []).append((below, what))
        else:
            self._add(path, below, what)

    def look_for_lost(self) -> None:
        """One walk for what the kernel could not name, or only the peer noted."""
        if not self._lost:
            return
        parents: dict[bytes, tuple[bytes, bytes]] = {}

        def learn(identity: bytes, _handle: bytes, parent: bytes, name: bytes) -> None:
            parents[identity] = (parent, name)

        scan(self._plane, self.root, learn)
        for identity, wanted in self._lost.items():
            path = _climb(parents, self.root.id, identity)
            if path is not None:
                for below, what in wanted:
                    self._add(path, below, what)

    def _add(self, path: tuple[bytes, ...], below: bytes, what: str) -> None:
        names = (*path, below) if below else path
        self.paths.setdefault(names, set()).add(what)

    def _path(self, entry: Entry) -> tuple[bytes, ...] | None:
        if entry.id == self.root.id:
            return ()
        if entry.id not in self._known:
            self._known[entry.id] = self._named(entry.handle)
        return self._known[entry.id]

    def _named(self, handle: bytes) -> tuple[bytes, ...] | None:
        if not handle.strip(b"\0"):
            return None
        try:
            with (
                opened(self._plane, self.root.number, handle, os.O_PATH) as fd,
                opened(self._plane, self.root.number, self.root.handle, os.O_PATH) as top,
            ):
                return path_of(fd, top) if os.fstat(fd).st_nlink else None
        except OSError as error:
            if error.errno in GONE:
                return None
            raise


def _climb(
    parents: dict[bytes, tuple[bytes, bytes]], top: bytes, identity: bytes
) -> tuple[bytes, ...] | None:
    names: list[bytes] = []
    while identity != top:
        if identity not in parents:
            return None  # deleted: its name was noted in its directory
        identity, name = parents[identity]
        names.append(name)
    return tuple(reversed(names))


def _shown(plane: Plane, root: Root, names: tuple[bytes, ...], what: set[str]) -> dict[str, Any]:
    status = _status(plane, root, names)
    return {
        "path": b"/".join(names).decode(errors="backslashreplace"),
        "what": next(each for each in ORDER if each in what),
        "exists": status is not None,
        "is_directory": status is not None and stat.S_ISDIR(status.st_mode),
        "size_bytes": status.st_size if status else 0,
        "mtime_us": status.st_mtime_ns // 1_000 if status else 0,
    }


def _status(plane: Plane, root: Root, names: tuple[bytes, ...]) -> os.stat_result | None:
    with opened(plane, root.number, root.handle, os.O_PATH) as top:
        try:
            return os.stat(b"/".join(names) or b".", dir_fd=top, follow_symlinks=False)
        except OSError:
            return None

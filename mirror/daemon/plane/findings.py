"""What a verification found: told as differences, and kept as objects and names to be repaired."""

from __future__ import annotations

import stat
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import structlog

from mirror.adapters.native import Plane
from mirror.core.reintegration.names import type_of
from mirror.core.verification import Difference, Kind, Report
from mirror.daemon.plane.objects import DIRECTORY, Root, opened, path_of, steps_to

log = structlog.get_logger()

Standing = tuple[bytes, int]  # identity, type bits


class Here(NamedTuple):
    """What stands at a name of this node. id: zero, when it has none."""

    id: bytes
    handle: bytes
    mode: int
    size: int
    several: bool  # names, of one file

    @property
    def standing(self) -> Standing:
        """As it must be at the secondary."""
        return self.id, type_of(self.mode)


@dataclass(frozen=True, slots=True)
class Object:
    """One object of this node. kinds: in which ways it differs."""

    root: int
    id: bytes
    handle: bytes
    kinds: set[Kind]


class Findings:
    """See the module. One thread.

    objects: that differ, by root and identity. names: directories (handle) and names in them.
    """

    def __init__(
        self, plane: Plane, roots: Sequence[Root], directories: Sequence[str], report: Report
    ) -> None:
        self._plane = plane
        self._roots = roots
        self._directories = directories
        self._report = report
        self.objects: dict[tuple[int, bytes], Object] = {}
        self.names: dict[tuple[int, bytes], tuple[bytes, set[bytes]]] = {}

    def name(
        self,
        root: Root,
        identity: bytes,
        handle: bytes,
        fd: int,
        name: bytes,
        here: Here | None,
        there: Standing | None,
    ) -> None:
        """At a name of a directory stands something else. fd: of the directory."""
        _, names = self.names.setdefault((root.number, identity), (handle, set()))
        names.add(name)
        with opened(self._plane, root.number, root.handle, DIRECTORY) as top:
            path = b"/".join((*(path_of(fd, top) or ()), name))
        text = path.decode(errors="backslashreplace")
        texts = _text(here and here.standing), _text(there)
        self._add(Difference(self._directories[root.number], text, Kind.NAME, *texts))

    def object(
        self,
        root: int,
        identity: bytes,
        handle: bytes,
        kind: Kind,
        prim: str,
        second: str,
        offset: int | None = None,
        size: int | None = None,
    ) -> None:
        """An object is otherwise at the secondary."""
        each = self.objects.setdefault((root, identity), Object(root, identity, handle, set()))
        each.kinds.add(kind)
        path, directory = self.path(root, handle), self._directories[root]
        self._add(Difference(directory, path, kind, prim, second, offset, size))

    def path(self, root: int, handle: bytes) -> str:
        """Where an object is, for people."""
        steps = steps_to(self._plane, self._roots[root], handle)
        return b"/".join(step["name"] for step in steps).decode(errors="backslashreplace")

    def _add(self, found: Difference) -> None:
        log.warning("nodes differ", difference=str(found))
        self._report.add(found)


def _text(standing: Standing | None) -> str:
    if standing is None:
        return "nothing"
    identity, kind = standing
    return f"{_TYPES.get(kind, 'object')} {identity.hex()[:8]}"


_TYPES = {
    stat.S_IFREG: "file",
    stat.S_IFDIR: "directory",
    stat.S_IFLNK: "symbolic link",
    stat.S_IFIFO: "fifo",
    stat.S_IFSOCK: "socket",
    stat.S_IFCHR: "character device",
    stat.S_IFBLK: "block device",
}

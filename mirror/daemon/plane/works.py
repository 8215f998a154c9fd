"""What the data phase looks at: the entries of the index, object by object, and the worklist.

The session has begun, so nothing is noted any more: the index is read once, in key order, kind
after kind. An object that is dirty in two kinds comes twice; the second time is short. Regions
noted ahead, and never touched, are equal on both nodes: nobody looks at them.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from operator import attrgetter

from mirror.adapters.native import Entry, Plane
from mirror.daemon.plane.objects import GONE, Root, find_all, opened
from mirror.daemon.plane.worklist import Worklist
from mirror.vocabulary.places import REGION_BYTES, PlaceKind


@dataclass(slots=True)
class Work:
    """One object. regions: dirty ones; none: attributes only, or all data when `whole`.

    new: as in the worklist. parent, hint, parent_handle: as in Entry.

    entries: of the index; they leave it when all is done and on both disks. kept: what the target
    would lose of it has been seen to (keeping.py).
    """

    root: int
    id: bytes
    handle: bytes
    whole: bool = False
    trusted: bool = False
    new: bool = False
    regions: list[int] = field(default_factory=list)
    parent: bytes = bytes(16)
    hint: bytes = b""
    parent_handle: bytes = b""
    entries: list[Entry] = field(default_factory=list)
    kept: bool = False


@dataclass(frozen=True, slots=True)
class Kept:
    """How far keeping.py has come: what was noted, and how many were listed, when it began."""

    noted: int = -1
    listed: int = 0


OF_OBJECTS = (PlaceKind.DATA, PlaceKind.WHOLE, PlaceKind.ATTRIBUTES)
OF_NAMES = (PlaceKind.NAME, PlaceKind.DIRECTORY)


class Works:
    """See the module. whole: numbers of the roots that are compared wholly. kept: is done.

    kinds: of the entries looked at. Those of names only when no name is noted any more: they are
    taken for compared.
    """

    def __init__(
        self,
        plane: Plane,
        roots: Sequence[Root],
        whole: set[int],
        worklist: Worklist,
        kinds: Sequence[PlaceKind] = OF_OBJECTS + OF_NAMES,
        kept: Kept | None = None,
    ) -> None:
        self._kept = kept or Kept()
        self._kinds = kinds
        self._plane = plane
        self._roots = roots
        self._whole = whole
        self._worklist = worklist
        self._foreign: dict[tuple[int, bytes], bytes] | None = None

    def totals(self) -> tuple[int, int]:
        """Objects and bytes that must be looked at, without those of the worklist."""
        files = size = 0
        for root in self._roots:
            if root.number in self._whole:
                continue
            last = b""
            for entry in self._plane.index_entries(root.number, PlaceKind.DATA):
                files += entry.id != last
                last = entry.id
                size += 0 if entry.ahead else entry.region_count * REGION_BYTES
            for entry in self._plane.index_entries(root.number, PlaceKind.WHOLE):
                files += 1
                size += self._size(entry)
            kind = PlaceKind.ATTRIBUTES
            files += sum(1 for _ in self._plane.index_entries(root.number, kind))
        return files, size

    def _size(self, entry: Entry) -> int:
        try:
            with opened(self._plane, entry.root, entry.handle, os.O_PATH) as fd:
                return os.fstat(fd).st_size
        except OSError as error:
            if error.errno in GONE:
                return 0
            raise

    def __iter__(self) -> Iterator[Work]:
        """Every object; an empty handle: this node does not have it."""
        for root in self._roots:
            if root.number in self._whole:
                continue
            for kind in self._kinds:
                entries = self._plane.index_entries(root.number, kind)
                for _, group in itertools.groupby(entries, attrgetter("id")):
                    yield self._work(kind, list(group))
        for at, item in enumerate(self._worklist):
            yield Work(
                item.root,
                item.id,
                item.handle,
                whole=item.whole,
                trusted=item.trusted,
                new=item.new,
                kept=at < self._kept.listed,
            )

    def _work(self, kind: PlaceKind, entries: list[Entry]) -> Work:
        first, is_data = entries[0], kind is PlaceKind.DATA
        handles = (entry.handle for entry in entries if entry.handle.strip(b"\0"))
        return Work(
            first.root,
            first.id,
            next(handles, b"") or self._foreign_handle(first),
            whole=kind is PlaceKind.WHOLE,
            regions=_touched(entries) if is_data else [],
            parent=first.parent,
            hint=first.hint,
            parent_handle=first.parent_handle,
            entries=entries,
            kept=all(entry.noted <= self._kept.noted for entry in entries),
        )

    def _foreign_handle(self, entry: Entry) -> bytes:
        """The handle here of an object that only the peer noted; all are looked up at once."""
        if self._foreign is None:
            self._foreign = {}
            for root in self._roots:
                wanted = {
                    each.id
                    for kind in PlaceKind
                    for each in self._plane.index_entries(root.number, kind)
                    if not each.handle.strip(b"\0")
                }
                found = {root.id: root.handle}
                if wanted - {root.id}:
                    found |= find_all(self._plane, root, wanted - {root.id})
                self._foreign |= {(root.number, key): value for key, value in found.items()}
        return self._foreign.get((entry.root, entry.id), b"")


def _touched(entries: list[Entry]) -> list[int]:
    return [
        region
        for entry in entries
        if not entry.ahead
        for region in range(entry.region, entry.region + entry.region_count)
    ]

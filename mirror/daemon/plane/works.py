"""What the data phase looks at: the entries of the index, object by object, and the worklist.

The session has begun, so nothing is noted any more: the index is read once, in key order, kind
after kind. An object that is dirty in two kinds comes twice; the second time is short.
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
    """One object. regions: dirty ones; None: attributes only, or all data when `whole`.

    entries: of the index; they leave it when all is done and on both disks.
    """

    root: int
    id: bytes
    handle: bytes
    whole: bool = False
    resize: bool = False
    regions: list[int] = field(default_factory=list)
    parent: bytes = bytes(16)
    hint: bytes = b""
    entries: list[Entry] = field(default_factory=list)


class Works:
    """See the module. whole: numbers of the roots that are compared wholly."""

    def __init__(
        self, plane: Plane, roots: Sequence[Root], whole: set[int], worklist: Worklist
    ) -> None:
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
                size += REGION_BYTES
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
            for kind in (
                PlaceKind.DATA,
                PlaceKind.WHOLE,
                PlaceKind.ATTRIBUTES,
                PlaceKind.NAME,
                PlaceKind.DIRECTORY,
            ):
                entries = self._plane.index_entries(root.number, kind)
                for _, group in itertools.groupby(entries, attrgetter("id")):
                    yield self._work(kind, list(group))
        for item in self._worklist:
            yield Work(item.root, item.id, item.handle, whole=item.whole)

    def _work(self, kind: PlaceKind, entries: list[Entry]) -> Work:
        first = entries[0]
        handles = (entry.handle for entry in entries if entry.handle.strip(b"\0"))
        return Work(
            first.root,
            first.id,
            next(handles, b"") or self._foreign_handle(first),
            whole=kind is PlaceKind.WHOLE,
            resize=kind is PlaceKind.ATTRIBUTES,
            regions=[entry.region for entry in entries] if kind is PlaceKind.DATA else [],
            parent=first.parent,
            hint=first.hint,
            entries=entries,
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

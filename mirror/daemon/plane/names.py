"""Names of a reintegration at the source, round by round (design 10.1).

The mount serves meanwhile, alone, and the index notes every change of a name. A round takes the
dirty names of the index, compares them with the target's, detaches, attaches; then the target
syncs, and what was not touched again leaves the index. What is left is what changed meanwhile: the
next round's work.

Nothing is noted of what happens inside an object that was made in the present period alone
(capture/replicate.c): the note of its name says it all. So each round begins a new period, and a
directory that a round made new at the target is compared once more by the next one.
"""

from __future__ import annotations

import itertools
import os
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mirror.adapters.native import Entry, Plane
from mirror.core.reintegration.names import NO_ID, TRUSTED, WHOLLY_DIRTY, Outcome
from mirror.daemon.plane.comparing import ATTACH_AT_ONCE, Comparing, Ours, Visit
from mirror.daemon.plane.objects import (
    DIRECTORY,
    GONE,
    Root,
    find_all,
    opened,
    root_of,
    steps_to,
    wholly,
)
from mirror.daemon.plane.rpc import Question, Rpc
from mirror.daemon.plane.tree import ONLY_IF_KNOWN
from mirror.daemon.plane.worklist import Worklist
from mirror.vocabulary.places import PlaceKind

ENTRIES_AT_ONCE = 1024  # in one commit of the index
FINDS_AT_ONCE = 256

ObjectKey = tuple[int, bytes]  # root, identity


@dataclass(frozen=True, slots=True)
class _Attaching:
    """Objects that the target was asked to attach, in one root."""

    objects: Sequence[tuple[Visit, Ours]]
    questions: Sequence[Question]


class Names:
    """Makes the names of the target equal to this node's. One thread.

    worklist: filled with the objects that must be looked at and that the index does not hold: all
    of a root that is compared wholly, and attributes that the last, frozen round finds.
    notes_within: what happens inside a new object is noted as well (capture="watch").
    made(key): called with each object that the target had to make.
    """

    def __init__(
        self,
        plane: Plane,
        rpc: Rpc,
        root_count: int,
        worklist: Worklist,
        trusts_before_ns: int = 0,
        *,
        notes_within: bool = False,
        made: Callable[[ObjectKey], object] = lambda _: None,
    ) -> None:
        self._made = made
        self._notes_within = notes_within
        self._trusts_before_ns = trusts_before_ns  # 0: nothing is taken on trust
        self._plane = plane
        self._rpc = rpc
        self.roots = [root_of(plane, number) for number in range(root_count)]
        self._worklist = worklist
        self.whole: set[int] = set()  # roots that are compared wholly
        self.marks: list[Entry] = []  # that say so, in the index
        self.found_bytes = 0  # of files in the worklist
        self._again: list[Visit] = []  # what the next round must look at beside the index
        self._walked: set[ObjectKey] = set()  # directories all of whose names were compared
        self._walked_now: list[ObjectKey] = []  # those of the present round
        self._stack: list[Visit] = []
        self._new: list[Entry] = []  # objects that the index must remember
        self._unsettled: set[ObjectKey] = set()  # directories that keep their entries
        self._drained: int | None = None  # of the round that runs

    def mark_whole(self, root: Root) -> None:
        """Compare all of a root; an interruption does not forget it.

        Beneath a SUBTREE the index goes on noting name by name, so that rounds grow smaller;
        beneath ALL it would not. Every other entry says less, and makes room.
        """
        number = root.number
        self._plane.index_merge([wholly(root)])
        for kind in set(PlaceKind) - {PlaceKind.SUBTREE}:
            entries = self._plane.index_entries(number, kind)
            while part := list(itertools.islice(entries, ENTRIES_AT_ONCE)):
                self._remove(part)
        self.marks += self._plane.index_entries(number, PlaceKind.SUBTREE)
        self.whole.add(number)
        self._walked = {key for key in self._walked if key[0] != number}
        self._worklist.add(number, root.id, root.handle, whole=True)
        self._again.append(Visit(number, root.id, root.handle, None))

    def pending_count(self, count_max: int) -> int:
        """Directories and names that the next round will look at; no more are counted."""
        entries = (
            entry
            for root in self.roots
            for kind in (PlaceKind.NAME, PlaceKind.DIRECTORY)
            for entry in self._plane.index_entries(root.number, kind)
        )
        return len(self._again) + sum(1 for _ in itertools.islice(entries, count_max))

    def is_settled(self) -> bool:
        """Whether the index names everything that the next round must look at."""
        return not self._again

    def pending(self, count_max: int) -> tuple[str, ...]:
        """The first names that wait, for people."""
        shown: list[str] = []
        for root in self.roots:
            for entry in self._plane.index_entries(root.number, PlaceKind.NAME):
                if len(shown) == count_max:
                    return tuple(shown)
                shown.append(entry.name.decode(errors="backslashreplace"))
        return tuple(shown)

    # A round.

    def round(
        self, *, frozen: bool, deadline_ms: int | None = None, drained: int | None = None
    ) -> bool:
        """Make equal what is dirty now. False: something could not be done now.

        drained: `index_now` of when no change was under way, before this round. A change that has
        begun since may have been noted before its entry is read, and be made after its directory
        was listed: what it touched stays in the index.
        frozen: nothing changes meanwhile and the session begins right after: entries stay in the
        index until the data phase has seen to their objects.
        Raises: Late (frozen only), OSError, ReintegrationStopped.
        """
        self._unsettled, self._stack, self._walked_now = set(), [], []
        self._drained = drained
        visits, entries = self._read()
        again, self._again = self._again, []
        try:
            comparing = Comparing(self._plane, self._rpc, self.roots, deadline_ms)
            self._perform(comparing, visits, [each for each in again if self._has_changed(each)])
        except BaseException:
            self._again = again + self._again
            for visit in self._again:
                visit.stamp_ns = 0  # what was seen there may not have been attached any more
            self._walked.difference_update(self._walked_now)
            raise
        if frozen:
            self._again = again + self._again  # no new period has begun: if no session begins now
            self._note_made()
            for entry in self._new:
                if entry.kind is not PlaceKind.WHOLE:
                    self._worklist.add(entry.root, entry.id, entry.handle, whole=False)
        else:
            self._settle(entries)
        self._new = []
        return not self._unsettled

    def _read(self) -> tuple[list[Visit], list[Entry]]:
        """The dirty directories of the index, and the entries they come from."""
        dirty: dict[ObjectKey, Visit] = {}
        entries: list[Entry] = []
        for root in self.roots:
            self._see_wide_marks(root)
            for kind in (PlaceKind.NAME, PlaceKind.DIRECTORY):
                for entry in self._plane.index_entries(root.number, kind):
                    entries.append(entry)
                    visit = dirty.setdefault(
                        (entry.root, entry.id), Visit(entry.root, entry.id, b"", set())
                    )
                    visit.handle = entry.handle if entry.handle.strip(b"\0") else visit.handle
                    if kind is PlaceKind.DIRECTORY:
                        visit.names = None
                    elif visit.names is not None:
                        visit.names.add(entry.name)
        self._find_here(list(dirty.values()))
        return [visit for visit in dirty.values() if visit.handle], entries

    def _see_wide_marks(self, root: Root) -> None:
        """SUBTREE: an earlier try compared wholly. ALL: the index met its bound, now perhaps."""
        for kind in (PlaceKind.ALL, PlaceKind.SUBTREE):
            if kind is PlaceKind.SUBTREE and root.number in self.whole:
                continue
            if any(True for _ in self._plane.index_entries(root.number, kind)):
                self.mark_whole(root)

    def _has_changed(self, visit: Visit) -> bool:
        """Whether a directory was touched since it was listed, or may have been."""
        if not visit.stamp_ns:
            return True
        try:
            with opened(self._plane, visit.root, visit.handle, os.O_PATH) as fd:
                return os.fstat(fd).st_ctime_ns != visit.stamp_ns
        except OSError as error:
            if error.errno in GONE:
                return False
            raise

    def _find_here(self, visits: Sequence[Visit]) -> None:
        """Directories that only the peer noted: this node's handles of them, if it has them."""
        for root in self.roots:
            unknown = {
                visit.id for visit in visits if visit.root == root.number and not visit.handle
            }
            found = {root.id: root.handle}
            if unknown - {root.id}:
                found |= find_all(self._plane, root, unknown - {root.id})
            for visit in visits:
                if visit.root == root.number and not visit.handle:
                    visit.handle = found.get(visit.id, b"")

    def _perform(self, comparing: Comparing, visits: list[Visit], again: Sequence[Visit]) -> None:
        """Detach everywhere, then attach; then walk what is new, or compared wholly."""
        attach: list[tuple[Visit, Ours]] = []
        missing = self._compare_all(comparing, visits, attach, search=False)
        search = False
        while missing:
            # A directory may be unknown only because one above it stands elsewhere still, or was
            # detached just now. Nothing is made new before all that must leave has left.
            attach = self._attach_known(comparing, attach)
            before = len(missing)
            missing = self._compare_all(comparing, missing, attach, search=search)
            if len(missing) == before and search:
                break
            search = len(missing) == before
        self._attach(comparing, attach)
        for visit in missing:  # equal trees would have it: more differs than the index says
            self._unsettled.add((visit.root, visit.id))
            self.mark_whole(self.roots[visit.root])
        self._stack += again
        self._walk(comparing)

    def _compare_all(
        self,
        comparing: Comparing,
        visits: Sequence[Visit],
        attach: list[tuple[Visit, Ours]],
        *,
        search: bool,
    ) -> list[Visit]:
        """Compare and detach. Returns: those that the target does not know."""
        missing = []
        for at in range(0, len(visits), FINDS_AT_ONCE):
            part = [each for each in visits[at : at + FINDS_AT_ONCE] if self._is_here(each)]
            comparing.check_time()
            known = self._find(part, search=search)
            for visit in part:
                if (visit.root, visit.id) in known:
                    self._compare(comparing, visit, attach)
                else:
                    missing.append(visit)
        return missing

    def _compare(
        self, comparing: Comparing, visit: Visit, attach: list[tuple[Visit, Ours]]
    ) -> None:
        compared = comparing.directory(visit)
        attach += [(visit, ours) for ours in compared.attach]
        for ours in compared.same:
            if visit.root in self.whole:
                self._found(visit.root, ours, Outcome.WAS_THERE)
            else:
                # Made by a live change whose time did not arrive any more: the name says it.
                self._remember(PlaceKind.ATTRIBUTES, visit.root, ours)
        for ours in compared.unfinished:
            self._found(visit.root, ours, Outcome.UNFINISHED)

    def _is_here(self, visit: Visit) -> bool:
        try:
            fd = self._plane.open(visit.root, visit.handle, DIRECTORY)
        except OSError as error:
            if error.errno in GONE:
                return False
            raise
        try:
            return os.fstat(fd).st_nlink > 0
        finally:
            os.close(fd)

    def _find(self, visits: Sequence[Visit], *, search: bool) -> set[ObjectKey]:
        """Those that the target has, known to it by identity from now on."""
        known: set[ObjectKey] = set()
        for root in self.roots:
            part = [visit for visit in visits if visit.root == root.number]
            if not part:
                continue
            wanted = [
                {
                    "id": each.id,
                    "parent": NO_ID,
                    "hint": b"",
                    "path": steps_to(self._plane, root, each.handle),
                }
                for each in part
            ]
            answer = self._rpc.ask("Find", root=root.number, search=int(search), objects=wanted)
            outcomes = zip(part, answer["outcomes"], strict=True)
            known |= {(each.root, each.id) for each, outcome in outcomes if outcome == 0}
        return known

    # Attaching, and what lies below.

    def _attach(self, comparing: Comparing, attach: Sequence[tuple[Visit, Ours]]) -> None:
        self._finish_attach(comparing, self._begin_attach(comparing, attach))

    def _begin_attach(
        self, comparing: Comparing, attach: Sequence[tuple[Visit, Ours]]
    ) -> list[_Attaching]:
        begun = []
        names_here = Counter((visit.root, ours.standing.id) for visit, ours in attach)
        for root in self.roots:
            part = [(visit, ours) for visit, ours in attach if visit.root == root.number]
            wanted = [
                (visit.id, ours, int(self._may_be_elsewhere(visit.root, ours, names_here)))
                for visit, ours in part
            ]
            if part:
                begun.append(_Attaching(part, comparing.begin_attach(root.number, wanted)))
        return begun

    def _finish_attach(self, comparing: Comparing, begun: Sequence[_Attaching]) -> None:
        for each in begun:
            outcomes = comparing.attached(each.questions)
            for (visit, ours), outcome in zip(each.objects, outcomes, strict=True):
                self._attached(visit, ours, outcome)

    def _attach_known(
        self, comparing: Comparing, attach: Sequence[tuple[Visit, Ours]]
    ) -> list[tuple[Visit, Ours]]:
        """Attach directories that the target has somewhere. Returns: all the others."""
        rest = [each for each in attach if not each[1].is_directory]
        for root in self.roots:
            part = [
                each for each in attach if each[0].root == root.number and each[1].is_directory
            ]
            wanted = [(visit.id, ours, ONLY_IF_KNOWN) for visit, ours in part]
            for each, outcome in zip(part, comparing.attach(root.number, wanted), strict=True):
                if outcome is Outcome.NOT_NOW:
                    rest.append(each)
                else:
                    self._attached(*each, outcome)
        return rest

    def _may_be_elsewhere(self, root: int, ours: Ours, names_here: Counter[ObjectKey]) -> bool:
        """Whether the target may have it at a name that nobody noted: then a scan is worth it."""
        if root in self.whole:
            return True
        return not ours.is_directory and ours.links > names_here[root, ours.standing.id]

    def _attached(self, visit: Visit, ours: Ours, outcome: Outcome) -> None:
        if outcome is Outcome.NOT_NOW:
            self._unsettled.add((visit.root, visit.id))
            names = {ours.standing.name}
            self._again.append(Visit(visit.root, visit.id, visit.handle, names))
        elif outcome in WHOLLY_DIRTY or visit.root in self.whole:
            self._found(visit.root, ours, outcome)
        else:
            # As with a name that stayed: it may have been made just before the link broke.
            self._remember(PlaceKind.ATTRIBUTES, visit.root, ours)

    def _found(self, root: int, ours: Ours, outcome: Outcome) -> None:
        """An object that must be looked at wholly; of a directory, its names too."""
        key = (root, ours.standing.id)
        if outcome is Outcome.MADE_NEW:
            self._made(key)
        if ours.is_directory:
            new = outcome is Outcome.MADE_NEW
            if key in self._walked and not new:  # made new: it is empty, whatever was seen before
                return
            self._walked.add(key)
            self._walked_now.append(key)
            visit = Visit(root, ours.standing.id, ours.handle, None, new=new)
            self._stack.append(visit)
            if outcome in WHOLLY_DIRTY and not self._notes_within:
                self._again.append(visit)
        self.found_bytes += ours.size
        if root in self.whole:
            trusted = outcome in TRUSTED and 0 < ours.mtime_ns < self._trusts_before_ns
            self._worklist.add(
                root,
                ours.standing.id,
                ours.handle,
                whole=not trusted,
                trusted=trusted,
                new=outcome is Outcome.MADE_NEW and ours.is_small_file,
            )
        else:
            self._remember(PlaceKind.WHOLE, root, ours)

    def _remember(self, kind: PlaceKind, root: int, ours: Ours) -> None:
        self._new.append(Entry(kind, root, ours.standing.id, 0, b"", NO_ID, b"", ours.handle, 0))

    def _walk(self, comparing: Comparing) -> None:
        attach: list[tuple[Visit, Ours]] = []
        begun: list[_Attaching] = []  # the target works at it while the next are compared
        while self._stack or attach or begun:
            if self._stack:
                visit = self._stack.pop()
                self._compare(comparing, visit, attach)
                visit.new = False  # it may be compared again
            if len(attach) >= ATTACH_AT_ONCE or not self._stack:
                before, begun = begun, self._begin_attach(comparing, attach)
                attach = []
                self._finish_attach(comparing, before)

    # The end of a round that was not frozen.

    def _settle(self, entries: Sequence[Entry]) -> None:
        """The index remembers what is new, the target's disk has the names: they are settled."""
        settled = [each for each in entries if (each.root, each.id) not in self._unsettled]
        times = {(each.root, each.id): each for each in settled if each.root not in self.whole}
        attributes = PlaceKind.ATTRIBUTES
        self._new += [
            each._replace(kind=attributes, name=b"", region=0, noted=0) for each in times.values()
        ]
        self._merge(self._new)
        for number in sorted({each.root for each in settled} - self.whole):
            self._rpc.ask("SyncNames", root=number)
        for at in range(0, len(settled), ENTRIES_AT_ONCE):
            self._remove(settled[at : at + ENTRIES_AT_ONCE])

    def _note_made(self) -> None:
        """Of what the target made just now its name alone says too little once its power is lost.

        It may be complete there by its attributes then, and its data not be on the disk.
        """
        self._merge([entry for entry in self._new if entry.kind is PlaceKind.WHOLE])
        for root in self.roots:  # an index that met its bound by that: the next round looks wholly
            if any(True for _ in self._plane.index_entries(root.number, PlaceKind.ALL)):
                self._unsettled.add((root.number, root.id))

    def _merge(self, entries: Sequence[Entry]) -> None:
        for at in range(0, len(entries), ENTRIES_AT_ONCE):
            self._plane.index_merge(entries[at : at + ENTRIES_AT_ONCE])

    def _remove(self, entries: Sequence[Entry]) -> None:
        if self._drained is not None:
            drained = self._drained
            entries = [each._replace(noted=min(each.noted, drained)) for each in entries]
        self._plane.index_remove(entries)

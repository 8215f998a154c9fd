"""One directory of the source against the same one of the target, and batches of attachments."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from mirror.adapters import clock
from mirror.adapters.native import Plane, bulk
from mirror.core.reintegration.names import Outcome, Standing, compare
from mirror.daemon.plane.exclusions import Exclusions
from mirror.daemon.plane.objects import DIRECTORY, GONE, HIDDEN_NAME, Root, names_in, opened
from mirror.daemon.plane.rpc import Question, Rpc
from mirror.daemon.plane.target import NAMES_AT_ONCE

ATTACH_AT_ONCE = 256
SMALL_FILE_BYTES_MAX = 64 << 10  # as MN_COPY_NEW_BYTES_MAX, which decides


@dataclass(frozen=True, slots=True)
class Ours:
    """An object as the source has it at a name. links: names it has in all."""

    standing: Standing
    handle: bytes
    size: int
    links: int
    rdev: int
    target: bytes
    mtime_ns: int

    @property
    def is_directory(self) -> bool:
        """True for a directory."""
        return stat.S_ISDIR(self.standing.kind)

    @property
    def is_small_file(self) -> bool:
        """True for what is worth to be sent whole and without a question (capture/copy_new.h)."""
        return stat.S_ISREG(self.standing.kind) and self.size <= SMALL_FILE_BYTES_MAX


@dataclass(slots=True)
class Visit:
    """A directory whose names are compared. names: None for all. new: the target's is empty.

    stamp_ns: its ctime when it was listed; 0 when a change might have the same.
    """

    root: int
    id: bytes
    handle: bytes
    names: set[bytes] | None
    new: bool = False
    stamp_ns: int = 0


@dataclass(frozen=True, slots=True)
class Compared:
    """What the source has there: to be attached; equal; there, but not complete."""

    attach: tuple[Ours, ...]
    same: tuple[Ours, ...]
    unfinished: tuple[Ours, ...]


class Late(Exception):
    """A frozen round takes too long: it is given up and changes go on."""


class Comparing:
    """The comparisons of one round. deadline_ms: on the monotonic clock, then Late is raised."""

    def __init__(
        self, plane: Plane, rpc: Rpc, roots: Sequence[Root], deadline_ms: int | None
    ) -> None:
        self._plane = plane
        self._rpc = rpc
        self._roots = roots
        self._exclusions = [Exclusions(plane, root) for root in roots]
        self._deadline_ms = deadline_ms

    def check_time(self) -> None:
        """Raises: Late."""
        if self._deadline_ms is not None and clock.monotonic_ms() > self._deadline_ms:
            raise Late

    def directory(self, visit: Visit) -> Compared:
        """Compare, and detach at the target what must leave. A directory gone here: nothing.

        Raises: Late, OSError, ReintegrationStopped.
        """
        self.check_time()
        try:
            with opened(self._plane, visit.root, visit.handle, DIRECTORY) as fd:
                status = os.fstat(fd)
                if status.st_nlink == 0:
                    return Compared((), (), ())
                is_past = status.st_ctime_ns < clock.file_ns()
                visit.stamp_ns = status.st_ctime_ns if is_past else 0
                ours = self._ours(fd, visit)
        except OSError as error:
            if error.errno in GONE | {errno.ENOTDIR}:
                return Compared((), (), ())
            raise
        theirs = {} if visit.new else self._theirs(visit)
        compared = compare((each.standing for each in ours.values()), theirs)
        self._detach(visit, compared.detach)

        def as_ours(standings: Iterable[Standing]) -> tuple[Ours, ...]:
            return tuple(ours[standing.name] for standing in standings)

        return Compared(
            as_ours(compared.attach), as_ours(compared.same), as_ours(compared.unfinished)
        )

    def _ours(self, fd: int, visit: Visit) -> dict[bytes, Ours]:
        names = visit.names
        if names is None:
            names = set(names_in(fd))
        if visit.id == self._roots[visit.root].id:
            names = names - {HIDDEN_NAME}
        ours = {}
        for name in self._exclusions[visit.root].without_local(fd, names):
            each = _look(fd, name)
            if each is not None:
                ours[name] = each
        return ours

    def _theirs(self, visit: Visit) -> dict[bytes, Standing]:
        theirs: dict[bytes, Standing] = {}
        if visit.names is not None:
            names = sorted(visit.names)
            for at in range(0, len(names), NAMES_AT_ONCE):
                self._ask_names(visit, b"", names[at : at + NAMES_AT_ONCE], theirs)
            return theirs
        after, count = b"", NAMES_AT_ONCE
        while count == NAMES_AT_ONCE:
            self.check_time()
            count, after = self._ask_names(visit, after, (), theirs)
        return theirs

    def _ask_names(
        self, visit: Visit, after: bytes, names: Sequence[bytes], theirs: dict[bytes, Standing]
    ) -> tuple[int, bytes]:
        """Put a page into theirs. Returns: how many entries came, and the last name."""
        answer = self._rpc.ask(
            "ListNames",
            allowed_errno=errno.ENOENT,
            root=visit.root,
            directory=visit.id,
            after=after,
            names=[{"name": name} for name in names],
        )
        entries = answer["entries"]
        for entry in entries:
            if entry["kind"]:
                theirs[entry["name"]] = Standing(entry["name"], entry["id"], entry["kind"])
        return len(entries), entries[-1]["name"] if entries else b""

    def _detach(self, visit: Visit, detach: Sequence[Standing]) -> None:
        for at in range(0, len(detach), NAMES_AT_ONCE):
            self.check_time()
            entries = [
                {"name": each.name, "id": each.id, "kind": each.kind}
                for each in detach[at : at + NAMES_AT_ONCE]
            ]
            self._rpc.ask("Detach", root=visit.root, directory=visit.id, entries=entries)

    def attach(self, root: int, wanted: Sequence[tuple[bytes, Ours, int]]) -> list[Outcome]:
        """Put objects (parent, object, search as in the struct Object) in their places."""
        return self.attached(self.begin_attach(root, wanted))

    def attached(self, questions: Iterable[Question]) -> list[Outcome]:
        """Wait for what `begin_attach` has begun; an outcome for each object."""
        return [
            Outcome(outcome)
            for question in questions
            for outcome in self._rpc.wait(question)["outcomes"]
        ]

    def begin_attach(self, root: int, wanted: Sequence[tuple[bytes, Ours, int]]) -> list[Question]:
        """As `attach`, without waiting."""
        questions = []
        for at in range(0, len(wanted), ATTACH_AT_ONCE):
            self.check_time()
            objects = [
                {
                    "parent": parent,
                    "name": ours.standing.name,
                    "id": ours.standing.id,
                    "mode": ours.standing.kind,
                    "rdev": ours.rdev,
                    "search": search,
                    "target": ours.target,
                }
                for parent, ours, search in wanted[at : at + ATTACH_AT_ONCE]
            ]
            questions.append(self._rpc.begin("Attach", root=root, objects=objects))
        return questions


def _look(fd: int, name: bytes) -> Ours | None:
    """What stands at a name here; None: nothing any more."""
    seen = bulk.see(fd, name)  # what was there before mirror, or was copied in, is named now
    if seen is None:
        return None
    try:
        target = os.readlink(name, dir_fd=fd) if stat.S_ISLNK(seen.mode) else b""
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.EINVAL):  # another stands there by now
            return None
        raise
    return Ours(
        Standing(name, seen.id, stat.S_IFMT(seen.mode)),
        seen.handle,
        seen.size if stat.S_ISREG(seen.mode) else 0,
        seen.links,
        seen.rdev,
        target,
        seen.mtime_ns,
    )

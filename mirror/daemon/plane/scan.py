"""The scan of a start: what was changed in a lower directory while nothing watched it (design 8).

Everything whose ctime is not older than the recorded time goes into the dirty index: an object
that has an identity by itself, a new one by the name it has in a directory. The application does
not wait for it, Ready does. What the application moves meanwhile is found by the names the index
notes, and looked at afterwards.
"""

from __future__ import annotations

import errno
import os
import stat
import threading
from collections.abc import Callable

import structlog

from mirror.adapters import clock
from mirror.adapters.native import Entry, Plane
from mirror.core.reintegration.names import NO_ID
from mirror.daemon.plane.exclusions import Exclusions
from mirror.daemon.plane.numbers import HiddenNumbers
from mirror.daemon.plane.objects import DIRECTORY, GONE, HIDDEN_NAME, Root, opened, root_of
from mirror.vocabulary.places import PlaceKind

log = structlog.get_logger()

WALKERS = 4
ENTRIES_AT_ONCE = 512
AGAIN_MAX = 5  # a busy application moves things for ever; what it makes itself is noted anyway


class Scan:
    """One scan of the directories of a module. `owe` and `start` once, all else any thread.

    watched: capture="watch": what is found may have been written and not sent.
    """

    def __init__(self, plane: Plane, numbers: HiddenNumbers, *, watched: bool = False) -> None:
        self._aside = "unsent" if watched else "edited"
        self._plane = plane
        self._numbers = numbers
        self._ended = threading.Event()
        self._stop = threading.Event()
        self._failure: OSError | None = None
        self._roots: list[int] = []
        self._thread: threading.Thread | None = None
        self.found = 0  # places noted; complete after the end

    def owe(self, root: int, *, rules: str = "") -> None:
        """Mark a directory that must be scanned: remembered even if this process ends now.

        rules: digest of what is not replicated now; another one than before makes the recorded
        time worthless, since what was local is compared from now on.
        Called before the directory is covered. An error of its disk is told by `wait`.
        """
        self._roots.append(root)
        before = self._numbers.of(root)
        time_ns = before.time_ns if before.rules == rules else 0
        try:
            self._numbers.change(root, scan_due=True, rules=rules, time_ns=time_ns)
        except OSError as error:
            self._failure = error

    def start(self) -> None:
        """Scan what is owed, in a thread."""
        self._thread = threading.Thread(target=self._run, name="scan", daemon=True)
        self._thread.start()

    def wait(self, timeout_s: float) -> bool:
        """Say whether it has ended. Raises: OSError when it failed."""
        ended = self._ended.wait(timeout_s)
        if self._failure is not None:
            raise self._failure
        return ended

    def end(self) -> None:
        """Stop early; the next start begins again."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def edited_aside(self) -> str:
        """The folder for what was edited while stopped and would be replaced; "": nothing was."""
        edited = any(self._numbers.of(root).edited for root in range(len(self._numbers)))
        return f"{self._aside}-{clock.wall_file_stamp(clock.wall_us())}" if edited else ""

    def unsent(self) -> None:
        """What is changed here may not have reached the peer, and is somebody's: kept aside then.

        Until `settled`. Raises: OSError.
        """
        for root in range(len(self._numbers)):
            self._numbers.change(root, edited=True)

    def settled(self) -> None:
        """Both nodes hold the same: nothing found is waiting any more. Raises: OSError."""
        for root in range(len(self._numbers)):
            self._numbers.change(root, edited=False)

    def _run(self) -> None:
        try:
            for root in self._roots:
                self._scan(root)
        except OSError as error:
            log.warning("scan failed", error=str(error))
            self._failure = error
        self._ended.set()

    def _scan(self, number: int) -> None:
        before = self._numbers.of(number)
        (begun_ns,) = self._numbers.times_ns()[number : number + 1]
        root = root_of(self._plane, number)
        if not 0 < before.time_ns <= begun_ns:  # never recorded, or the clock was set back
            found = 1
            self._mark_all(root)
        else:
            walk = Walk(self._plane, root, before.time_ns, self._stop.is_set)
            try:
                walk.run()
                walk.again(begun_ns)
            except OSError as error:
                log.warning("scan gives way to a comparison of all", error=str(error))
                self._mark_all(root)
            found = walk.found
        if self._stop.is_set():
            return
        log.info("scanned", root=number, since_ns=before.time_ns, found=found)
        self.found += found
        edited = before.edited or (before.clean and found > 0)
        self._numbers.change(number, time_ns=begun_ns, clean=False, scan_due=False, edited=edited)

    def _mark_all(self, root: Root) -> None:
        """Nobody knows since when: a full comparison."""
        kind = PlaceKind.ALL
        self._plane.index_merge([Entry(kind, root.number, NO_ID, 0, b"", NO_ID, b"", b"", 0)])


class Walk:
    """A walk of several threads over one root.

    start: the handle of a directory, whose part of the tree is all that is walked.
    enter(handle, fd): called with each directory before it is listed, by whichever thread.
    """

    def __init__(
        self,
        plane: Plane,
        root: Root,
        since_ns: int,
        should_stop: Callable[[], bool],
        *,
        start: bytes = b"",
        enter: Callable[[bytes, int], None] | None = None,
    ) -> None:
        self._plane = plane
        self._root = root
        self._exclusions = Exclusions(plane, root)
        self._since_ns = since_ns
        self._should_stop = should_stop
        self._changed = threading.Condition()
        self._start = start or root.handle
        self._enter = enter
        self._stack = [(self._start, 0)]  # handle, and ctime when its directory was listed
        # Device and inode of the directories listed: a subvolume of btrfs numbers its own anew.
        self.walked: set[tuple[int, int]] = set()
        self._active = 0
        self._failure: OSError | None = None
        self._entries: list[Entry] = []
        self.found = 0

    def run(self) -> None:
        """Look at everything on the stack and below. Raises: OSError."""
        threads = [threading.Thread(target=self._work) for _ in range(WALKERS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if self._failure is not None:
            raise self._failure
        self._flush()

    def again(self, begun_ns: int) -> None:
        """Look where names were changed since the scan began: what was not seen may stand there.

        Raises: OSError.
        """
        for _ in range(AGAIN_MAX):
            walked_before = len(self.walked)
            handles = {
                entry.handle
                for kind in (PlaceKind.NAME, PlaceKind.DIRECTORY)
                for entry in self._plane.index_entries(self._root.number, kind)
                if entry.handle.strip(b"\0")
            }
            for handle in handles:
                self._list(handle, changed_since_ns=begun_ns)
            self.run()
            if len(self.walked) == walked_before:
                return

    def _work(self) -> None:
        while True:
            with self._changed:
                while not self._stack and self._active and self._failure is None:
                    self._changed.wait()
                if not self._stack or self._failure is not None or self._should_stop():
                    self._changed.notify_all()
                    return
                handle, looked_ns = self._stack.pop()
                self._active += 1
            try:
                self._list(handle, looked_ns=looked_ns)
            except OSError as error:
                with self._changed:
                    self._failure = error
            finally:
                with self._changed:
                    self._active -= 1
                    self._changed.notify_all()

    def _list(self, handle: bytes, *, looked_ns: int = 0, changed_since_ns: int = 0) -> None:
        """Look at everything in a directory. Raises: OSError.

        looked_ns: its ctime when it was looked at itself; what was changed in it since, before it
        was watched, is told by nobody else.
        """
        try:
            with opened(self._plane, self._root.number, handle, DIRECTORY) as fd:
                status = os.fstat(fd)
                if status.st_ctime_ns < changed_since_ns:
                    return
                if self._enter is not None:
                    self._enter(handle, fd)
                    status = os.fstat(fd)  # what came before the watch shows here, and only here
                is_top = handle == self._root.handle
                if handle == self._start or looked_ns not in (0, status.st_ctime_ns):
                    self._look(fd, b".", status)
                with self._changed:
                    self.walked.add((status.st_dev, status.st_ino))
                os.lseek(fd, 0, os.SEEK_SET)  # btrfs: what came since it was opened (objects.py)
                with os.scandir(fd) as entries:
                    names = (os.fsencode(entry.name) for entry in entries)
                    seen = (name for name in names if not (is_top and name == HIDDEN_NAME))
                    for name in self._exclusions.without_local(fd, seen):
                        self._see(fd, name)
        except OSError as error:
            if error.errno not in GONE | {errno.ENOTDIR}:
                raise

    def _see(self, fd: int, name: bytes) -> None:
        try:
            status = os.stat(name, dir_fd=fd, follow_symlinks=False)
        except FileNotFoundError:
            return
        self._look(fd, name, status)

    def _look(self, fd: int, name: bytes, status: os.stat_result) -> None:
        is_directory = stat.S_ISDIR(status.st_mode)
        if status.st_ctime_ns < self._since_ns and not is_directory:
            return  # most objects: a stat is all they cost
        seen = self._plane.look(fd, name)
        if seen is None:
            return
        if status.st_ctime_ns >= self._since_ns and seen.id is not None:
            kinds = [PlaceKind.WHOLE]
            if is_directory:
                kinds = [PlaceKind.DIRECTORY, PlaceKind.ATTRIBUTES]
            number = self._root.number
            self._note(
                [Entry(k, number, seen.id, 0, b"", NO_ID, b"", seen.handle, 0) for k in kinds]
            )
        if is_directory and name != b".":
            with self._changed:
                if (status.st_dev, status.st_ino) not in self.walked:
                    self._stack.append((seen.handle, status.st_ctime_ns))
                    self._changed.notify()

    def _note(self, entries: list[Entry]) -> None:
        with self._changed:
            self.found += len(entries)
            self._entries += entries
            if len(self._entries) < ENTRIES_AT_ONCE:
                return
        self._flush()

    def _flush(self) -> None:
        with self._changed:
            entries, self._entries = self._entries, []
        if entries:
            self._plane.index_merge(entries)

"""The scan of a start: what was changed in a lower directory while nothing watched it (design 8).

Everything whose ctime is not older than the recorded time goes into the dirty index: an object
that has an identity by itself, a new one by the name it has in a directory. The application does
not wait for it, Ready does. What the application moves meanwhile is found by the names the index
notes, and looked at afterwards.
"""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Callable

import structlog

from mirror.adapters import clock
from mirror.adapters.native import Entry, Plane
from mirror.core.reintegration.names import NO_ID
from mirror.daemon.plane.numbers import HiddenNumbers
from mirror.daemon.plane.objects import DIRECTORY, GONE, HIDDEN_NAME, Root, opened, root_of
from mirror.vocabulary.places import PlaceKind

log = structlog.get_logger()

WALKERS = 4
ENTRIES_AT_ONCE = 512
AGAIN_MAX = 5  # a busy application moves things for ever; what it makes itself is noted anyway


class Scan:
    """One scan of the directories of a module. `owe` and `start` once, all else any thread."""

    def __init__(self, plane: Plane, numbers: HiddenNumbers) -> None:
        self._plane = plane
        self._numbers = numbers
        self._ended = threading.Event()
        self._stop = threading.Event()
        self._failure: OSError | None = None
        self._roots: list[int] = []
        self._thread: threading.Thread | None = None
        self.found = 0  # places noted; complete after the end

    def owe(self, root: int) -> None:
        """Mark a directory that must be scanned: remembered even if this process ends now.

        Called before the directory is covered. An error of its disk is told by `wait`.
        """
        self._roots.append(root)
        try:
            self._numbers.change(root, scan_due=True)
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
        return f"edited-{clock.wall_file_stamp(clock.wall_us())}" if edited else ""

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
    """A walk of several threads over one root."""

    def __init__(
        self, plane: Plane, root: Root, since_ns: int, should_stop: Callable[[], bool]
    ) -> None:
        self._plane = plane
        self._root = root
        self._since_ns = since_ns
        self._should_stop = should_stop
        self._changed = threading.Condition()
        self._stack = [root.handle]
        self.walked: set[int] = set()  # inode numbers of directories listed
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
                handle = self._stack.pop()
                self._active += 1
            try:
                self._list(handle)
            except OSError as error:
                with self._changed:
                    self._failure = error
            finally:
                with self._changed:
                    self._active -= 1
                    self._changed.notify_all()

    def _list(self, handle: bytes, *, changed_since_ns: int = 0) -> None:
        """Look at everything in a directory. Raises: OSError."""
        try:
            with opened(self._plane, self._root.number, handle, DIRECTORY) as fd:
                status = os.fstat(fd)
                if status.st_ctime_ns < changed_since_ns:
                    return
                is_top = handle == self._root.handle
                if is_top:
                    self._look(fd, b".", status)
                with self._changed:
                    self.walked.add(status.st_ino)
                with os.scandir(fd) as entries:
                    for entry in entries:
                        name = os.fsencode(entry.name)
                        if not (is_top and name == HIDDEN_NAME):
                            self._see(fd, name)
        except OSError as error:
            if error.errno not in GONE:
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
                if status.st_ino not in self.walked:
                    self._stack.append(seen.handle)
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

"""Threads that copy file data: each on its own connection, big files shared between them.

The library compares and sends under the conflict locks of live changes, so each region is sent
once and the copy ends (design 10.2). This file only deals out the pieces.
"""

from __future__ import annotations

import errno
import itertools
import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from mirror.adapters import clock
from mirror.adapters.native import Connection, Plane, bulk
from mirror.core.reintegration.data import Range, bytes_of, shares_of
from mirror.core.reintegration.pace import Pace
from mirror.daemon.plane.differs import differs
from mirror.daemon.plane.files import File, Share, SmallFiles
from mirror.daemon.plane.objects import GONE, is_gone, opened
from mirror.daemon.plane.works import Work
from mirror.errors import ReintegrationStopped
from mirror.vocabulary.said import say
from mirror.vocabulary.said_system import system_said

SHARE_BYTES = 16 << 20
SHARE_BYTES_SLOWED = 1 << 20  # under a bound of bandwidth: small steps, an even flow
SHARE_PIECES = 16  # scattered regions: one call of the library for so many
WAITING_MAX = 512  # files
WORKS_AT_ONCE = 256
WAIT_S = 0.2


@dataclass(frozen=True, slots=True)
class Counts:
    """Bytes so far. done: of the ranges that were asked for, whether they differed or not."""

    done: int
    compared: int
    copied: int


class CopyPool:
    """See the module. keep_aside(root, identity): asked before a byte of a file is overwritten.

    None: nothing is kept.
    """

    def __init__(
        self,
        plane: Plane,
        connections: Sequence[Connection],
        allowed_bytes_s: int | None,
        keep_aside: Callable[[int, bytes], None] | None,
    ) -> None:
        self._plane = plane
        self._keep_aside = keep_aside
        self._share_bytes = SHARE_BYTES_SLOWED if allowed_bytes_s else SHARE_BYTES
        self._pace = Pace(allowed_bytes_s, clock.monotonic_ms())
        self._changed = threading.Condition()
        self._waiting: deque[File | SmallFiles] = deque()
        self._open: list[File] = []
        self._finished: list[File] = []
        self._failure: Exception | None = None
        self._ended = threading.Event()
        self._done = self._compared = self._copied = 0
        self._busy = 0
        self._threads = [
            threading.Thread(target=self._run, args=(each,), name="copy", daemon=True)
            for each in connections
        ]
        for thread in self._threads:
            thread.start()

    @property
    def keeps_aside(self) -> bool:
        """Whether what the target would lose of a file is kept first, unless it has been."""
        return self._keep_aside is not None

    def add(self, file: File | SmallFiles) -> None:
        """Give a file, or several, to the threads."""
        with self._changed:
            self._waiting.append(file)
            self._changed.notify()

    def work_off(
        self,
        works: Iterable[Work],
        feed: Callable[[Sequence[Work]], None],
        collect: Callable[[float], bool],
    ) -> None:
        """Have these fed, a batch at a time, and collected, until nothing is left.

        feed: looks at a batch, and adds its files. collect(wait_s): takes what has finished; True:
        nothing is left now. No more files wait here than are worth memory.
        """
        each = iter(works)
        while batch := list(itertools.islice(each, WORKS_AT_ONCE)):
            feed(batch)
            while self._is_full():
                collect(WAIT_S)
            collect(0)
        while not collect(WAIT_S):
            pass

    def _is_full(self) -> bool:
        with self._changed:
            return sum(map(_file_count, self._waiting)) >= WAITING_MAX

    def take_finished(self, wait_s: float) -> tuple[list[File], bool]:
        """Files that are copied, or gone; and whether nothing is left to do.

        Raises: the first failure of a thread.
        """
        with self._changed:
            if not self._finished and self._failure is None and self._is_busy():
                self._changed.wait(wait_s)
            if self._failure is not None:
                raise self._failure
            finished, self._finished = self._finished, []
            return finished, not self._is_busy()

    def _is_busy(self) -> bool:
        return bool(self._waiting or self._open or self._busy)

    def counts(self) -> Counts:
        """Bytes so far."""
        with self._changed:
            return Counts(self._done, self._compared, self._copied)

    def pending(self, count_max: int) -> list[tuple[int, bytes]]:
        """Files that are copied now, and the next ones: root and handle."""
        with self._changed:
            tasks = [*self._open, *itertools.islice(self._waiting, count_max)]
            each = (task.files if isinstance(task, SmallFiles) else (task,) for task in tasks)
            files = itertools.islice(itertools.chain.from_iterable(each), count_max)
            return [(file.root, file.handle) for file in files]

    def end(self) -> None:
        """End the threads; those in a call end with it. May be repeated."""
        self._ended.set()
        with self._changed:
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

    # In the threads.

    def _run(self, connection: Connection) -> None:
        try:
            while (task := self._next()) is not None:
                if isinstance(task, SmallFiles):
                    self._perform_small(connection, task.files)
                else:
                    self._perform(connection, *task)
        except Exception as error:  # noqa: BLE001 - the top of the thread: told to the caller
            with self._changed:
                self._failure = self._failure or error
                self._changed.notify_all()

    def _next(self) -> tuple[File, Share | None] | SmallFiles | None:
        """A share of an open file, or one that waits. None: the end."""
        with self._changed:
            while not self._ended.is_set() and self._failure is None:
                for file in self._open:
                    if file.shares:
                        file.active += 1
                        return file, file.shares.popleft()
                if self._waiting:
                    self._busy += 1
                    task = self._waiting.popleft()
                    return task if isinstance(task, SmallFiles) else (task, None)
                self._changed.wait()
        return None

    def _perform(self, connection: Connection, file: File, share: Share | None) -> None:
        try:
            if share is None:
                self._begin(connection, file)
            else:
                self._copy(connection, file, share)
        except OSError as error:
            if error.errno not in GONE and not (
                error.errno == errno.EREMOTEIO and is_gone(self._plane, file.root, file.handle)
            ):
                raise _explained(error) from error
            file.gone = True
        with self._changed:
            if share is None:
                self._busy -= 1
                if file.shares and not file.gone:
                    self._open.append(file)
            else:
                file.active -= 1
            if file.gone:
                file.shares.clear()
            if not file.shares and file.active == 0:
                if file in self._open:
                    self._open.remove(file)
                self._finished.append(file)
            self._changed.notify_all()

    def _perform_small(self, connection: Connection, files: Sequence[File]) -> None:
        each = [(file.handle, file.id, file.small) for file in files if file.small is not None]
        outcomes, copied = bulk.copy_small(self._plane, files[0].root, connection, each)
        for file, outcome in zip(files, outcomes, strict=True):
            file.gone = outcome is bulk.SmallOutcome.GONE
            file.left = outcome is bulk.SmallOutcome.LEFT
        done = sum(bytes_of(file.ranges) for file in files if not file.left)
        with self._changed:
            self._busy -= 1
            self._finished.extend(files)
            self._done += copied.copied_bytes if files[0].small is bulk.Small.NEW else done
            self._changed.notify_all()
        self._sent(copied.copied_bytes, copied.compared_bytes)

    def _sent(self, size: int, compared: int) -> None:
        """Count bytes, and wait as long as the bound of bandwidth says."""
        with self._changed:
            self._compared += compared
            self._copied += size
            wait_ms = self._pace.wait_ms(size, clock.monotonic_ms())
        if wait_ms > 0:
            self._ended.wait(wait_ms / 1_000)

    def _begin(self, connection: Connection, file: File) -> None:
        if file.trusted:
            sizes = self._plane.compare_step(file.root, file.handle, file.id, connection, 0, 0)
            if sizes.bytes_here == sizes.bytes_there:
                return
        keep = None if file.kept else self._keep_aside
        if keep is not None and differs(self._plane, connection, file):
            keep(file.root, file.id)
        if file.only_kept:
            with self._changed:
                self._done += bytes_of(self._ranges(file))
            return
        # The size first: a live write behind the end here would leave, at a target that is longer,
        # what lies before it; and behind the end no range is copied.
        self._plane.copy_size(file.root, file.handle, file.id, connection)
        file.shares.extend(shares_of(self._ranges(file), self._share_bytes, SHARE_PIECES))

    def _ranges(self, file: File) -> Sequence[Range]:
        if not file.whole:
            return file.ranges
        with opened(self._plane, file.root, file.handle, os.O_RDONLY) as fd:
            size = os.fstat(fd).st_size
        return ((0, size),) if size else ()

    def _copy(self, connection: Connection, file: File, share: Share) -> None:
        copied = self._plane.copy_ranges(file.root, file.handle, file.id, connection, share)
        with self._changed:
            self._done += bytes_of(share)
        self._sent(copied.copied_bytes, copied.compared_bytes)


def _file_count(task: File | SmallFiles) -> int:
    return len(task.files) if isinstance(task, SmallFiles) else 1


def _explained(error: OSError) -> Exception:
    if error.errno == errno.EREMOTEIO:
        observed = say("link.block", observed=system_said(error))
        return ReintegrationStopped(step="copy", observed=observed)
    return error

"""The data phase of a reintegration at the source (design 10.2): live changes are mirrored now.

    works -> found at the target -> copied by the threads -> attributes -> on both disks -> out
    of the index

Directories are finished last: what was attached has changed their times.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Sequence

from mirror.adapters import clock
from mirror.adapters.native import Entry, Plane
from mirror.adapters.native.bulk import Small
from mirror.core.reintegration.progress import Meter, Phase
from mirror.daemon.plane.copy import CopyPool
from mirror.daemon.plane.files import File, SmallFiles, file_of, small_of
from mirror.daemon.plane.finder import Finder
from mirror.daemon.plane.finish import ATTRIBUTES_AT_ONCE, Finisher
from mirror.daemon.plane.objects import Root, wholly
from mirror.daemon.plane.rpc import Rpc
from mirror.daemon.plane.worklist import Worklist
from mirror.daemon.plane.works import Work
from mirror.errors import ReintegrationStopped
from mirror.vocabulary.said import say

FIND_TRIES = 5
CHECKPOINT_MS = 2_000  # each one frees the index, and costs a syncfs on both nodes
SMALL_AT_ONCE = 15  # a MiB at most
REMOVED_AT_ONCE = 8_192  # entries: a commit waits for the disk, however much it holds

Found = tuple[Work, os.stat_result]


class DataPhase:
    """See the module. One thread, the pool has its own. tick: called often; may raise to stop.

    take_checkpoint(): one of both disks; returns its epoch.
    """

    def __init__(
        self,
        plane: Plane,
        rpc: Rpc,
        pool: CopyPool,
        roots: Sequence[Root],
        meter: Meter,
        tick: Callable[[], None],
        take_checkpoint: Callable[[], int],
    ) -> None:
        self._take_checkpoint = take_checkpoint
        self._plane = plane
        self._rpc = rpc
        self._pool = pool
        self._roots = roots
        self._meter = meter
        self._tick = tick
        self._finder = Finder(plane, rpc)
        self._finisher = Finisher(plane, rpc)
        self._copied: list[Work] = []  # their attributes come next
        self._directories = Worklist()
        self._directory_entries: list[Entry] = []
        self._done: list[Entry] = []  # leave the index after the next checkpoint
        self._checkpoint_ms = clock.monotonic_ms()
        self.checkpoint_epoch = 0

    def run(self, works: Iterable[Work]) -> None:
        """Make all of these equal. Raises: OSError, ReintegrationStopped."""
        self._meter.phase = Phase.DATA
        self._pool.work_off(works, self._feed, self._collect)
        self._finish_copied()
        self._meter.phase = Phase.ATTRIBUTES
        self._finish_directories()
        while self._finish_joined():
            pass
        self.checkpoint()

    def checkpoint(self) -> None:
        """Both disks; then what was copied before it leaves the index."""
        done, self._done = self._done, []
        self.checkpoint_epoch = self._take_checkpoint()
        for at in range(0, len(done), REMOVED_AT_ONCE):
            self._plane.index_remove(done[at : at + REMOVED_AT_ONCE])
        self._checkpoint_ms = clock.monotonic_ms()

    # Finding.

    def _feed(self, batch: Sequence[Work]) -> None:
        here: list[Found] = []
        self._dispatch_new([work for work in batch if work.new])
        for work in batch:
            if work.new:
                continue
            status = self._finder.status(work)
            if status is None:
                self._finished(work)  # deleted since; its name was dirty too
            else:
                here.append((work, status))
        for root in self._roots:
            part = [each for each in here if each[0].root == root.number]
            self._find(root, part)
        small = [file for work, status in here if (file := self._dispatch(work, status))]
        self._add_small(small)

    def _find(self, root: Root, found: Sequence[Found]) -> None:
        """The target shall know each by identity."""
        for work in self._finder.missing(root, [each[0] for each in found]):
            if not any(self._find_locked(root, work) for _ in range(FIND_TRIES)):
                # Equal names would have it: more differs than the index says. Next time, all.
                self._plane.index_merge([wholly(root)])
                raise ReintegrationStopped(
                    step="data",
                    observed=say("plane.no_object", id=work.id.hex()),
                )

    def _find_locked(self, root: Root, work: Work) -> bool:
        """It was not found, perhaps because it is being renamed or removed: now it is not.

        A directory above it may still be moved meanwhile, hence tries. True also if it is gone.
        """
        with self._rpc.turn(), self._plane.object_lock(work.handle):
            if self._finder.status(work) is None:
                return True
            return not self._finder.ask(root, [work], with_path=True, search=False)

    # Copying.

    def _dispatch_new(self, works: Sequence[Work]) -> None:
        """Files that the target has just made are known to it, and hold nothing."""
        files = [file_of(work) for work in works]
        for file in files:
            file.small = Small.NEW
        self._add_small(files)

    def _add_small(self, files: Sequence[File]) -> None:
        for root in self._roots:
            part = [file for file in files if file.root == root.number]
            for at in range(0, len(part), SMALL_AT_ONCE):
                self._pool.add(SmallFiles(part[at : at + SMALL_AT_ONCE]))

    def _dispatch(self, work: Work, status: os.stat_result) -> File | None:
        """Returns: a file that is copied with others."""
        if stat.S_ISDIR(status.st_mode):
            self._directories.add(work.root, work.id, work.handle, whole=False)
            self._directory_entries += work.entries
        elif not stat.S_ISREG(status.st_mode):
            self._copied.append(work)
        else:
            file = file_of(work)
            if work.kept or not self._pool.keeps_aside:
                file.small = small_of(work, status.st_size)
            if file.small is not None:
                if file.whole:
                    file.ranges = ((0, status.st_size),)
                return file
            self._pool.add(file)
        return None

    def _collect(self, wait_s: float) -> bool:
        """Take what the threads have copied. True: nothing is left to copy."""
        finished, idle = self._pool.take_finished(wait_s)
        left: list[Work] = []
        for file in finished:
            work = Work(file.root, file.id, file.handle, whole=file.left, entries=file.entries)
            work.kept = file.kept
            if file.gone:
                self._finished(work)
            elif not file.left:
                self._copied.append(work)
            elif file.small is Small.NEW:
                left.append(work)
            else:
                file.small, file.left = None, False
                self._pool.add(file)
                idle = False
        if left:
            self._feed(left)
        if len(self._copied) >= ATTRIBUTES_AT_ONCE:
            self._finish_copied()
        self._seen()
        return idle and not left

    def _seen(self) -> None:
        counts = self._pool.counts()
        self._meter.bytes_done, self._meter.bytes_copied = counts.done, counts.copied
        self._tick()
        self._finish_joined()
        if clock.monotonic_ms() - self._checkpoint_ms >= CHECKPOINT_MS:
            self.checkpoint()

    def _finished(self, work: Work) -> None:
        self._done += work.entries
        self._meter.files_done += 1

    # Attributes.

    def _finish_copied(self) -> None:
        copied, self._copied = self._copied, []
        for root in self._roots:
            # One object twice in a batch would wait for its own lock.
            part = {work.id: work.handle for work in copied if work.root == root.number}
            self._finisher.finish(root.number, list(part.items()))
        for work in copied:
            self._finished(work)

    def _finish_joined(self) -> bool:
        """Attributes of what live changes made meanwhile, perhaps in a directory not finished.

        Returns: whether a directory among them was not as it is here; then what was made in it
        meanwhile is not either, and is on the list again.
        """
        inherited = False
        while joined := self._plane.joined_take():
            for root in self._roots:
                part = {each[1]: each[2] for each in joined if each[0] == root.number}
                inherited |= self._finisher.finish(root.number, list(part.items()))
        return inherited

    def _finish_directories(self) -> None:
        last: dict[tuple[int, bytes], bytes] = {
            (item.root, item.id): item.handle for item in self._directories
        }
        for root in self._roots:
            part = [(key[1], handle) for key, handle in last.items() if key[0] == root.number]
            part.reverse()  # found from the top down, finished from the bottom up
            for at in range(0, len(part), ATTRIBUTES_AT_ONCE):
                self._finisher.finish(root.number, part[at : at + ATTRIBUTES_AT_ONCE])
                self._seen()
        self._done += self._directory_entries
        self._meter.files_done += self._directories.count

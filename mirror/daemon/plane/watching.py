"""Watch capture: inotify finds what changes, the dirty index notes it (design 11).

One watch a directory, no descriptor. What inotify cannot say is found by a walk: the whole tree at
the start and after an overflow of its queue, a directory that is new or was moved in, and all of
it now and then while the kernel refuses more watches.

What happened to an object is told by a name; when the name has gone, the object may have another
one. Then the tree is in doubt, and walked again: a twentieth of the time at most.

A directory without an identity is one that the peer has never seen: the name above it is noted,
and whoever compares that name walks all that is beneath, so nothing inside is noted.
"""

from __future__ import annotations

import contextlib
import errno
import os
import select
import threading
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import structlog
from inotify_simple import INotify, flags

from mirror.adapters import clock
from mirror.adapters.native import Entry, Plane
from mirror.core.reintegration.names import NO_ID
from mirror.daemon.plane.exclusions import Exclusions
from mirror.daemon.plane.lag import Lag
from mirror.daemon.plane.objects import DIRECTORY, GONE, HIDDEN_NAME, Root, opened, root_of
from mirror.daemon.plane.scan import Walk
from mirror.vocabulary.places import PlaceKind

log = structlog.get_logger()

ENTERED = flags.CREATE | flags.MOVED_TO
NAMED = ENTERED | flags.DELETE | flags.MOVED_FROM
WRITTEN = flags.MODIFY | flags.CLOSE_WRITE
TOUCHED = WRITTEN | flags.ATTRIB
WANTED = NAMED | TOUCHED | flags.ONLYDIR | flags.EXCL_UNLINK
GATHERS, GATHER_S = 10, 0.01  # a file written a thousand times meanwhile is noted once
RESCAN_S = 60.0
REST = 20  # a tree in doubt rests so many times as long as its last walk took
REST_MS_MIN = 1_000
SETTLE_S_MAX = 30.0
ENTRIES_AT_ONCE = 1024
NOTHING_NS = 1 << 62  # a walk since then notes nothing: it only comes by
WATCHES_FILE = Path("/proc/sys/fs/inotify/max_user_watches")


@dataclass(slots=True)
class _Watched:
    """A directory with a watch. id None: it had none when it was last looked at."""

    root: int
    handle: bytes
    id: bytes | None = None


class Watching:
    """Watches the lower directories of a module. `start` and `end` once, all else any thread.

    on_failure(error): it has ended by itself, and what changes is not seen any more.
    """

    def __init__(
        self,
        plane: Plane,
        root_count: int,
        on_failure: Callable[[Exception], None],
        inotify: INotify | None = None,
    ) -> None:
        self._plane = plane
        self._on_failure = on_failure
        self._roots = [root_of(plane, number) for number in range(root_count)]
        self._exclusions = [Exclusions(plane, root) for root in self._roots]
        self._inotify = inotify or INotify(nonblocking=True)
        self._wake_fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._watched: dict[int, _Watched] = {}
        self._lacks_watches = False
        self._is_in_doubt = False
        self._rests_until_ms = 0
        self._sound_ns = 0  # what changed before is noted
        self._changed = threading.Condition()
        self._asked = self._served = 0
        self._is_thorough = False
        self._is_over = False
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watching", daemon=True)
        self.lag = Lag()
        self.noted = 0  # places, since the start
        self.closed: set[tuple[int, bytes]] = set()  # files, after writing; others take them out

    def start(self, since_ns: int) -> None:
        """Watch, in a thread; what has changed since then (file system's clock) is noted, too."""
        self._sound_ns = since_ns
        self._thread.start()

    def end(self) -> None:
        """Stop watching, and forget the watches."""
        self._stop.set()
        self._wake()
        self._thread.join()
        self._inotify.close()
        os.close(self._wake_fd)

    def settle(self, *, thorough: bool = False, timeout_s: float | None = None) -> int:
        """Wait until everything changed so far is noted. Returns: a time, of the file system.

        What changed before that time is noted. While watches are lacking, or the tree is in
        doubt, it is the time of the last look at everything; thorough: that is now.
        Raises: TimeoutError when that takes long: a large tree is being walked; OSError when
        nothing is watched any more.
        """
        patience_s = SETTLE_S_MAX if timeout_s is None else timeout_s
        with self._changed:
            self._asked += 1
            mine = self._asked
            self._is_thorough |= thorough
            self._wake()
            self._changed.wait_for(lambda: self._served >= mine or self._is_over, patience_s)
            if self._is_over and self._served < mine:
                raise OSError(errno.EIO, "changes are not noted any more")
            if self._served < mine:
                raise TimeoutError(errno.ETIMEDOUT, "a large tree is being walked")
            return self._sound_ns

    def trouble(self) -> str:
        """Why changes are found later than they might; "" when nothing is wrong."""
        if not self._lacks_watches:
            return ""
        limit = WATCHES_FILE.read_text(encoding="ascii").strip()
        return (
            f"fs.inotify.max_user_watches = {limit} is too low for these directories: they are"
            f" looked through every {RESCAN_S:.0f} s instead; raise it with sysctl"
        )

    def _wake(self) -> None:
        os.eventfd_write(self._wake_fd, 1)

    # In the thread.

    def _run(self) -> None:
        try:
            self.lag.changed()  # nobody knows before the walk has ended
            self._look_at_all()
            poller = select.poll()
            poller.register(self._inotify.fileno(), select.POLLIN)
            poller.register(self._wake_fd, select.POLLIN)
            while not self._stop.is_set():
                self._serve()
                poller.poll(self._patience_ms())
        except Exception as error:
            log.exception("watching failed")
            self._on_failure(error)
        finally:
            with self._changed:
                self._is_over = True
                self._changed.notify_all()

    def _patience_ms(self) -> int | None:
        if self._is_in_doubt:
            return max(1, self._rests_until_ms - clock.monotonic_ms())
        return int(RESCAN_S * 1_000) if self._lacks_watches else None

    def _serve(self) -> None:
        """Note everything that has happened so far."""
        with contextlib.suppress(BlockingIOError):
            os.eventfd_read(self._wake_fd)
        with self._changed:
            asked, is_thorough, self._is_thorough = self._asked, self._is_thorough, False
        batch = _Batch(self._watched)
        for _ in range(GATHERS):
            begun_ns = clock.file_ns()
            if not batch.read(self._inotify) or asked > self._served:
                break
            self._stop.wait(GATHER_S)
        if batch.changes:
            self._note(batch)
        self._is_in_doubt |= batch.is_in_doubt()
        if batch.overflowed or self._must_look(is_thorough, begun_ns):
            self._look_at_all()
        elif not self._lacks_watches and not self._is_in_doubt:
            self._sound_ns = begun_ns
        with self._changed:
            self._served = asked
            self._changed.notify_all()

    def _must_look(self, is_thorough: bool, now_ns: int) -> bool:  # noqa: FBT001 - as settle
        if self._is_in_doubt and clock.monotonic_ms() >= self._rests_until_ms:
            return True
        is_due = is_thorough or now_ns - self._sound_ns >= RESCAN_S * 1e9
        return (is_thorough and self._is_in_doubt) or (self._lacks_watches and is_due)

    def _look_at_all(self) -> None:
        """Watch every directory, and note what changed since the last time that is sound."""
        begun_ns, begun_ms = clock.file_ns(), clock.monotonic_ms()
        self._is_in_doubt = False
        self._lacks_watches = False
        for root in self._roots:
            if begun_ns < self._sound_ns:  # the clock was set back: nobody knows since when
                self._merge([Entry(PlaceKind.ALL, root.number, NO_ID, 0, b"", NO_ID, b"", b"", 0)])
            self._walk(root, root.handle, self._sound_ns)
        if self._lacks_watches:
            log.warning("not all directories are watched", sentence=self.trouble())
        self._sound_ns = begun_ns
        now_ms = clock.monotonic_ms()
        self._rests_until_ms = now_ms + max(REST_MS_MIN, REST * (now_ms - begun_ms))

    def _walk(self, root: Root, start: bytes, since_ns: int) -> set[int]:
        """Watch a directory and all beneath, each before it is listed. Returns: their watches."""
        seen: set[int] = set()

        def enter(handle: bytes, fd: int) -> None:
            if (watch := self._add_watch(fd)) is not None:
                seen.add(watch)
                self._watched.setdefault(watch, _Watched(root.number, handle))

        walk = Walk(self._plane, root, since_ns, self._stop.is_set, start=start, enter=enter)
        walk.run()
        if walk.found:
            self.noted += walk.found
            self.lag.changed()
        return seen

    def _add_watch(self, fd: int) -> int | None:
        """Watch a directory, or find its watch. None: the kernel gives no more."""
        try:
            return int(self._inotify.add_watch(f"/proc/self/fd/{fd}", WANTED))
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
            self._lacks_watches = True
            return None

    def _is_watched(self, number: int, handle: bytes) -> bool:
        """Whether a directory that entered was here before: all beneath it is watched, too."""
        try:
            with opened(self._plane, number, handle, DIRECTORY) as fd:
                return self._add_watch(fd) in self._watched
        except OSError as error:
            if error.errno in GONE | {errno.ENOTDIR}:
                return True  # nothing is there to be watched
            raise

    def _note(self, batch: _Batch) -> None:
        if batch.moved_out:
            self._forget_what_left()
        found = _Found()
        for watch, changes in batch.changes.items():
            watched = self._watched.get(watch)
            if watched is None:
                self._is_in_doubt |= has_touched(changes)
                continue
            try:
                with opened(self._plane, watched.root, watched.handle, DIRECTORY) as fd:
                    self._see(fd, watched, changes, found)
            except OSError as error:
                if error.errno not in GONE:
                    raise
                self._is_in_doubt |= has_touched(changes)
        if found.entries or found.entered:  # not so when only our hidden directory was touched
            self.lag.changed()
        self._merge(found.entries)
        for number, handle in found.entered:
            if not self._is_watched(number, handle):
                self._walk(self._roots[number], handle, 0)

    def _see(self, fd: int, watched: _Watched, changes: dict[bytes, int], found: _Found) -> None:
        """Look at what has happened in one directory."""
        number = watched.root
        is_top = watched.handle == self._roots[number].handle
        if watched.id is None:
            itself = self._plane.look(fd, b".")
            watched.id = itself.id if itself else None
        for name, mask in changes.items():
            if not name:
                found.add(PlaceKind.ATTRIBUTES, number, watched.id, watched.handle)
            elif is_top and name == HIDDEN_NAME:
                continue
            elif not self._exclusions[number].is_local(fd, name):
                self._see_name(fd, watched, name, mask, found)

    def _see_name(self, fd: int, watched: _Watched, name: bytes, mask: int, found: _Found) -> None:
        number = watched.root
        if mask & NAMED:
            found.add(PlaceKind.NAME, number, watched.id, watched.handle, name)
        seen = self._plane.look(fd, name)
        if seen is None:
            self._is_in_doubt |= bool(mask & TOUCHED) or is_new_directory(mask)
            return
        if is_new_directory(mask):
            found.entered.append((number, seen.handle))
        # Not else: a file may have taken the name of a directory meanwhile.
        if mask & WRITTEN:
            if mask & flags.CLOSE_WRITE and seen.id is not None:
                self.closed.add((number, seen.id))
            found.add(PlaceKind.WHOLE, number, seen.id, seen.handle)
        elif mask & flags.ATTRIB:
            found.add(PlaceKind.ATTRIBUTES, number, seen.id, seen.handle)

    def _forget_what_left(self) -> None:
        """A directory was moved to where nobody looks: it takes its watches along."""
        before = set(self._watched)
        for root in self._roots:
            before -= self._walk(root, root.handle, NOTHING_NS)
        for watch in before:
            self._watched.pop(watch, None)
            try:
                self._inotify.rm_watch(watch)
            except OSError as error:
                if error.errno != errno.EINVAL:  # it has gone by itself
                    raise

    def _merge(self, entries: list[Entry]) -> None:
        for at in range(0, len(entries), ENTRIES_AT_ONCE):
            self._plane.index_merge(entries[at : at + ENTRIES_AT_ONCE])
        self.noted += len(entries)


class _Found:
    """What a batch tells: places to be noted, and directories that entered their parent."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.entered: list[tuple[int, bytes]] = []

    def add(
        self, kind: PlaceKind, root: int, identity: bytes | None, handle: bytes, name: bytes = b""
    ) -> None:
        """Add a place, unless the peer has never seen the object."""
        if identity is not None:
            self.entries.append(Entry(kind, root, identity, 0, name, NO_ID, b"", handle, 0))


def has_touched(changes: dict[bytes, int]) -> bool:
    """Whether an object was changed, not only named."""
    return any(mask & TOUCHED for name, mask in changes.items() if name)


def is_new_directory(mask: int) -> bool:
    """Whether a directory entered; what happened inside was not seen at first."""
    return bool(mask & ENTERED and mask & flags.ISDIR)


class _Batch:
    """What inotify has said, put together: watch -> name -> what happened to its object."""

    def __init__(self, watched: dict[int, _Watched]) -> None:
        self._watched = watched
        self._left: dict[int, int] = {}  # by cookie: what happened to what was moved somewhere
        self._is_in_doubt = False
        self.changes: dict[int, dict[bytes, int]] = defaultdict(dict)
        self.overflowed = False

    @property
    def moved_out(self) -> bool:
        """Whether a directory was moved to where nothing is watched."""
        return any(mask & flags.ISDIR for mask in self._left.values())

    def is_in_doubt(self) -> bool:
        """Whether something happened to an object whose name has gone."""
        return self._is_in_doubt or any(mask & TOUCHED for mask in self._left.values())

    def read(self, inotify: INotify) -> bool:
        """Take what waits. False: nothing did."""
        events = inotify.read(timeout=0)
        for event in events:
            if event.mask & flags.Q_OVERFLOW:
                self.overflowed = True
            elif event.mask & flags.IGNORED:
                self._watched.pop(event.wd, None)
            else:
                self._put(event.wd, os.fsencode(event.name), event.mask, event.cookie)
        return bool(events)

    def _put(self, watch: int, name: bytes, mask: int, cookie: int) -> None:
        """What happened to an object goes with it when it moves, and ends when its name does."""
        names = self.changes[watch]
        before = names.get(name, 0)
        if mask & flags.MOVED_FROM:
            self._left[cookie] = (before & TOUCHED) | (mask & flags.ISDIR)
            before &= ~TOUCHED
        elif mask & (flags.DELETE | flags.MOVED_TO):
            self._is_in_doubt |= bool(before & TOUCHED) or is_new_directory(before)
            before &= ~TOUCHED
        if mask & flags.MOVED_TO:
            before |= self._left.pop(cookie, 0) & TOUCHED
        names[name] = before | mask

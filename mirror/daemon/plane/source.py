"""Reintegration at the source: brings a returning node up to date while the application runs.

    index of both nodes together -> names, in rounds, alone -> what the target would lose is kept
    there -> a freeze of milliseconds, mirrored from then on -> stash emptied, data and attributes
    -> both disks, the target's record

Whatever ends it early leaves the gate as its caller must find it: open and alone before the
session began; afterwards the caller parts the pair. What was done stays done: the next try goes
on from what is in the index.
"""

from __future__ import annotations

import errno
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import structlog

from mirror.adapters import clock
from mirror.adapters.native import Connection, Entry, Plane
from mirror.core.reintegration.progress import PENDING_SHOWN_MAX, Meter, Outcome, Phase
from mirror.daemon.plane.checkpoints import Checkpoints
from mirror.daemon.plane.comparing import Late
from mirror.daemon.plane.copy import CopyPool
from mirror.daemon.plane.data import DataPhase
from mirror.daemon.plane.finder import Finder
from mirror.daemon.plane.keeping import Keeping
from mirror.daemon.plane.names import ENTRIES_AT_ONCE, Names
from mirror.daemon.plane.objects import steps_to
from mirror.daemon.plane.rpc import Rpc
from mirror.daemon.plane.shipping import make_names_equal
from mirror.daemon.plane.target import CHECKING_S, KEEPS_ASIDE, STILL_CHECKING
from mirror.daemon.plane.worklist import Worklist
from mirror.daemon.plane.works import OF_NAMES, OF_OBJECTS, Kept, Works
from mirror.errors import ReintegrationStopped
from mirror.vocabulary.places import PlaceKind
from mirror.vocabulary.said import say

log = structlog.get_logger()

ROUNDS_MAX = 5  # then a freeze is tried, whatever is left
FEW_NAMES = 256  # compared within milliseconds
FREEZE_MS = 300
FREEZE_MS_MAX = 4_000  # what a freeze may grow to when changes come faster than rounds end
FREEZE_HARD_EXTRA_MS = 1_000  # then the gate opens, whatever the target does
FREEZES_MAX = 12
PROGRESS_MS = 500


class Reintegration:
    """One reintegration, as its source. `run` is called once, by a thread of its own.

    control: the lane CONTROL; copies: one a copying thread; live: for the session.
    on_progress: called about twice a second with plain fields.
    first_epoch: the session counts from it (core/reintegration/marks.py).
    checkpoints: of this session, which they learn when it begins.
    trusts_before_ns: what the target has, not modified since then, is not compared (secondforce).
    scanned(timeout_s): whether this node knows what was changed here while nothing watched.
    watched: capture="watch": no change can be held or mirrored; each is noted in the index, and
    what is noted meanwhile stays there.
    """

    def __init__(  # noqa: PLR0913 - one line each at the one place that calls it
        self,
        plane: Plane,
        control: Connection,
        copies: list[Connection],
        live: list[Connection],
        *,
        roots: int,
        full: bool,
        aside: str,
        generation: bytes,
        first_epoch: int,
        allowed_bytes_s: int | None,
        on_progress: Callable[[dict[str, object]], None],
        should_stop: Callable[[], bool],
        scanned: Callable[[float], bool] = lambda _: True,
        trusts_before_ns: int = 0,
        watched: bool = False,
        checkpoints: Checkpoints,
    ) -> None:
        self._checkpoints = checkpoints
        self._watched = watched
        self._plane = plane
        self._rpc = Rpc(control)
        self._copies = copies
        self._live = live
        self._full = full
        self._aside = aside
        self._generation = generation
        self._first_epoch = first_epoch
        self._allowed_bytes_s = allowed_bytes_s
        self._on_progress = on_progress
        self._should_stop = should_stop
        self._scanned = scanned
        self._keeps_aside = False
        self._worklist = Worklist()
        self._names = Names(
            plane, self._rpc, roots, self._worklist, trusts_before_ns, notes_within=watched
        )
        self._start_ms = clock.monotonic_ms()
        self._meter = Meter(self._start_ms)
        self._shown_ms = 0
        self._pool: CopyPool | None = None
        self._kept = Kept()
        self._begun = 0  # `index_now` of when the session began

    def run(self) -> Outcome:
        """Bring the target up to date. When it returns, both nodes hold the same on disk.

        Raises: OSError (a connection, this disk), ReintegrationStopped (MIR-505),
        ProtocolRefused (MIR-310).
        """
        self._begin()
        if self._full:
            for root in self._names.roots:
                self._names.mark_whole(root)
        else:
            self._merge_index()
        if self._watched:
            make_names_equal(self._names)
            self._begin_session(FREEZE_MS)
        else:
            self._make_names_equal()
        try:
            return self._copy()
        finally:
            self._plane.joining(False)

    def _begin(self) -> None:
        """Both nodes have found what was changed while they did not watch; then it begins."""
        self._meter.phase = Phase.CHECKING
        while True:
            self._tick()
            answer = self._rpc.ask(
                "BeginSync",
                full=int(self._full),
                source_serves=1,
                aside=self._aside,
                generation=self._generation,
            )
            if answer["result"] != STILL_CHECKING and self._scanned(CHECKING_S):
                break
        self._keeps_aside = bool(self._aside) or answer["result"] == KEEPS_ASIDE
        self._meter.phase = Phase.NAMES

    def _merge_index(self) -> None:
        """Places that the target noted are dirty for both: durably, before anything is done."""
        more = b""
        while True:
            page = self._rpc.ask("FetchIndex", cursor=more)
            self._plane.index_merge([_entry(place) for place in page["places"]])
            more = page["next"]
            if not more:
                return

    # Names.

    def _make_names_equal(self) -> None:
        """Rounds, alone; then the last one, frozen, and the session begins."""
        self._rounds()
        if self._keeps_aside:
            self._keep()
            self._rounds()
        freeze_ms = FREEZE_MS
        for _ in range(FREEZES_MAX):
            if self._freeze_and_begin(freeze_ms):
                return
            freeze_ms = min(2 * freeze_ms, FREEZE_MS_MAX)
            self._round()
        raise ReintegrationStopped(step="names", observed=say("plane.faster_equal"))

    def _rounds(self) -> None:
        for _ in range(ROUNDS_MAX):
            self._round()
            if self._names.pending_count(FEW_NAMES + 1) <= FEW_NAMES:
                break

    def _keep(self) -> None:
        """Have the target keep aside what it would lose, while nobody changes anything there."""
        kept = Kept(self._plane.index_now(), self._worklist.count)
        works = self._works(OF_OBJECTS)
        self._begin_phase(Phase.KEEPING, works)
        with self._pooled(self._keep_aside) as pool:

            def seen(count: int) -> None:
                self._meter.files_done += count
                self._meter.bytes_done = pool.counts().done
                self._tick()

            Keeping(Finder(self._plane, self._rpc), pool, self._names.roots, seen).run(works)
        self._kept = kept
        self._meter.begin(Phase.NAMES, 0, 0, clock.monotonic_ms())

    def _round(self) -> None:
        """One round while changes go on; it begins a new period alone (see names.py)."""
        self._tick()
        freeze_ms = FREEZE_MS
        while not self._drain(freeze_ms):
            freeze_ms = min(2 * freeze_ms, FREEZE_MS_MAX)
        drained = self._plane.index_now()
        self._plane.go_alone()
        self._names.round(frozen=False, drained=drained)

    def _drain(self, freeze_ms: int) -> bool:
        """Wait until no change is under way; those that come are parked.

        False: given up, one takes longer (a disk is slow). Raises TimeoutError instead when it had
        the longest time.
        """
        try:
            self._plane.freeze(freeze_ms)
        except TimeoutError:
            self._plane.open_gate()
            if freeze_ms == FREEZE_MS_MAX:
                raise
            log.info("freeze given up", freeze_ms=freeze_ms)
            return False
        return True

    def _freeze_and_begin(self, freeze_ms: int) -> bool:
        """The last round, while changes are parked. False: given up, changes go on alone."""
        begun = False
        # The target may hang: the application must not wait for it longer than this.
        guard = threading.Timer((freeze_ms + FREEZE_HARD_EXTRA_MS) / 1_000, self._plane.open_gate)
        start_ms = clock.monotonic_ms()
        try:
            self._plane.freeze(freeze_ms)
            guard.start()
            if self._names.round(frozen=True, deadline_ms=start_ms + freeze_ms):
                guard.cancel()
                # Before: a guard that was on its way already may open the gate at any moment.
                self._plane.joining(True)
                self._begun = self._plane.index_now()
                # Refused when the guard opened the gate.
                self._session_begins()
                begun = True
        except (Late, TimeoutError):
            log.info("freeze given up", freeze_ms=freeze_ms)
        except OSError as error:
            if error.errno != errno.EBUSY:  # the guard was faster
                raise
        finally:
            guard.cancel()
            if guard.ident is not None:
                guard.join()  # else it could end a freeze of somebody else, much later
            if not begun:
                self._plane.joining(False)
            self._plane.open_gate()
        log.info("frozen", ms=clock.monotonic_ms() - start_ms, mirrored=begun)
        return begun

    def _begin_session(self, freeze_ms: int) -> None:
        """Nothing passes the gate: it is turned because a session begins with it frozen."""
        self._plane.freeze(freeze_ms)
        self._session_begins()
        self._plane.open_gate()

    def _session_begins(self) -> None:
        self._checkpoints.session = self._plane.session_begin(self._live, self._first_epoch)

    # Data and the end.

    def _copy(self) -> Outcome:
        works = self._works(OF_OBJECTS if self._watched else OF_OBJECTS + OF_NAMES)
        self._begin_phase(Phase.DATA, works)
        for root in self._names.roots:
            # Names are equal: what is in the stash has no place, and its room may be needed.
            self._rpc.ask("EmptyStash", root=root.number)
        roots = self._names.roots
        with self._pooled(self._keep_aside if self._keeps_aside else None) as pool:
            take = self._checkpoints.take
            data = DataPhase(self._plane, self._rpc, pool, roots, self._meter, self._tick, take)
            data.run(works)
        return self._end(data, pool)

    def _works(self, kinds: Sequence[PlaceKind]) -> Works:
        roots, whole = self._names.roots, self._names.whole
        return Works(self._plane, roots, whole, self._worklist, kinds, self._kept)

    def _begin_phase(self, phase: Phase, works: Works) -> None:
        files, size = works.totals()
        files, size = files + self._worklist.count, size + self._names.found_bytes
        self._meter.begin(phase, files, size, clock.monotonic_ms())

    @contextmanager
    def _pooled(self, keep_aside: Callable[[int, bytes], None] | None) -> Iterator[CopyPool]:
        pool = CopyPool(self._plane, self._copies, self._allowed_bytes_s, keep_aside)
        self._pool = pool
        try:
            yield pool
        except BaseException:
            for connection in self._copies:
                connection.shutdown()  # a thread in a call returns
            raise
        finally:
            pool.end()

    def _keep_aside(self, root: int, identity: bytes) -> None:
        self._rpc.ask("KeepAside", root=root, id=identity)

    def _end(self, data: DataPhase, pool: CopyPool) -> Outcome:
        self._meter.phase = Phase.END
        left = [self._names.marks]
        if not self._watched:
            left = [list(self._entries(root.number)) for root in self._names.roots]
            # What was noted since belongs to a time after this session, which has ended already.
            left = [
                [each._replace(noted=min(each.noted, self._begun)) for each in entries]
                for entries in left
            ]
        counts = pool.counts()
        seconds = (clock.monotonic_ms() - self._start_ms) / 1_000
        outcome = Outcome(self._meter.files_done, counts.copied, counts.compared, seconds)
        self._rpc.ask(
            "EndSync",
            generation=self._generation,
            checkpoint=data.checkpoint_epoch,
            record=outcome.to_bytes(),
        )
        for entries in left:  # what was noted again, the pair having parted just now, stays
            for at in range(0, len(entries), ENTRIES_AT_ONCE):
                self._plane.index_remove(entries[at : at + ENTRIES_AT_ONCE])
        self._show()
        return outcome

    def _entries(self, root: int) -> Iterator[Entry]:
        return (entry for entry in self._plane.index_entries() if entry.root == root)

    # Progress.

    def _tick(self) -> None:
        if self._should_stop():
            raise ReintegrationStopped(step=self._meter.phase, observed=say("plane.asked"))
        if clock.monotonic_ms() - self._shown_ms >= PROGRESS_MS:
            self._show()

    def _show(self) -> None:
        self._shown_ms = clock.monotonic_ms()
        pending: tuple[str, ...] = ()
        if self._meter.phase is Phase.NAMES:
            pending = self._names.pending(PENDING_SHOWN_MAX)
        elif self._meter.phase in (Phase.KEEPING, Phase.DATA) and self._pool is not None:
            pending = tuple(map(self._name_of, self._pool.pending(PENDING_SHOWN_MAX)))
        self._on_progress(self._meter.show(self._shown_ms, pending).as_fields())

    def _name_of(self, file: tuple[int, bytes]) -> str:
        steps = steps_to(self._plane, self._names.roots[file[0]], file[1])
        return b"/".join(step["name"] for step in steps).decode(errors="backslashreplace")


def _entry(place: dict[str, Any]) -> Entry:
    """A place of the peer; noted before this node's next note of it."""
    return Entry(
        place["kind"],
        place["root"],
        place["id"],
        place["region"],
        place["name"],
        place["parent"],
        place["hint"],
        b"",
        0,
    )

"""Verification of a pair in step, at the node that serves: on line, beside everything else.

    names    every directory on both nodes, and the attributes of what is in it
    data     every file, by block hash, a step at a time under the conflict locks of live writes
    times    those that differed are looked at again: they reach the secondary with a checkpoint
    repair   if asked: what differs is noted in the dirty index, and copied from this node

What is looked at without a lock and differs is looked at again under it, so a live change never
shows as a difference. It never waits for the gate, sleeps four times as long as it works while the
application writes, keeps within reiallowedbw, and ends when the session does.
"""

from __future__ import annotations

import errno
import os
import stat
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import structlog

from mirror.adapters import clock
from mirror.adapters.native import Connection, Plane
from mirror.adapters.native.plane import COMPARE_STEP_BYTES
from mirror.core.reintegration.names import NO_ID, UNFINISHED, type_of
from mirror.core.reintegration.pace import Pace
from mirror.core.verification import (
    Kind,
    Phase,
    Range,
    Report,
    Runs,
    VerifyMeter,
    differing,
)
from mirror.daemon.plane import attributes
from mirror.daemon.plane.exclusions import Exclusions
from mirror.daemon.plane.findings import Findings, Here, Standing
from mirror.daemon.plane.objects import (
    DIRECTORY,
    GONE,
    HIDDEN_NAME,
    Root,
    names_in,
    open_any,
    opened,
    root_of,
    steps_to,
)
from mirror.daemon.plane.rpc import Rpc
from mirror.daemon.plane.target import NAMES_AT_ONCE
from mirror.daemon.plane.worklist import Worklist
from mirror.errors import VerificationStopped
from mirror.vocabulary.said import say

log = structlog.get_logger()

INSPECT_AT_ONCE = 128
LOCKED_S_MAX = 3.0  # a hung secondary: the application must not wait for it longer
TIMES_TRIES_MAX = 5
CHECKPOINTS = 2  # the one under way may have begun before the change; the next one did not
CHECKPOINT_S_MAX = 30
PROGRESS_MS = 500
NICE = 10  # against the threads that serve the application
# While the application writes: a fifth of the time, 256 KiB in 2 ms at most (100 MB/s).
SLEEPS, SLEEP_MS_MIN = 4, 2

Fields = dict[str, Any]


class Verification:
    """One verification. `run` is called once, by a thread of its own.

    copy: a COPY lane. epoch(): of the last checkpoint. directories: paths, for people.
    changes(): counts the application's. on_progress(report): about twice a second.
    """

    def __init__(  # noqa: PLR0913 - one line each at the one place that calls it
        self,
        plane: Plane,
        rpc: Rpc,
        copy: Connection,
        directories: Sequence[str],
        report: Report,
        *,
        allowed_bytes_s: int | None,
        epoch: Callable[[], int],
        give_up: Callable[[], None],
        on_progress: Callable[[Report], None],
        stop: threading.Event,
    ) -> None:
        self._plane = plane
        self._rpc = rpc
        self._copy = copy
        self._roots = [root_of(plane, number) for number in range(len(directories))]
        self._exclusions = [Exclusions(plane, root) for root in self._roots]
        self._report = report
        self._epoch = epoch
        self._give_up = give_up
        self._on_progress = on_progress
        self._stop = stop
        self._pace = Pace(allowed_bytes_s, clock.monotonic_ms())
        self._meter = VerifyMeter(clock.monotonic_ms())
        self._phase = Phase.NAMES
        self._files = Worklist()
        self._times: dict[tuple[int, bytes], tuple[bytes, int]] = {}  # -> handle, mtime when seen
        self._several: set[tuple[int, bytes]] = set()
        self._shown_ms = 0
        self._changes = plane.counters().changes
        self._step_ms = clock.monotonic_ms()
        self.findings = Findings(plane, self._roots, directories, report)

    def run(self) -> None:
        """Compare everything; the report and the findings say what differs.

        Raises: OSError (the session, this disk), VerificationStopped (MIR-508).
        """
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICE)
        for root in self._roots:
            self._walk(root)
        self._phase = Phase.DATA
        for item in self._files:
            self._compare_file(item.root, item.id, item.handle)
        self._phase = Phase.TIMES
        self._look_at_times()
        self.show(Phase.ENDED)

    # Names and attributes.

    def _walk(self, root: Root) -> None:
        stack = [(root.id, root.handle)]
        self._inspect(root, [(root.id, root.handle)])
        while stack:
            identity, handle = stack.pop()
            try:
                same = self._compare_names(root, identity, handle)
            except OSError as error:
                if error.errno not in GONE:
                    raise
                continue
            for at in range(0, len(same), INSPECT_AT_ONCE):
                self._inspect(root, [each[:2] for each in same[at : at + INSPECT_AT_ONCE]])
                self._yield(0)
            for here in same:
                if stat.S_ISDIR(here.mode):
                    stack.append((here.id, here.handle))
                elif stat.S_ISREG(here.mode):
                    self._files.add(root.number, here.id, here.handle, whole=True)
                    self._meter.files_total += 1
                    self._meter.bytes_total += here.size

    def _is_new(self, root: Root, here: Here) -> bool:
        """False for a further name of an object that was met already."""
        if not here.several:
            return True
        key = (root.number, here.id)
        is_new = key not in self._several
        self._several.add(key)
        return is_new

    def _compare_names(self, root: Root, identity: bytes, handle: bytes) -> list[Here]:
        """Compare a directory. Returns: what is equal there, once if it has several names."""
        same: list[Here] = []
        with opened(self._plane, root.number, handle, DIRECTORY) as fd:
            if os.fstat(fd).st_nlink == 0:
                return []
            ours = self._names_here(root, identity, fd)
            theirs = self._names_there(root, identity, handle)
            for count, name in enumerate(sorted(ours | theirs.keys())):
                if count % NAMES_AT_ONCE == 0:
                    self._yield(0)  # a million names are no reason not to end when asked to
                here = self._look(fd, name) if name in ours else None
                if here is not None and theirs.get(name) == here.standing:
                    same.append(here)
                    continue
                with self._held(self._plane.name_lock(handle, name)):
                    here = self._look(fd, name)
                    there = self._name_there(root, identity, handle, name)
                    local = self._exclusions[root.number].is_local(fd, name)
                if here is not None and there == here.standing:
                    same.append(here)
                elif not local and (here is not None or there is not None):
                    self.findings.name(root, identity, handle, fd, name, here, there)
        return [here for here in same if self._is_new(root, here)]

    def _names_here(self, root: Root, identity: bytes, fd: int) -> set[bytes]:
        names = set(names_in(fd))
        if identity == root.id:
            names.discard(HIDDEN_NAME)
        return set(self._exclusions[root.number].without_local(fd, names))

    def _look(self, fd: int, name: bytes) -> Here | None:
        """What stands at a name here; an object without identity was never told the secondary."""
        seen = self._plane.look(fd, name)
        if seen is None:
            return None
        try:
            status = os.stat(name, dir_fd=fd, follow_symlinks=False)
        except FileNotFoundError:
            return None
        several = status.st_nlink > 1 and not stat.S_ISDIR(status.st_mode)
        return Here(seen.id or NO_ID, seen.handle, status.st_mode, status.st_size, several)

    def _names_there(self, root: Root, identity: bytes, handle: bytes) -> dict[bytes, Standing]:
        theirs: dict[bytes, Standing] = {}
        after, count = b"", NAMES_AT_ONCE
        while count == NAMES_AT_ONCE:
            entries = self._ask_names(root, identity, handle, after, ())
            theirs |= {each["name"]: _standing(each) for each in entries}
            count = len(entries)
            after = entries[-1]["name"] if entries else b""
        return theirs

    def _name_there(
        self, root: Root, identity: bytes, handle: bytes, name: bytes
    ) -> Standing | None:
        asked = ({"name": name},)
        (entry,) = self._ask_names(root, identity, handle, b"", asked) or ({"kind": 0},)
        return _standing(entry) if entry["kind"] else None

    def _ask_names(
        self, root: Root, identity: bytes, handle: bytes, after: bytes, names: Sequence[Fields]
    ) -> Sequence[Fields]:
        asked = {"root": root.number, "directory": identity, "after": after, "names": names}
        answer = self._rpc.ask("ListNames", allowed_errno=errno.ENOENT, **asked)
        if answer["error"]:
            self._find_there(root, identity, handle)
            answer = self._rpc.ask("ListNames", allowed_errno=errno.ENOENT, **asked)
        entries: Sequence[Fields] = answer["entries"]
        return entries

    def _find_there(self, root: Root, identity: bytes, handle: bytes) -> None:
        """What left the map of the secondary, of a large tree, is found again by its path.

        Not by Find: that takes flags away, so that what follows may be written.
        """
        self._ask_seen(root, [(identity, handle)], by_path=True)

    def _inspect(self, root: Root, objects: Sequence[tuple[bytes, bytes]]) -> None:
        """Compare attributes; what differs is looked at again under its lock."""
        pairs = [(each, self._read(root, *each)) for each in objects]
        here = [(each, ours) for each, ours in pairs if ours is not None]
        if not here:
            return
        theirs = self._ask_seen(root, [each for each, _ in here])
        for ((identity, handle), ours), there in zip(here, theirs, strict=True):
            if there["found"] and not any(differing(ours, there)):
                continue
            with self._held(self._plane.object_lock(handle)):
                again = self._read(root, identity, handle)
                (there_again,) = self._ask_seen(root, [(identity, handle)], by_path=True)
            if again is None:
                continue
            if not there_again["found"]:
                self.findings.object(
                    root.number, identity, handle, Kind.NAME, "there", "not there"
                )
                continue
            for kind, ours_text, theirs_text in differing(again, there_again):
                if kind is Kind.TIMES:
                    self._times[root.number, identity] = handle, again["mtime_ns"]
                else:
                    self.findings.object(
                        root.number, identity, handle, kind, ours_text, theirs_text
                    )

    def _read(self, root: Root, identity: bytes, handle: bytes) -> Fields | None:
        """An object of this node as the struct Seen; None: it has gone."""
        try:
            fd = open_any(self._plane, root.number, handle)
        except OSError as error:
            if error.errno in GONE:
                return None
            raise
        try:
            return attributes.seen(fd, identity) if os.fstat(fd).st_nlink else None
        finally:
            os.close(fd)

    def _ask_seen(
        self, root: Root, objects: Sequence[tuple[bytes, bytes]], *, by_path: bool = False
    ) -> Sequence[Fields]:
        """What these are at the secondary. by_path: those that its map has lost are looked up."""
        wanted = [
            {
                "id": identity,
                "parent": NO_ID,
                "hint": b"",
                "path": steps_to(self._plane, root, handle) if by_path else (),
            }
            for identity, handle in objects
        ]
        answer = self._rpc.ask("Inspect", root=root.number, objects=wanted)
        return answer["objects"]  # type: ignore[no-any-return]

    # Data.

    def _compare_file(self, root: int, identity: bytes, handle: bytes) -> None:
        runs = Runs()
        offset = 0
        try:
            size = self._step(root, identity, handle, 0, 0).bytes_here
            while offset < size:
                step = self._step(root, identity, handle, offset, COMPARE_STEP_BYTES)
                self._differ(root, identity, handle, runs.feed(offset, step.blocks))
                done = min(COMPARE_STEP_BYTES, max(0, step.bytes_here - offset))
                self._meter.bytes_done += done
                offset += COMPARE_STEP_BYTES
                if step.bytes_here <= offset:
                    break
                self._yield(done)
            self._differ(root, identity, handle, runs.end())
            last = self._step(root, identity, handle, 0, 0)
            if last.bytes_here != last.bytes_there:
                here, there = str(last.bytes_here), str(last.bytes_there)
                self.findings.object(root, identity, handle, Kind.SIZE, here, there)
        except OSError as error:
            if error.errno not in GONE:
                raise
        self._meter.files_done += 1
        self._yield(0)

    def _step(self, root: int, identity: bytes, handle: bytes, offset: int, size: int) -> Any:  # noqa: ANN401 - Step
        try:
            return self._plane.compare_step(root, handle, identity, self._copy, offset, size)
        except OSError as error:
            if error.errno != errno.EREMOTEIO:
                raise
        # It left the map of the secondary, or has gone on both meanwhile.
        self._find_there(self._roots[root], identity, handle)
        try:
            return self._plane.compare_step(root, handle, identity, self._copy, offset, size)
        except OSError as error:
            if error.errno == errno.EREMOTEIO:
                raise VerificationStopped(
                    observed=say("verify.unread", path=self.findings.path(root, handle))
                ) from error
            raise

    def _differ(self, root: int, identity: bytes, handle: bytes, ranges: Iterator[Range]) -> None:
        for each in ranges:
            self.findings.object(root, identity, handle, *each)

    # Times.

    def _look_at_times(self) -> None:
        """A time that stayed the same here over a checkpoint is at the secondary, or never was."""
        for _ in range(TIMES_TRIES_MAX):
            if not self._times:
                return
            self._await_checkpoints()
            waiting, self._times = self._times, {}
            for (root, identity), (handle, before_ns) in waiting.items():
                self._look_at_time(self._roots[root], identity, handle, before_ns)
        self._report.busy = len(self._times)

    def _look_at_time(self, root: Root, identity: bytes, handle: bytes, before_ns: int) -> None:
        with self._held(self._plane.object_lock(handle)):
            ours = self._read(root, identity, handle)
            (theirs,) = self._ask_seen(root, [(identity, handle)], by_path=True)
        if ours is None or not theirs["found"]:
            return
        for kind, here, there in differing(ours, theirs):
            if kind is not Kind.TIMES:
                continue
            if ours["mtime_ns"] == before_ns:
                self.findings.object(root.number, identity, handle, kind, here, there)
            else:
                self._times[root.number, identity] = handle, ours["mtime_ns"]

    def _await_checkpoints(self) -> None:
        wanted = self._epoch() + CHECKPOINTS
        for _ in range(10 * CHECKPOINT_S_MAX):
            if self._epoch() >= wanted:
                return
            self._yield(0)
            self._stop.wait(0.1)
        raise VerificationStopped(observed=say("verify.checkpoints"))

    # Manners.

    @contextmanager
    def _held(self, lock: Any) -> Iterator[None]:  # noqa: ANN401 - a context manager
        """A conflict lock, for as long as the application may be made to wait."""
        guard = threading.Timer(LOCKED_S_MAX, self._give_up)
        with self._rpc.turn(), lock:
            guard.start()
            try:
                yield
            finally:
                guard.cancel()

    def _yield(self, compared_bytes: int) -> None:
        """Between two steps: end, show, keep the bandwidth, leave the rest to live changes."""
        if self._stop.is_set():
            raise VerificationStopped(observed=say("verify.asked"))
        now_ms = clock.monotonic_ms()
        wait_ms = self._pace.wait_ms(compared_bytes, now_ms)
        changes = self._plane.counters().changes
        if changes != self._changes:
            wait_ms = max(wait_ms, SLEEPS * (now_ms - self._step_ms), SLEEP_MS_MIN)
        self._changes = changes
        if now_ms - self._shown_ms >= PROGRESS_MS:
            self.show(self._phase)
        if wait_ms > 0:
            self._stop.wait(wait_ms / 1_000)
        self._step_ms = clock.monotonic_ms()

    def show(self, phase: Phase) -> None:
        """Put what stands now into the report."""
        self._shown_ms = clock.monotonic_ms()
        self._report.progress = self._meter.fields(self._shown_ms, phase)
        self._on_progress(self._report)


def _standing(entry: Fields) -> Standing:
    return entry["id"], type_of(entry["kind"] & ~UNFINISHED)

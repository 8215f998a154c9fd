"""Verifications of this node's data plane: started, ended, repaired, remembered.

One at a time, in a thread of its own, while the pair is in step. What one found stays in a file
beside the dirty index, so that it can be read after a restart.
"""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog

from mirror.adapters import clock
from mirror.adapters.durable import write_durably
from mirror.adapters.failures import cited, failure_of
from mirror.adapters.native import Connection, Entry, Plane
from mirror.core.reintegration.names import NO_ID
from mirror.core.reintegration.progress import Meter
from mirror.core.verification import BY_NAME, Phase, Report
from mirror.daemon.plane.copy import CopyPool
from mirror.daemon.plane.data import DataPhase
from mirror.daemon.plane.findings import Object
from mirror.daemon.plane.objects import root_of
from mirror.daemon.plane.rpc import Rpc
from mirror.daemon.plane.verify import Verification
from mirror.daemon.plane.works import Work
from mirror.errors import MirrorError, VerificationRuns
from mirror.vocabulary.places import PlaceKind
from mirror.vocabulary.said import say

log = structlog.get_logger()

FILE_NAME = "verification.json"
BECAUSE = say("verify.serves")
STATUS_LISTED_MAX = 20
END_S_MAX = 60.0
NEVER: dict[str, Any] = {
    "outcome": "never",
    "differences": 0,
    "listed": [],
}  # no `different`: nobody knows


@dataclass(frozen=True, slots=True)
class Pair:
    """The session in which a verification runs.

    give_up(): shut its connections down. take_checkpoint(): one of both disks.
    keeper_paused(): the checkpoints are the caller's.
    part(why): end the session, so that a reintegration makes names equal.
    """

    rpc: Rpc
    copies: list[Connection]
    epoch: Callable[[], int]
    give_up: Callable[[], None]
    take_checkpoint: Callable[[], int]
    keeper_paused: Callable[[], AbstractContextManager[None]]
    part: Callable[[str], None]


class Verifier:
    """See the module. `start` and `end`: one verb at a time; the rest from any thread.

    emit(name, **fields): tells the control plane.
    """

    def __init__(
        self,
        plane: Plane,
        directories: Sequence[str],
        node: str,
        folder: Path,
        allowed_bytes_s: int | None,
        emit: Callable[..., None],
    ) -> None:
        self._plane = plane
        self._directories = directories
        self._node = node
        self._file = folder / FILE_NAME
        self._allowed_bytes_s = allowed_bytes_s
        self._emit = emit
        self._lock = threading.Lock()
        self._fields = _read(self._file)
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._pair: Pair | None = None
        self.aside = ""  # where a reintegration that repairs names keeps what it replaces

    def start(self, pair: Pair, *, repair: bool) -> None:
        """Begin one. Raises: VerificationRuns (MIR-509)."""
        if self.runs():
            raise VerificationRuns(node=self._node)
        self._stop.clear()
        self._pair = pair
        report = Report(clock.wall_us(), repair, self._node if repair else "", BECAUSE)
        if repair:
            report.kept_aside = f"verify-{clock.wall_file_stamp(report.started_us)}"
        self._keep(report)
        self._thread = threading.Thread(
            target=self._run, args=(pair, report), name="verify", daemon=True
        )
        self._thread.start()

    def runs(self) -> bool:
        """Whether one is under way."""
        return self._thread is not None and self._thread.is_alive()

    def ask_end(self) -> None:
        """Have it end soon; it says then that it was interrupted."""
        self._stop.set()

    def abandon(self) -> None:
        """The session is lost: what it waits for will not come. Returns at once."""
        pair = self._pair
        if self.runs() and pair is not None:
            self._stop.set()
            pair.give_up()

    def end(self) -> None:
        """End it, with its connections, and wait. Raises: TimeoutError."""
        self.abandon()
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(END_S_MAX)
            if thread.is_alive():
                raise TimeoutError("the verification does not end")
        self._pair = None

    def fields(self, listed_max: int = STATUS_LISTED_MAX) -> dict[str, Any]:
        """The verification under way, or the last one."""
        with self._lock:
            return {**self._fields, "listed": self._fields["listed"][:listed_max]}

    # In the thread.

    def _run(self, pair: Pair, report: Report) -> None:
        try:
            self._verify(pair, report)
        except (OSError, MirrorError) as error:
            report.outcome, report.observed = "interrupted", failure_of(error)
        except Exception as error:
            log.exception("verification failed")
            report.outcome, report.observed = "interrupted", cited(f"{error!r}")
        report.ended_us = clock.wall_us()
        self._keep(report)
        try:
            write_durably(self._file, json.dumps(report.as_fields()).encode())
        except OSError as error:
            log.warning("verification not recorded", error=str(error))
        self._emit("verified", sentence=report.sentence(), **report.as_fields(STATUS_LISTED_MAX))

    def _keep(self, report: Report) -> None:
        fields = report.as_fields()
        with self._lock:
            self._fields = fields

    def _verify(self, pair: Pair, report: Report) -> None:
        pair.rpc.ask("BeginVerify", aside=report.kept_aside)
        verification = Verification(
            self._plane,
            pair.rpc,
            pair.copies[0],
            self._directories,
            report,
            allowed_bytes_s=self._allowed_bytes_s,
            epoch=pair.epoch,
            give_up=pair.give_up,
            on_progress=self._keep,
            stop=self._stop,
        )
        verification.run()
        outcome = "different" if report.differences else "equal"
        if report.repair and report.differences:
            outcome = self._repair(pair, report, verification)
        if not verification.findings.names or not report.repair:
            with contextlib.suppress(OSError):
                pair.rpc.ask("EndVerify")
        report.outcome = outcome  # not before: whoever asks meanwhile must hear that it runs

    def _repair(self, pair: Pair, report: Report, found: Verification) -> str:
        """Note what differs, durably; data and attributes are copied now, names by joining again.

        What is noted and not copied, the pair having parted meanwhile, is by the next joining.
        Returns: the outcome.
        """
        mended = [each for each in found.findings.objects.values() if not each.kinds & BY_NAME]
        whole = [_whole(each) for each in mended]
        names = [
            Entry(PlaceKind.NAME, root, identity, 0, name, NO_ID, b"", handle, 0)
            for (root, identity), (handle, below) in found.findings.names.items()
            for name in below
        ]
        self._plane.index_merge(whole + names)
        found.show(Phase.REPAIR)
        if mended:
            with pair.keeper_paused():
                self._copy(pair, found, self._works(mended))
            report.repaired += sum(len(each.kinds) for each in mended)
        if names:
            report.repaired += len(names)
            report.observed = say("verify.names_follow")
            self.aside = report.kept_aside
            pair.part("a verification found names that differ: the pair joins again")
        unmended = len(found.findings.objects) - len(mended)
        if unmended:
            report.observed = say("verify.unmended", count=unmended)
        return "different" if unmended else "repaired"

    def _works(self, mended: Sequence[Object]) -> list[Work]:
        """Their entries as the index has them: noted again meanwhile, they stay in it.

        One that met its bound has a wider mark instead, which stays until the next joining.
        """
        noted = {
            (entry.root, entry.id): [entry]
            for root in range(len(self._directories))
            for entry in self._plane.index_entries(root, PlaceKind.WHOLE)
        }
        return [
            Work(
                each.root,
                each.id,
                each.handle,
                whole=True,
                entries=noted.get((each.root, each.id), []),
            )
            for each in mended
        ]

    def _copy(self, pair: Pair, found: Verification, works: Sequence[Work]) -> None:
        roots = [root_of(self._plane, number) for number in range(len(self._directories))]

        def keep_aside(root: int, identity: bytes) -> None:
            pair.rpc.ask("KeepAside", root=root, id=identity)

        def tick() -> None:
            found.show(Phase.REPAIR)

        pool = CopyPool(self._plane, pair.copies, self._allowed_bytes_s, keep_aside)
        try:
            meter = Meter(clock.monotonic_ms())
            DataPhase(self._plane, pair.rpc, pool, roots, meter, tick, pair.take_checkpoint).run(
                works
            )
        except BaseException:
            pair.give_up()  # a thread in a call returns
            raise
        finally:
            pool.end()


def _whole(each: Object) -> Entry:
    """All of an object: a file that differs in one place is looked at once more as a whole."""
    return Entry(PlaceKind.WHOLE, each.root, each.id, 0, b"", NO_ID, b"", each.handle, 0)


def _read(file: Path) -> dict[str, Any]:
    """What the last one found; one that cannot be read never was."""
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
        return {**NEVER, **values}
    except (OSError, ValueError, TypeError):
        return dict(NEVER)

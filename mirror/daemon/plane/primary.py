"""The node that serves: mounts, going alone, leading a session, checkpoints.

Modes: idle (nothing mounted), alone, leading (alone, or mirrored already, while the target is
brought up to date), prim. The gate and the session themselves live in C; this file says when.

With capture="watch" nothing is mounted: a Watching notes changes, a Shipping keeps checkpoints.
"""

from __future__ import annotations

import errno
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import structlog

from mirror.adapters import clock
from mirror.adapters.native import Plane
from mirror.core.reintegration.progress import Outcome
from mirror.daemon.plane.agreement import agree_on_roots
from mirror.daemon.plane.checkpoints import Checkpoints
from mirror.daemon.plane.directories import Directory
from mirror.daemon.plane.lanes import Lanes, connect_lanes
from mirror.daemon.plane.late import LateCheckpoints
from mirror.daemon.plane.leader import Leader
from mirror.daemon.plane.link_tls import LinkTls
from mirror.daemon.plane.mounting import is_synced, tune, unmount, write_back
from mirror.daemon.plane.pulse import Pulse
from mirror.daemon.plane.rpc import Rpc
from mirror.daemon.plane.scan import Scan
from mirror.daemon.plane.settings import PlaneSettings
from mirror.daemon.plane.shipping import Shipping, begin_pass
from mirror.daemon.plane.source import Reintegration
from mirror.daemon.plane.verifier import Pair, Verifier
from mirror.daemon.plane.watching import Watching
from mirror.errors import MirrorError, NothingHoldsChanges, PlaneNotReady
from mirror.vocabulary.said import parts_of, said_of, say
from mirror.wire.schema import Feature

log = structlog.get_logger()

FREEZE_MS_MAX = 10_000
SESSION_END_MS_MAX = 60_000
CHECKPOINT_END_S = 0.5  # of one that waited for the peer; for this node's disk nobody waits
SHIP_MS_MAX = 45_000  # what the application left unsent, at a stop; more is sent when it returns


class Primary:
    """Serves the directories of one module. One verb at a time; `freeze` from any thread."""

    def __init__(
        self,
        settings: PlaneSettings,
        plane: Plane,
        tls: LinkTls,
        directories: list[Directory],
        emit: Callable[..., None],
        scan: Scan,
        is_attended: Callable[[], bool],
    ) -> None:
        self._scan = scan
        self._settings = settings
        self._plane = plane
        self._tls = tls
        self._directories = directories
        self._emit = emit
        self.mode = "idle"
        self.gate = "closed"
        self.progress: dict[str, object] | None = None
        self.checkpoint = 0
        self._lanes: Lanes | None = None
        self._leader = Leader()
        self._checkpoints = Checkpoints(plane)
        self._keeper: threading.Thread | None = None
        self._stop_keeper = threading.Event()
        self._late = LateCheckpoints()
        self.watching: Watching | None = None
        self._shipping: Shipping | None = None
        self.verifier = Verifier(
            plane,
            [directory.path for directory in directories],
            settings.node,
            Path(settings.index_directory),
            settings.reintegration_bytes_s or None,
            emit,
        )
        self.pulse = Pulse(settings.pulse_ms / 1000, is_attended)
        self._part = threading.Lock()  # parting and going alone, against the leader thread

    def session(self) -> str:
        """The session led, in hex, or ""."""
        lanes = self._lanes
        return lanes.session.hex() if lanes else ""

    def rpc(self, feature: Feature) -> Rpc | None:
        """Questions to a secondary that is in step and knows this feature; None without one."""
        lanes = self._lanes
        if self.mode != "prim" or lanes is None or not lanes.control.features & feature:
            return None
        return lanes.rpc

    def behind(self) -> dict[str, object]:
        """How far the peer is behind with capture="watch", and what makes it worse; else {}."""
        watching = self.watching
        if watching is None:
            return {}
        return {"lag_ms": watching.lag.behind_ms(), "trouble": watching.trouble()}

    # Serving.

    def serve(self) -> None:
        """Mount over every directory and open the gate, alone. Raises: OSError."""
        if self.mode != "idle":
            return
        self._plane.capture_create(
            self._settings.workers_per_directory,
            writeback=self._settings.writeback,
            sync_both=self._settings.sync_both,
        )
        if self._settings.watch:
            self._watch()
        else:
            for directory in self._directories:
                directory.clear()
                self._plane.capture_mount(directory.number, directory.path)
                tune(directory, writeback=self._settings.writeback)
        self._plane.go_alone()
        self.mode, self.gate = "alone", "open"

    def _watch(self) -> None:
        self._scan.unsent()
        self.watching = Watching(self._plane, len(self._directories), self._watching_failed)
        since_ns = clock.file_ns()  # nobody can change anything yet
        for directory in self._directories:
            self._plane.capture_watch(directory.number)
            directory.clear()
        self.watching.start(since_ns)

    def _watching_failed(self, error: Exception) -> None:
        self._emit("fault", where="local", error=0, sentence=f"changes are not seen: {error}")

    def go_alone(self) -> None:
        """Leave the session; what the secondary may lack goes into the index; changes go on.

        Raises: TimeoutError, OSError: then the gate stays frozen (invariant 3).
        """
        with self._part:
            self._part_now("this node goes on alone")
            self._plane.go_alone()
            self.mode, self.gate = "alone", "open"

    def _part_now(self, why: str) -> None:
        self._plane.session_lost(errno.ECONNABORTED, why)  # first: what waits for the peer returns
        self.pulse.stop()
        self._leader.stop()
        self._checkpoints.end()
        self._shut_lanes()
        self.verifier.end()
        self._stop_keeper_thread()
        self._leader.await_end()
        self._plane.session_end(SESSION_END_MS_MAX)
        self._free_lanes()
        self.progress = None

    def _shut_lanes(self) -> None:
        lanes = self._lanes  # the leader may put it away
        if lanes is not None:
            lanes.shutdown()

    def _free_lanes(self) -> None:
        self._checkpoints.end()
        left = self._checkpoints.left(CHECKPOINT_END_S)
        if self._keeper is not None and self._keeper.is_alive():
            left.append(self._keeper)
        lanes, self._lanes, self._keeper = self._lanes, None, None
        if lanes is not None:
            self._late.close(lanes, left)

    def part(self, reason: str) -> None:
        """The peer is gone: the session is lost. What waited for it is held; `link_lost` follows.

        A host that lost its power resets no connection, so somebody else must say so.
        """
        if self._plane.attached():
            self._plane.session_lost(errno.ECONNABORTED, reason)
        else:
            self._shut_lanes()

    def freeze(self) -> None:
        """Park changes. Raises: TimeoutError."""
        self.froze()
        self._plane.freeze(FREEZE_MS_MAX)

    def froze(self) -> None:
        """The gate is frozen now; one that was closed stays closed."""
        if self.gate != "closed":
            self.gate = "frozen"

    def thaw(self) -> None:
        """Open the gate as it was. Once the session is lost, `go_alone` is the way."""
        if self.gate == "closed":  # or idle
            raise PlaneNotReady(verb="thaw", mode=self.gate)
        self._plane.open_gate()
        self.gate = "open"

    def close_gate(self) -> None:
        """Refuse changes from now on, and give no sign of life. Raises: TimeoutError."""
        self.pulse.stop()
        if self.mode != "idle":
            self._plane.close_gate(FREEZE_MS_MAX)
        self.gate = "closed"

    # Leading a session.

    def lead(
        self,
        session: bytes,
        addresses: list[str],
        port: int,
        *,
        full: bool,
        aside: str,
        generation: bytes,
        trusts_before_s: int = 0,
        commanded: bool = False,
    ) -> None:
        """Bring the peer up to date, in a thread; events tell how it goes.

        commanded: an administrator said which data count.

        Raises: PlaneNotReady (MIR-502) when this node does not serve alone.
        """
        if self.mode != "alone":
            raise PlaneNotReady(verb="lead", mode=self.mode)
        self._leader.await_end()  # of the session before: it may be telling of its end
        self._checkpoints = Checkpoints(self._plane)
        self.mode = "leading"
        given = (session, addresses, port, full, aside, generation, trusts_before_s, commanded)
        self._leader.begin(partial(self._lead, *given))

    def _lead(
        self,
        session: bytes,
        addresses: list[str],
        port: int,
        full: bool,  # noqa: FBT001 - as lead
        aside: str,
        generation: bytes,
        trusts_before_s: int,
        commanded: bool,  # noqa: FBT001
    ) -> None:
        try:
            needed = self._plane.connections_needed()
            lanes = connect_lanes(
                self._settings, self._tls.now(), session, addresses, port, needed
            )
            self._lanes = lanes
            if self._leader.should_stop():
                lanes.shutdown()  # whoever said so may not have seen them
            self._emit("link_up", session=session.hex())
            agreed = agree_on_roots(
                self._plane,
                self._directories,
                lanes.control,
                self._settings.peer,
                full=full,
                commanded=commanded,
            )
            full = full or agreed.target_restored
            is_settled = self.watching is not None and begin_pass(self.watching)
            outcome = Reintegration(
                self._plane,
                lanes.control,
                lanes.copy,
                lanes.live,
                roots=len(self._directories),
                full=full,
                aside=aside or self.verifier.aside,
                generation=generation,
                first_epoch=agreed.first_epoch,
                allowed_bytes_s=self._settings.reintegration_bytes_s or None,
                on_progress=self._on_progress,
                should_stop=self._leader.should_stop,
                scanned=self._scan.wait,
                trusts_before_ns=trusts_before_s * 1_000_000_000,
                watched=self.watching is not None,
                checkpoints=self._checkpoints,
            ).run()
            if self.watching is None:
                self._scan.settled()
            elif is_settled:
                self.watching.lag.shipped()
            self.verifier.aside = ""
        except (OSError, MirrorError) as error:
            self._leading_failed(session, said_of(error))
            return
        except Exception as error:
            log.exception("reintegration failed")
            self._leading_failed(session, f"reintegration failed: {error}")
            return
        with self._leader.ending() as is_wanted:
            if is_wanted:
                self._in_sync(lanes, generation, outcome)

    def _in_sync(self, lanes: Lanes, generation: bytes, outcome: Outcome) -> None:
        self.mode, self.progress = "prim", None
        self._start_keeper()
        self.pulse.start(lambda: lanes.rpc.ask("Ping", sent_ms=clock.boottime_ms()))
        self._emit(
            "in_sync",
            session=lanes.session.hex(),
            generation=generation.hex(),
            files=outcome.files,
            bytes_copied=outcome.bytes_copied,
            bytes_compared=outcome.bytes_compared,
            seconds=outcome.seconds,
        )

    def _on_progress(self, progress: dict[str, object]) -> None:
        self.progress = progress
        self._emit("progress", **progress)

    def _leading_failed(self, session: bytes, reason: str) -> None:
        """Tell of a session that ended before the target was up to date.

        Before mirroring began the gate is open and alone: no more than to tell. Later the capture
        has frozen by itself and told of it: the control plane answers with go_alone.
        """
        log.warning("reintegration ended", reason=reason)
        self.progress = None
        if self._plane.attached():
            self._plane.session_lost(errno.ECONNABORTED, reason)
            return
        lanes, self._lanes = self._lanes, None
        if lanes is not None:
            lanes.shutdown()
            lanes.close()
        self._plane.open_gate()
        self.mode = "alone"
        told = {"reason": str(reason), "reason_said": parts_of(reason)}
        self._emit("link_lost", session=session.hex(), **told)

    # Checkpoints.

    def _start_keeper(self) -> None:
        self._stop_keeper = threading.Event()
        keep: Callable[[], None] = partial(self._checkpoints.keep, self._stop_keeper, self._told)
        if self.watching is not None and self._lanes is not None:
            self._shipping = Shipping(
                self._plane,
                self.watching,
                self._lanes,
                len(self._directories),
                self._settings.reintegration_bytes_s or None,
                self._checkpoints.take,
            )
            keep = self._shipping.run
        self._keeper = threading.Thread(target=keep, name="keeper", daemon=True)
        self._keeper.start()

    def _told(self, epoch: int) -> None:
        self.checkpoint = epoch

    def _stop_keeper_thread(self) -> None:
        """Returns when it has ended, or has had its time."""
        self._stop_keeper.set()
        if self._shipping is not None:
            self._shipping.stop()
        if self._keeper is not None:
            self._keeper.join(SESSION_END_MS_MAX / 1000)

    @contextmanager
    def _keeper_paused(self) -> Iterator[None]:
        """Checkpoints are somebody else's meanwhile: two at a time would count wrongly."""
        self._stop_keeper_thread()
        try:
            yield
        finally:
            if self.mode == "prim" and self._plane.mirrored():
                self._start_keeper()

    # Verification.

    def verify(self, *, repair: bool) -> None:
        """Begin to compare both nodes, beside everything else.

        Raises: PlaneNotReady (MIR-502) unless the pair is in step, VerificationRuns (MIR-512),
        NothingHoldsChanges (MIR-515) with capture="watch".
        """
        if self.watching is not None:
            raise NothingHoldsChanges(verb="rfsverify", module=self._settings.module)
        lanes, rpc = self._lanes, self.rpc(Feature.VERIFY)
        if lanes is None or rpc is None:
            raise PlaneNotReady(verb="rfsverify", mode=say("plane.not_in_step", mode=self.mode))
        pair = Pair(
            rpc,
            lanes.copy,
            epoch=lambda: self.checkpoint,
            give_up=lanes.shutdown,
            take_checkpoint=self._checkpoints.take,
            keeper_paused=self._keeper_paused,
            part=self.part,
        )
        self.verifier.start(pair, repair=repair)

    # Leaving.

    def drain(self) -> dict[str, object]:
        """The application is gone: everything to both disks, then no change any more.

        A failing disk of this node is told, and hinders not while the secondary has it all, nor
        without one: a stop ends. Gives operations, checksum_equal, synced; OSError, TimeoutError.
        """
        mirrored = self.mode == "prim" and self._plane.mirrored()
        here = [
            is_synced(partial(write_back, directory.path), self._disk_failed, may_fail=True)
            for directory in self._directories
        ]
        self._stop_keeper_thread()
        equal = mirrored
        if mirrored and self._shipping is not None:
            equal = self._shipping.ship_all(SHIP_MS_MAX)
        elif mirrored:
            here.append(self._checkpoint_there())  # times, while changes are still let in
        self.close_gate()
        if mirrored:
            try:
                here.append(self._checkpoint_there())
            except OSError:
                equal = False
        for directory in self._directories:
            sync = partial(self._plane.root_sync, directory.number)
            here.append(is_synced(sync, self._disk_failed, may_fail=equal or not mirrored))
        if equal and self._shipping is not None:
            self._scan.settled()
        return {
            "operations": self._plane.counters().changes,
            "checksum_equal": equal,
            "synced": equal and all(here),
        }

    def _checkpoint_there(self) -> bool:
        """Have the secondary count and sync; False: this node's own disk failed to.

        Raises: OSError, when the secondary has not.
        """
        try:
            self.checkpoint = self._checkpoints.take()
        except OSError as error:
            if not self._plane.mirrored():
                raise
            self._disk_failed(error)
            return False
        return True

    def _disk_failed(self, error: OSError) -> None:
        """Tell it before the reply: the record that follows must not call this copy good."""
        sentence = "this node's disk failed to sync"
        log.warning(sentence, error=str(error))
        self._emit("fault", where="local", error=error.errno, sentence=sentence)

    def hand_over(self) -> None:
        """After drain: the session ends, nothing is in flight. Raises: TimeoutError."""
        with self._part:
            self.pulse.stop()
            self.verifier.end()
            self._stop_keeper_thread()
            self._leader.stop()
            if self._lanes is not None:
                if self._leader.is_alive():
                    self._shut_lanes()
                self._leader.await_end()
                self._plane.session_end(SESSION_END_MS_MAX)
                self._plane.close_gate(FREEZE_MS_MAX)
                self._free_lanes()

    def unserve(self) -> None:
        """Unmount every directory, the gate closed first: a private copy of the mount is harmless.

        Raises: DirectoryInUse (MIR-503), OSError, TimeoutError.
        """
        if self.mode == "idle":
            return
        self.close_gate()
        with self._part:
            self._part_now("this node does not serve any more")
        self._late.wait(SESSION_END_MS_MAX / 1000)
        self._plane.close_gate(FREEZE_MS_MAX)
        if self.watching is not None:
            self.watching.end()
            self.watching = self._shipping = None
        else:
            for directory in self._directories:
                unmount(directory)
                self._plane.capture_mount_end(directory.number)
        self._plane.capture_destroy()
        self.mode = "idle"

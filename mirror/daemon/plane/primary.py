"""The node that serves: mounts, going alone, leading a session, checkpoints.

Modes: idle (nothing mounted), alone, leading (alone, or mirrored already, while the target is
brought up to date), prim. The gate and the session themselves live in C; this file says when.
"""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable

import structlog

from mirror.adapters import clock, native
from mirror.adapters.native import Plane, Tls
from mirror.daemon.plane.directories import Directory, mounts_at
from mirror.daemon.plane.lanes import Lanes, connect_lanes
from mirror.daemon.plane.scan import Scan
from mirror.daemon.plane.settings import PlaneSettings
from mirror.daemon.plane.source import Reintegration
from mirror.errors import DirectoryInUse, LinkRefused, MirrorError, PlaneNotReady
from mirror.wire import codec

log = structlog.get_logger()

CHECKPOINT_S = 1.0  # design 8: frequent, so that little is ever unsynced
FREEZE_MS_MAX = 10_000
SESSION_END_MS_MAX = 60_000
UNMOUNT_MS_MAX = 5_000


class Primary:
    """Serves the directories of one module. One verb at a time; `freeze` from any thread."""

    def __init__(
        self,
        settings: PlaneSettings,
        plane: Plane,
        tls: Tls,
        directories: list[Directory],
        emit: Callable[..., None],
        scan: Scan,
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
        self._leader: threading.Thread | None = None
        self._stop_leading = threading.Event()
        self._keeper: threading.Thread | None = None
        self._stop_keeper = threading.Event()
        self._closing = threading.Event()  # never set: a pause between two tries to unmount
        self._part = threading.Lock()  # parting and going alone, against the leader thread

    def session(self) -> str:
        """The session led, in hex, or ""."""
        lanes = self._lanes
        return lanes.session.hex() if lanes else ""

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
        for directory in self._directories:
            directory.clear()
            self._plane.capture_mount(directory.number, directory.path)
            self._tune(directory)
        self._plane.go_alone()
        self.mode, self.gate = "alone", "open"

    def _tune(self, directory: Directory) -> None:
        """Read ahead more than the kernel's 128 KiB; lift the early throttle of dirty pages."""
        device = os.stat(directory.path).st_dev
        folder = f"/sys/class/bdi/{os.major(device)}:{os.minor(device)}"
        values = {"read_ahead_kb": "1024"}
        if self._settings.writeback:
            # Bounded: a stalled data plane must not fill the host's memory with dirty pages.
            values |= {"strict_limit": "0", "max_ratio": "25"}
        for name, value in values.items():
            try:
                with open(f"{folder}/{name}", "w", encoding="ascii") as file:
                    file.write(value)
            except OSError as error:
                log.info("not tuned", directory=directory.path, setting=name, error=str(error))

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
        self._stop_keeper_thread()
        self._plane.session_end(SESSION_END_MS_MAX)
        self._stop_leading_thread()
        if self._lanes is not None:
            self._lanes.close()
            self._lanes = None
        self.progress = None

    def part(self, reason: str) -> None:
        """The peer is gone: the session is lost. What waited for it is held; `link_lost` follows.

        A host that lost its power resets no connection, so somebody else must say so.
        """
        if self._plane.attached():
            self._plane.session_lost(errno.ECONNABORTED, reason)
        elif self._lanes is not None:
            self._lanes.shutdown()

    def freeze(self) -> None:
        """Park changes. Raises: TimeoutError."""
        self.gate = "frozen"
        self._plane.freeze(FREEZE_MS_MAX)

    def thaw(self) -> None:
        """Open the gate as it was. Once the session is lost, `go_alone` is the way."""
        if self.mode == "idle":
            raise PlaneNotReady(verb="thaw", mode=self.mode)
        self._plane.open_gate()
        self.gate = "open"

    def close_gate(self) -> None:
        """Refuse changes from now on. Raises: TimeoutError."""
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
    ) -> None:
        """Bring the peer up to date, in a thread; events tell how it goes.

        Raises: PlaneNotReady (MIR-502) when this node does not serve alone.
        """
        if self.mode != "alone":
            raise PlaneNotReady(verb="lead", mode=self.mode)
        self._stop_leading.clear()
        self.mode = "leading"
        self._leader = threading.Thread(
            target=self._lead,
            args=(session, addresses, port, full, aside, generation),
            name="leader",
            daemon=True,
        )
        self._leader.start()

    def _lead(
        self,
        session: bytes,
        addresses: list[str],
        port: int,
        full: bool,  # noqa: FBT001 - as lead
        aside: str,
        generation: bytes,
    ) -> None:
        try:
            needed = self._plane.connections_needed()
            lanes = connect_lanes(self._settings, self._tls, session, addresses, port, needed)
            self._lanes = lanes
            self._emit("link_up", session=session.hex())
            self._agree_on_roots(lanes, full=full)
            outcome = Reintegration(
                self._plane,
                lanes.control,
                lanes.copy,
                lanes.live,
                roots=len(self._directories),
                full=full,
                aside=aside,
                generation=generation,
                allowed_bytes_s=self._settings.reintegration_bytes_s or None,
                on_progress=self._on_progress,
                should_stop=self._stop_leading.is_set,
                scanned=self._scan.wait,
            ).run()
            self._scan.settled()
        except (OSError, MirrorError) as error:
            self._leading_failed(session, str(error))
            return
        except Exception as error:
            log.exception("reintegration failed")
            self._leading_failed(session, f"reintegration failed: {error}")
            return
        self.mode, self.progress = "prim", None
        self._start_keeper()
        self._emit(
            "in_sync",
            session=session.hex(),
            generation=generation.hex(),
            files=outcome.files,
            bytes_copied=outcome.bytes_copied,
            bytes_compared=outcome.bytes_compared,
            seconds=outcome.seconds,
        )

    def _agree_on_roots(self, lanes: Lanes, *, full: bool) -> None:
        roots = []
        for directory in self._directories:
            number, handle = directory.number, self._plane.root_handle(directory.number)
            fd = self._plane.open(number, handle, os.O_RDONLY | os.O_DIRECTORY)
            try:
                seen = self._plane.look(fd, b".")
            finally:
                os.close(fd)
            if seen is None or seen.id is None:
                raise LinkRefused(
                    peer=self._settings.peer, sentence=f"{directory.path} has no identity"
                )
            roots.append({"root": number, "id": seen.id})
        lanes.control.send(
            codec.code_of("Roots"), codec.encode("Roots", full=int(full), roots=roots)
        )
        code, payload = lanes.control.receive()
        answer = codec.decode(code, payload)
        if answer.name != "Ack" or answer["error"] != 0:
            raise LinkRefused(
                peer=self._settings.peer,
                sentence="its directories hold other data; `second fullsync` joins them",
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
        self.mode = "alone"
        self._plane.open_gate()
        self._emit("link_lost", session=session.hex(), reason=reason)

    def _stop_leading_thread(self) -> None:
        leader, self._leader = self._leader, None
        self._stop_leading.set()
        if leader is not None and leader is not threading.current_thread():
            lanes = self._lanes
            if lanes is not None:
                lanes.shutdown()
            leader.join(SESSION_END_MS_MAX / 1000)
            if leader.is_alive():
                raise TimeoutError("the reintegration does not end")

    # Checkpoints.

    def _start_keeper(self) -> None:
        self._stop_keeper.clear()
        self._keeper = threading.Thread(target=self._keep, name="keeper", daemon=True)
        self._keeper.start()

    def _keep(self) -> None:
        """About once a second while there are changes; now and then when there are none."""
        changes_before, idle_s = -1, 0.0
        while not self._stop_keeper.wait(CHECKPOINT_S):
            changes = self._plane.counters().changes
            idle_s += CHECKPOINT_S
            if changes == changes_before and idle_s < 5 * CHECKPOINT_S:
                continue
            try:
                self.checkpoint = self._plane.checkpoint()
            except OSError as error:
                log.warning("checkpoint failed", error=str(error))
                return
            # Sending times counts as changes too: one more checkpoint, then it is quiet.
            changes_before, idle_s = changes, 0.0

    def _stop_keeper_thread(self) -> None:
        keeper, self._keeper = self._keeper, None
        self._stop_keeper.set()
        if keeper is not None:
            keeper.join(SESSION_END_MS_MAX / 1000)

    # Leaving.

    def drain(self) -> dict[str, object]:
        """The application is gone: everything to both disks, then no change any more.

        Returns: operations, checksum_equal, synced. Raises: OSError, TimeoutError.
        """
        mirrored = self.mode == "prim" and self._plane.mirrored()
        for directory in self._directories:
            _sync_mount(directory.path)
        self._stop_keeper_thread()
        if mirrored:
            self._plane.checkpoint()  # times, while changes are still let in
        self.close_gate()
        synced = True
        if mirrored:
            try:
                self.checkpoint = self._plane.checkpoint()
            except OSError:
                synced = False
        for directory in self._directories:
            self._plane.root_sync(directory.number)
        return {
            "operations": self._plane.counters().changes,
            "checksum_equal": mirrored and synced,
            "synced": synced,
        }

    def hand_over(self) -> None:
        """After drain: the session ends, nothing is in flight. Raises: TimeoutError."""
        with self._part:
            self._stop_keeper_thread()
            if self._lanes is not None:
                self._plane.session_end(SESSION_END_MS_MAX)
                self._plane.close_gate(FREEZE_MS_MAX)
                self._stop_leading_thread()
                self._lanes.shutdown()
                self._lanes.close()
                self._lanes = None

    def unserve(self) -> None:
        """Unmount every directory, the gate closed first: a private copy of the mount is harmless.

        Raises: DirectoryInUse (MIR-503), OSError, TimeoutError.
        """
        if self.mode == "idle":
            return
        self.close_gate()
        with self._part:
            self._part_now("this node does not serve any more")
        self._plane.close_gate(FREEZE_MS_MAX)
        for directory in self._directories:
            self._unmount(directory)
            self._plane.capture_mount_end(directory.number)
        self._plane.capture_destroy()
        self.mode = "idle"

    def _unmount(self, directory: Directory) -> None:
        deadline_ms = clock.boottime_ms() + UNMOUNT_MS_MAX
        while mounts_at(directory.path)[-1:] == ["fuse.mirror"]:
            try:
                native.unmount(directory.path)
            except OSError as error:
                if error.errno != errno.EBUSY:
                    raise
                if clock.boottime_ms() > deadline_ms:
                    native.unmount(directory.path, lazy=True, force=True)
                    raise DirectoryInUse(
                        directory=directory.path, observed="still in use, disconnected by force"
                    ) from error
                self._closing.wait(0.05)


def _sync_mount(path: str) -> None:
    """Write back what the kernel caches of a mount, before the gate closes.

    syncfs is not passed to a FUSE server, but it writes pages back and waits for them (design 6).
    """
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        native.sync_filesystem(fd)
    finally:
        os.close(fd)

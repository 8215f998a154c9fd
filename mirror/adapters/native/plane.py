"""Roots, dirty index, recent set, capture and apply of one module."""

import errno
import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from mirror._native import ffi, lib
from mirror.adapters.native.link import Connection
from mirror.adapters.native.values import (
    HANDLE_BYTES,
    ID_BYTES,
    NO_ID,
    Copied,
    Counters,
    Entry,
    Look,
    PlaneEvent,
    Step,
    check,
)

ENTRIES_AT_ONCE = 256
COMPARE_BLOCK_BYTES = 4096
COMPARE_STEP_BYTES = 256 << 10


class Plane:
    """Roots, dirty index, recent set, capture and apply of one module."""

    def __init__(
        self,
        index_directory: str,
        *,
        index_bytes: int,
        index_entries_max: int,
        recent_places_max: int,
    ) -> None:
        out = ffi.new("struct mn_plane **")
        result = lib.mnf_plane_create(
            index_directory.encode(), index_bytes, index_entries_max, recent_places_max, out
        )
        check(result, index_directory)
        self._raw = out[0]
        self._checkpointing = threading.Lock()  # the keeper's connection is one thread's
        self._ruled: set[int] = set()

    def destroy(self) -> None:
        """Free everything. No thread may be inside, no mount left."""
        lib.mnf_plane_destroy(self._raw)
        self._raw = None

    @property
    def raw(self) -> Any:  # noqa: ANN401 - a struct of cffi
        """For the functions beside this class (bulk.py)."""
        return self._raw

    # Roots and objects of the lower directory.

    def root_add(self, path: str) -> tuple[int, bytes | None]:
        """Open a lower directory. Returns: its number, and its identity or None."""
        identity = ffi.new("uint8_t[]", ID_BYTES)
        result = check(lib.mnf_root_add(self._raw, path.encode(), identity), path)
        number = self._root_count
        self._root_count += 1
        return number, None if result == lib.MN_IDENTITY_MISSING else bytes(identity)

    _root_count = 0

    def root_rule(self, root: int, kind: int, text: str) -> None:
        """Add a rule of what is not replicated (native/lower/rules.h), before anything is mounted.

        Raises: OSError (EINVAL: no expression).
        """
        check(lib.mnf_root_rule(self._raw, root, kind, text.encode()), text)
        self._ruled.add(root)

    def has_rules(self, root: int) -> bool:
        """Whether anything of a root may be local."""
        return root in self._ruled

    def is_local(self, root: int, path: bytes, *, directory: bool) -> bool:
        """Whether what has this path, relative to the root, stays on its node."""
        return bool(lib.mnf_is_local(self._raw, root, path, int(directory)))

    def local_move(
        self, root: int, directory_fd: int, name: bytes, path: bytes, new_path: bytes
    ) -> None:
        """Prepare a directory to move: local entries that would be replicated are kept aside.

        Raises: OSError (EXDEV: a rule names something beneath one of the paths).
        """
        result = lib.mnf_local_move(self._raw, root, directory_fd, name, path, new_path)
        check(result, "local entries")

    def local_keep(
        self, root: int, directory_fd: int, name: bytes, path: bytes, *, itself: bool = False
    ) -> None:
        """Keep aside what is local beneath a directory that goes; itself: what has the name."""
        result = lib.mnf_local_keep(self._raw, root, directory_fd, name, path, int(itself))
        check(result, "local entries")

    def root_adopt(self, root: int, identity: bytes) -> None:
        """Give a root directory its identity."""
        check(lib.mnf_root_adopt(self._raw, root, identity), f"root {root}")

    def root_sync(self, root: int) -> None:
        """Put the whole file system of a root on disk (syncfs)."""
        check(lib.mnf_root_sync(self._raw, root), f"root {root}")

    def root_handle(self, root: int) -> bytes:
        """The file handle of a root directory."""
        handle = ffi.new("uint8_t[]", HANDLE_BYTES)
        check(lib.mnf_root_handle(self._raw, root, handle), f"root {root}")
        return bytes(handle)

    def open(self, root: int, handle: bytes, flags: int) -> int:
        """Open an object by handle; the descriptor is the caller's. Raises ESTALE: gone."""
        return check(lib.mnf_open(self._raw, root, handle, flags), f"root {root}")

    def look(self, directory_fd: int, name: bytes) -> Look | None:
        """What stands at a name of a directory; None: nothing."""
        identity = ffi.new("uint8_t[]", ID_BYTES)
        handle = ffi.new("uint8_t[]", HANDLE_BYTES)
        result = lib.mnf_look(directory_fd, name, identity, handle)
        if result == -2:  # ENOENT
            return None
        check(result, os.fsdecode(name))
        return Look(None if result == lib.MN_IDENTITY_MISSING else bytes(identity), bytes(handle))

    def identity_new(self) -> bytes:
        """A new random identity."""
        identity = ffi.new("uint8_t[]", ID_BYTES)
        check(lib.mnf_identity_new(identity), "identity")
        return bytes(identity)

    def identity_set(self, fd: int, handle: bytes, identity: bytes) -> None:
        """Give an object its identity. fd: any descriptor of it, O_PATH too."""
        check(lib.mnf_identity_set(fd, handle, identity), "identity")

    def set_flags(self, fd: int, flags: int, valid: int) -> None:
        """Set the FS_IOC flags that `valid` names. fd: opened, not O_PATH."""
        check(lib.mnf_set_flags(fd, flags, valid), "flags")

    # Dirty index and recent set.

    def index_entries(self, root: int | None = None, kind: int | None = None) -> Iterator[Entry]:
        """Every entry, in key order; entries that come meanwhile may or may not be seen.

        root, kind: only these, found without walking over others (both or none are given).
        """
        cursor = ffi.new("uint8_t[512]")
        size = ffi.new("uint16_t *")
        if root is not None and kind is not None:
            # A key begins with root and kind: the walk starts behind this shortest one.
            cursor[0], cursor[1], size[0] = root, kind, 2
        raw = ffi.new("struct mnf_entry[]", ENTRIES_AT_ONCE)
        while True:
            count = check(
                lib.mnf_index_next(self._raw, cursor, size, raw, ENTRIES_AT_ONCE), "index"
            )
            for at in range(count):
                if kind is not None and (raw[at].root, raw[at].kind) != (root, kind):
                    return
                yield _entry(raw[at])
            if count < ENTRIES_AT_ONCE:
                return

    def index_merge(self, entries: Sequence[Entry]) -> None:
        """Note entries of the peer, durably, in one commit."""
        raw = _raw_entries(entries)
        check(lib.mnf_index_merge(self._raw, raw, len(entries)), "index")

    def index_remove(self, entries: Sequence[Entry]) -> None:
        """Remove entries as they were read; one noted again since stays."""
        raw = _raw_entries(entries)
        check(lib.mnf_index_remove(self._raw, raw, len(entries)), "index")

    def index_absorb(self) -> None:
        """Put the recent set into the index, durably; the set is empty then."""
        check(lib.mnf_index_absorb(self._raw), "index")

    def index_clear(self) -> None:
        """Empty the index, durably."""
        check(lib.mnf_index_clear(self._raw), "index")

    def index_now(self) -> int:
        """What `noted` would be of an entry read now (journal/index.h, mn_index_now)."""
        return int(lib.mnf_index_now(self._raw))

    def index_count(self) -> int:
        """Entries in the index."""
        return int(lib.mnf_index_count(self._raw))

    def recent_count(self) -> int:
        """Places in the recent set."""
        return int(lib.mnf_recent_count(self._raw))

    # Secondary.

    def apply_begin(self) -> None:
        """Begin a session as secondary. No worker of an older one may be running."""
        check(lib.mnf_apply_begin(self._raw), "apply")

    def apply_serve(self, connection: Connection, lane: int) -> tuple[int, bytes] | None:
        """Serve a connection. Returns a message for Python, after which it is called again.

        Raises: OSError when the connection ends (ECONNRESET, ESHUTDOWN) or breaks the protocol.
        """
        code = ffi.new("uint16_t *")
        payload = ffi.new("uint8_t **")
        size = ffi.new("size_t *")
        result = lib.mnf_apply_serve(self._raw, connection.raw, lane, code, payload, size)
        check(result, "apply")
        if result == lib.MN_PYTHON_MESSAGE:
            return code[0], bytes(ffi.buffer(payload[0], size[0]))
        return None

    def apply_learn(
        self, root: int, identity: bytes, handle: bytes, parent: bytes, name: bytes
    ) -> None:
        """Tell the map of identities where an object is."""
        check(lib.mnf_apply_learn(self._raw, root, identity, handle, parent, name), "identity")

    def apply_find(self, root: int, identity: bytes) -> bytes | None:
        """The handle of an identity the map knows."""
        handle = ffi.new("uint8_t[]", HANDLE_BYTES)
        result = check(lib.mnf_apply_find(self._raw, root, identity, handle), "identity")
        return None if result else bytes(handle)

    def apply_in_step(self) -> None:
        """The reintegration of the session has ended: what is in memory counts from now on."""
        lib.mnf_apply_in_step(self._raw)

    def apply_unsynced(self) -> int:
        """The errno by which this node's disk failed to sync in the session, or 0."""
        return -int(lib.mnf_apply_unsynced(self._raw))

    def apply_operations(self) -> int:
        """Live operations applied in this session."""
        return int(lib.mnf_apply_operations(self._raw))

    def apply_pings(self) -> int:
        """Pings of the source answered in this session."""
        return int(lib.mnf_apply_pings(self._raw))

    # Primary.

    def capture_create(self, workers_per_mount: int, *, writeback: bool, sync_both: bool) -> None:
        """Make the capture; its gate is closed."""
        check(
            lib.mnf_capture_create(self._raw, workers_per_mount, int(writeback), int(sync_both)),
            "capture",
        )

    def capture_destroy(self) -> None:
        """Free the capture. No mount may be left."""
        lib.mnf_capture_destroy(self._raw)

    def capture_mount(self, root: int, mountpoint: str) -> None:
        """Mount over a replicated directory and start its workers."""
        check(lib.mnf_capture_mount(self._raw, root, mountpoint.encode()), mountpoint)

    def capture_watch(self, root: int) -> None:
        """Have checkpoints include the disk of a root that nothing is mounted over."""
        lib.mnf_capture_watch(self._raw, root)

    def capture_mount_end(self, root: int) -> None:
        """Join the workers of a mount that was unmounted."""
        check(lib.mnf_capture_mount_end(self._raw, root), f"root {root}")

    def event_fd(self) -> int:
        """Readable when an event waits; owned by the capture."""
        return int(lib.mnf_event_fd(self._raw))

    def event_take(self) -> PlaneEvent | None:
        """The next event, or None."""
        kind = ffi.new("uint32_t *")
        error = ffi.new("int *")
        serial = ffi.new("uint64_t *")
        detail = ffi.new("char[160]")
        if lib.mnf_event_take(self._raw, kind, error, serial, detail) != 0:
            return None
        return PlaneEvent(
            kind[0], error[0], serial[0], ffi.string(detail).decode(errors="replace")
        )

    def connections_needed(self) -> int:
        """LIVE connections that a session needs."""
        return int(lib.mnf_connections_needed(self._raw))

    def session_begin(self, connections: Sequence[Connection], first_epoch: int) -> int:
        """The gate is frozen and nobody inside: mirror from now on, once the gate opens.

        first_epoch: above every epoch that was marked on a disk of the pair.
        Returns: the number of the session.
        """
        raw = ffi.new("struct mn_connection *[]", [each.raw for each in connections])
        check(lib.mnf_session_begin(self._raw, raw, len(connections), first_epoch), "session")
        return self.counters().session

    def session_lost(self, error: int, why: str) -> None:
        """Part: freeze, shut every connection down, tell of it by an event."""
        lib.mnf_session_lost(self._raw, error, why.encode()[:150])

    def session_end(self, timeout_ms: int) -> None:
        """Wait until nobody is inside, then take the connections away; the gate stays frozen."""
        check(lib.mnf_session_end(self._raw, timeout_ms), "session")

    def freeze(self, timeout_ms: int) -> None:
        """Park changes from now on and wait until none is under way. Raises TimeoutError."""
        check(lib.mnf_freeze(self._raw, timeout_ms), "freeze")

    def go_alone(self) -> None:
        """Recent set into the index, durably; then the gate opens, alone (invariant 3).

        Raises: OSError (ESTALE: the gate was closed).
        """
        check(lib.mnf_go_alone(self._raw), "going alone")

    def open_gate(self) -> None:
        """Open the gate, and parked changes go on; one that was closed stays closed."""
        lib.mnf_open_gate(self._raw)

    def close_gate(self, timeout_ms: int) -> None:
        """Refuse changes (ESTALE), for good, and wait until none is under way.

        Raises: TimeoutError.
        """
        check(lib.mnf_close_gate(self._raw, timeout_ms), "gate")

    def checkpoint(self, session: int = 0) -> int:
        """One checkpoint of both disks, of this session, or of the one that is now.

        Returns: its epoch. Raises: OSError; ECONNRESET when the session is another one.
        """
        epoch = ffi.new("uint64_t *")
        with self._checkpointing:
            check(lib.mnf_checkpoint(self._raw, session, epoch), "checkpoint")
        return int(epoch[0])

    def joining(self, value: bool) -> None:  # noqa: FBT001 - a switch
        """While the secondary is being brought up to date, copies send no ranges."""
        lib.mnf_joining(self._raw, int(value))

    def joined_take(self) -> list[tuple[int, bytes, bytes]]:
        """Objects (root, identity, handle) whose attributes live changes may have left unequal.

        Some at a time, the oldest first; [] when there is none now. While joining only.
        """
        raw = ffi.new("struct mnf_joined[]", ENTRIES_AT_ONCE)
        count = check(lib.mnf_joined_take(self._raw, raw, ENTRIES_AT_ONCE), "joined")
        return [(raw[at].root, bytes(raw[at].id), bytes(raw[at].handle)) for at in range(count)]

    def mirrored(self) -> bool:
        """True while a session lives: changes go to the secondary first."""
        return bool(self.counters().link & 1)

    def attached(self) -> bool:
        """True from session_begin to session_end, also after the session was lost."""
        return bool(self.counters().link & 2)

    def counters(self) -> Counters:
        """What happened so far."""
        values = ffi.new("uint64_t[]", lib.MN_COUNTERS)
        lib.mnf_counters(self._raw, values)
        return Counters(*list(values)[: len(Counters._fields)])

    # Reintegration of one object.

    def copy_ranges(
        self,
        root: int,
        handle: bytes,
        identity: bytes,
        connection: Connection,
        ranges: Sequence[tuple[int, int]],
    ) -> Copied:
        """Compare ranges with the target's and send what differs. Raises ENOENT: gone here.

        ranges: offset and size of each, in bytes; one may end behind the file.
        """
        copied = ffi.new("struct mnf_copied *")
        raw = ffi.new("uint64_t[]", [number for each in ranges for number in each])
        result = lib.mnf_copy_ranges(
            self._raw, root, handle, identity, connection.raw, raw, len(ranges), copied
        )
        _check_copy(result, copied)
        return Copied(copied.compared_bytes, copied.copied_bytes, copied.hole_bytes)

    def copy_size(self, root: int, handle: bytes, identity: bytes, connection: Connection) -> None:
        """Make the target's size this node's. Raises ENOENT: gone here."""
        copied = ffi.new("struct mnf_copied *")
        result = lib.mnf_copy_size(self._raw, root, handle, identity, connection.raw, copied)
        _check_copy(result, copied)

    def compare_step(
        self,
        root: int,
        handle: bytes,
        identity: bytes,
        connection: Connection,
        offset: int,
        size: int,
    ) -> Step:
        """Compare up to COMPARE_STEP_BYTES with the target's. size 0: only the file's size.

        Raises: OSError (ENOENT: gone here; EREMOTEIO: the target's).
        """
        blocks = ffi.new("uint8_t[]", COMPARE_STEP_BYTES // COMPARE_BLOCK_BYTES)
        sizes = ffi.new("uint64_t[2]")
        count = check(
            lib.mnf_compare_step(
                self._raw,
                root,
                handle,
                identity,
                connection.raw,
                offset,
                size,
                blocks,
                sizes,
                sizes + 1,
            ),
            "compare",
        )
        return Step(bytes(ffi.buffer(blocks, count)), sizes[0], sizes[1])

    @contextmanager
    def name_lock(self, directory: bytes, name: bytes) -> Iterator[None]:
        """Hold one name of a directory, by its handle, against live changes."""
        lock = lib.mnf_lock_name(self._raw, directory, name)
        if lock == ffi.NULL:
            raise MemoryError
        try:
            yield
        finally:
            lib.mnf_unlock_object(self._raw, lock)

    @contextmanager
    def object_lock(self, handle: bytes) -> Iterator[None]:
        """Hold the attributes of an object against live changes."""
        lock = lib.mnf_lock_object(self._raw, handle)
        if lock == ffi.NULL:
            raise MemoryError
        try:
            yield
        finally:
            lib.mnf_unlock_object(self._raw, lock)


def _check_copy(result: int, copied: Any) -> None:  # noqa: ANN401 - cffi has no types
    if result == -errno.EREMOTEIO:
        raise OSError(errno.EREMOTEIO, os.strerror(copied.remote_error), "copy at the target")
    check(result, "copy")


def _entry(raw: Any) -> Entry:  # noqa: ANN401 - cffi has no types
    return Entry(
        raw.kind,
        raw.root,
        ffi.buffer(raw.id)[:],
        raw.region,
        ffi.buffer(raw.name, raw.name_size)[:],
        ffi.buffer(raw.parent)[:],
        ffi.buffer(raw.hint, raw.hint_size)[:],
        ffi.buffer(raw.handle)[:],
        raw.noted,
        ffi.buffer(raw.parent_handle)[:],
        bool(raw.ahead),
        raw.region_count,
    )


def _raw_entries(entries: Sequence[Entry]) -> Any:  # noqa: ANN401 - as _entry
    raw = ffi.new("struct mnf_entry[]", max(1, len(entries)))
    for at, entry in enumerate(entries):
        to = raw[at]
        to.kind, to.root, to.region, to.noted = entry.kind, entry.root, entry.region, entry.noted
        to.region_count = entry.region_count
        to.name_size, to.hint_size = len(entry.name), len(entry.hint)
        ffi.memmove(to.id, entry.id, ID_BYTES)
        ffi.memmove(to.parent, entry.parent or NO_ID, ID_BYTES)
        ffi.memmove(to.name, entry.name, len(entry.name))
        ffi.memmove(to.hint, entry.hint, len(entry.hint))
        ffi.memmove(to.handle, entry.handle.ljust(HANDLE_BYTES, b"\0"), HANDLE_BYTES)
        above = entry.parent_handle.ljust(HANDLE_BYTES, b"\0")
        ffi.memmove(to.parent_handle, above, HANDLE_BYTES)
    return raw

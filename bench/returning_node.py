"""One data plane that parts and returns.

Capture, link and apply as in bench/node.py, and the real reintegration of mirror.daemon.plane.

    python -m bench.returning_node source|target SETTINGS.json

Says "ready" when it is, then answers one line of JSON a line: {"do": VERB, ...}. The lower
directory of the source may hold a tree; that of the target is empty before the first return.

    source   return {"full"}   connect, reintegrate; the session goes on
             part              break the session, go on alone
             note {"paths"}    files were changed in the lower directory: they are dirty
    target   begin             follow the next session
             end               wait until its workers have ended; keep what was noted
"""

import contextlib
import json
import os
import socket
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import structlog

from bench.node import SESSION, TIMEOUT_MS, NodeSettings, open_plane, tune
from mirror.adapters import native
from mirror.adapters.native import Connection, Entry, Plane, Tls, bulk
from mirror.daemon.plane.checkpoints import Checkpoints
from mirror.daemon.plane.source import Reintegration
from mirror.daemon.plane.target import Target
from mirror.vocabulary.places import PlaceKind

CONTROL, LIVE, COPY = 0, 1, 2
COPIES = 6  # as mirror.daemon.plane.settings
GENERATION = bytes(range(16))
NOTES_AT_ONCE = 1024
Act = Callable[[dict[str, Any]], dict[str, object]]


class Source:
    """It serves, alone or mirrored."""

    def __init__(self, settings: NodeSettings) -> None:
        self._settings = settings
        self._tls = Tls(settings.ca, settings.certificate, settings.key)
        self._plane = open_plane(settings)
        self._plane.capture_create(settings.workers, writeback=False, sync_both=False)
        self._plane.capture_mount(0, settings.mount)
        tune(settings.mount, writeback=False)
        self._plane.go_alone()
        self._connections: list[Connection] = []

    def _connect(self, lane: int, index: int) -> Connection:
        to = self._settings
        connection = Connection.connect(
            self._tls,
            to.peer_address,
            to.port,
            "n2",
            timeout_ms=TIMEOUT_MS,
            io_timeout_ms=TIMEOUT_MS,
        )
        refusal = connection.offer(lane, index, SESSION, "bench", "n1")
        assert refusal == "", refusal
        self._connections.append(connection)
        return connection

    def return_(self, asked: dict[str, Any]) -> dict[str, object]:
        """Reintegrate. seconds: from the last handshake to the end of it."""
        control = self._connect(CONTROL, 0)
        copies = [self._connect(COPY, at) for at in range(COPIES)]
        live = [self._connect(LIVE, at) for at in range(self._plane.connections_needed())]
        phases: list[dict[str, object]] = []
        reintegration = Reintegration(
            self._plane,
            control,
            copies,
            live,
            roots=1,
            full=asked["full"],
            aside="",
            generation=GENERATION,
            allowed_bytes_s=None,
            first_epoch=self._plane.counters().epoch + 1,  # both disks are of this process' time
            on_progress=phases.append,
            should_stop=lambda: False,
            checkpoints=Checkpoints(self._plane),
        )
        started = time.monotonic()
        outcome = reintegration.run()
        seconds = time.monotonic() - started
        return {"seconds": seconds, "copied": outcome.bytes_copied, "files": outcome.files}

    def part(self, _asked: dict[str, Any]) -> dict[str, object]:
        self._plane.checkpoint()
        self._plane.session_lost(104, "the benchmark parts")
        self._plane.session_end(TIMEOUT_MS)
        for connection in self._connections:
            connection.shutdown()
            connection.close()
        self._connections.clear()
        self._plane.go_alone()
        return {}

    def note(self, asked: dict[str, Any]) -> dict[str, object]:
        """Many at a time: whoever changes them by the mount waits for the disk for each."""
        entries = [self._entry(Path(path)) for path in asked["paths"]]
        for at in range(0, len(entries), NOTES_AT_ONCE):
            self._plane.index_merge(entries[at : at + NOTES_AT_ONCE])
        return {}

    def _entry(self, path: Path) -> Entry:
        above, seen = (_seen(Path(self._settings.lower, each)) for each in (path.parent, path))
        return Entry(
            PlaceKind.DATA,
            0,
            seen.id,
            0,
            b"",
            above.id,
            os.fsencode(path.name),
            seen.handle,
            0,
            above.handle,
        )

    def close(self) -> None:
        self._plane.close_gate(TIMEOUT_MS)
        native.unmount(self._settings.mount, lazy=True)


def _seen(path: Path) -> bulk.Seen:
    fd = os.open(path.parent, os.O_RDONLY)
    seen = bulk.see(fd, os.fsencode(path.name))
    os.close(fd)
    assert seen is not None
    return seen


class Returning:
    """It is brought up to date, and follows until the session ends."""

    def __init__(self, settings: NodeSettings) -> None:
        self._plane: Plane = open_plane(settings)
        self._tls = Tls(settings.ca, settings.certificate, settings.key)
        self._lower = settings.lower
        self._listener = socket.create_server(("", settings.port))
        self._threads: list[threading.Thread] = []
        self._target: Target | None = None
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            fd = self._listener.accept()[0].detach()
            connection = Connection.accept(
                self._tls, fd, "n1", timeout_ms=TIMEOUT_MS, io_timeout_ms=TIMEOUT_MS
            )
            thread = threading.Thread(target=self._serve, args=(connection,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: Connection) -> None:
        hello = connection.receive_hello()
        target = self._target
        assert target is not None
        connection.answer_hello("n2")
        with contextlib.suppress(OSError):
            while (message := self._plane.apply_serve(connection, hello.lane)) is not None:
                connection.send(*target.handle(*message))
        connection.close()

    def begin(self, _asked: dict[str, Any]) -> dict[str, object]:
        self._plane.apply_begin()
        self._target = target = Target(
            self._plane,
            [self._lower],
            aside="",
            on_end=lambda _generation, _checkpoint, _record: target.confirm(),
        )
        return {}

    def end(self, _asked: dict[str, Any]) -> dict[str, object]:
        while self._threads:
            self._threads.pop().join()
        if self._target is not None:
            self._target.close()
        self._plane.index_absorb()
        return {}

    def close(self) -> None:
        """Nothing: its process ends."""


def main() -> None:
    """Run one role."""
    role, path = sys.argv[1:]
    settings = NodeSettings(**json.loads(Path(path).read_text()))
    os.umask(0o022)
    # Answers go to the standard output.
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    node = Source(settings) if role == "source" else Returning(settings)
    acts: dict[str, Act] = (
        {"return": node.return_, "part": node.part, "note": node.note}
        if isinstance(node, Source)
        else {"begin": node.begin, "end": node.end}
    )
    print("ready", flush=True)
    for line in sys.stdin:
        asked = json.loads(line)
        print(json.dumps(acts[asked["do"]](asked)), flush=True)
    node.close()
    os._exit(0)


if __name__ == "__main__":
    main()

"""One data plane of a benchmark: the C library, driven without orchestration.

    python -m bench.node ROLE SETTINGS.json

ROLE is alone, primary or secondary. Says "ready" on its standard output when it serves, and ends,
cleaned up, when its standard input ends. The lower directories begin empty, so the two are equal
and no reintegration is needed; gate, capture, link and apply are as in mirror.daemon.plane.
"""

import contextlib
import json
import os
import socket
import sys
import threading
from dataclasses import asdict, dataclass
from pathlib import Path

from mirror.adapters import native
from mirror.adapters.native import Connection, Plane, Tls

SESSION = bytes(range(16))
LIVE = 1
CHECKPOINT_S = 1.0  # as mirror.daemon.plane.primary
TIMEOUT_MS = 10_000


@dataclass(frozen=True, slots=True)
class NodeSettings:
    """What one process needs; paths absolute. peer_address: of the secondary, for the primary."""

    lower: str
    mount: str
    index: str
    ca: str
    certificate: str
    key: str
    identity: str
    peer_address: str = ""
    port: int = 5600
    writeback: bool = False
    sync_both: bool = False
    workers: int = 4

    def write(self, path: Path) -> None:
        path.write_text(json.dumps(asdict(self)))


def open_plane(settings: NodeSettings) -> Plane:
    """Return a plane with its one root."""
    plane = Plane(
        settings.index,
        index_bytes=256 << 20,
        index_entries_max=1_000_000,
        recent_places_max=200_000,
    )
    plane.root_add(settings.lower)
    plane.root_adopt(0, bytes.fromhex(settings.identity))
    return plane


def serve_lane(plane: Plane, connection: Connection) -> None:
    """Apply what comes on one connection, until it ends."""
    connection.receive_hello()
    connection.answer_hello("n2")
    with contextlib.suppress(OSError):
        plane.apply_serve(connection, LIVE)
    connection.close()


def be_secondary(settings: NodeSettings) -> None:
    """Accept lanes for as long as this process lives."""
    tls = Tls(settings.ca, settings.certificate, settings.key)
    plane = open_plane(settings)
    plane.apply_begin()
    listener = socket.create_server(("", settings.port))

    def accept() -> None:
        while True:
            fd = listener.accept()[0].detach()
            connection = Connection.accept(
                tls, fd, "n1", timeout_ms=TIMEOUT_MS, io_timeout_ms=TIMEOUT_MS
            )
            threading.Thread(target=serve_lane, args=(plane, connection), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    until_told()
    os._exit(0)  # its threads are in C; the process is all there is to free


def connect(settings: NodeSettings, tls: Tls, count: int) -> list[Connection]:
    """Connect every lane of the session."""
    connections = []
    for index in range(count):
        connection = Connection.connect(
            tls,
            settings.peer_address,
            settings.port,
            "n2",
            timeout_ms=TIMEOUT_MS,
            io_timeout_ms=TIMEOUT_MS,
        )
        connections.append(connection)
        refusal = connection.offer(LIVE, index, SESSION, "bench", "n1")
        assert refusal == "", refusal
    return connections


def tune(mount: str, *, writeback: bool) -> None:
    """Set what mirror.daemon.plane.primary sets."""
    device = Path(mount).stat().st_dev
    folder = Path(f"/sys/class/bdi/{os.major(device)}:{os.minor(device)}")
    (folder / "read_ahead_kb").write_text("1024")
    if writeback:
        (folder / "strict_limit").write_text("0")
        (folder / "max_ratio").write_text("25")


def be_primary(settings: NodeSettings, *, alone: bool) -> None:
    """Mount; mirrored unless alone."""
    tls = Tls(settings.ca, settings.certificate, settings.key)
    plane = open_plane(settings)
    plane.capture_create(
        settings.workers, writeback=settings.writeback, sync_both=settings.sync_both
    )
    plane.capture_mount(0, settings.mount)
    tune(settings.mount, writeback=settings.writeback)
    ended = threading.Event()
    if alone:
        plane.go_alone()
    else:
        plane.session_begin(connect(settings, tls, plane.connections_needed()), first_epoch=1)
        plane.open_gate()

    def keep() -> None:
        while not ended.wait(CHECKPOINT_S):
            plane.checkpoint()

    keeper = threading.Thread(target=keep, daemon=True)
    if not alone:
        keeper.start()
    until_told()
    ended.set()
    if keeper.is_alive():
        keeper.join()
    plane.close_gate(TIMEOUT_MS)
    native.unmount(settings.mount, lazy=True)
    os._exit(0)


def until_told() -> None:
    """Say that all is ready, then wait for the end of the standard input."""
    print("ready", flush=True)
    sys.stdin.read()


def main() -> None:
    """Run one role."""
    role, path = sys.argv[1:]
    settings = NodeSettings(**json.loads(Path(path).read_text()))
    os.umask(0o022)
    if role == "secondary":
        be_secondary(settings)
    else:
        be_primary(settings, alone=role == "alone")


if __name__ == "__main__":
    main()

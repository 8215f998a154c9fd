"""When each module was last known to run, kept in small files by a thread of its own.

Not in a shared mapping of the file: storing into a page that is on its way to the disk waits for
the disk, and does so with the interpreter's lock in hand. Then no heartbeat goes out (measured:
0.6 s on an ext4 that was being written to, and the peer took over).
"""

import contextlib
import os
import threading

MOMENT_BYTES = 8
WRITTEN_EVERY_S = 0.05


class AliveWriter:
    """Writes the newest moment of each file, at most WRITTEN_EVERY_S late while the disk answers.

    A moment that is late makes the next control plane more careful, not less.
    """

    def __init__(self) -> None:
        self._moments: dict[int, int] = {}  # by descriptor; guarded by _lock
        self._lock = threading.Lock()
        self._writing = threading.Lock()  # held while the descriptors are used
        self._wanted = threading.Event()

    def start(self) -> None:
        """Begin; the thread ends with the process."""
        threading.Thread(target=self._run, name="alive", daemon=True).start()

    def note(self, descriptor: int, at_ms: int) -> None:
        """Keep a moment (boot clock) for this file. Never blocks."""
        with self._lock:
            self._moments[descriptor] = at_ms
        self._wanted.set()

    def close(self, descriptor: int) -> None:
        """Write its last moment and close it. Blocking."""
        with self._writing:
            with self._lock:
                at_ms = self._moments.pop(descriptor, None)
            if at_ms is not None:
                _write(descriptor, at_ms)
            os.close(descriptor)

    def _run(self) -> None:
        pause = threading.Event()
        while True:
            self._wanted.wait()
            self._wanted.clear()
            with self._writing:
                with self._lock:
                    due, self._moments = self._moments, {}
                for descriptor, at_ms in due.items():
                    _write(descriptor, at_ms)
            pause.wait(WRITTEN_EVERY_S)


def _write(descriptor: int, at_ms: int) -> None:
    """A disk that refuses costs a slower restart, no more."""
    with contextlib.suppress(OSError):
        os.pwrite(descriptor, at_ms.to_bytes(MOMENT_BYTES, "little"), 0)


def read_moment(descriptor: int) -> int:
    """Give the moment written last, 0 when there is none. Raises: OSError."""
    return int.from_bytes(os.pread(descriptor, MOMENT_BYTES, 0), "little")

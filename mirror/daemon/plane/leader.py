"""The thread that leads a session until the target is up to date."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

END_S_MAX = 60.0


class Leader:
    """See the module. One session after the other; no session begins before the last has ended."""

    def __init__(self) -> None:
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()
        self._end = threading.Lock()  # it is told to stop, or has come to its end

    def begin(self, lead: Callable[[], None]) -> None:
        """Lead, in a thread. Raises: TimeoutError when the one before has not ended."""
        self.await_end()
        self._stop.clear()
        self._thread = threading.Thread(target=lead, name="leader", daemon=True)
        self._thread.start()

    def is_alive(self) -> bool:
        """Whether it goes on."""
        return self._thread is not None and self._thread.is_alive()

    def should_stop(self) -> bool:
        """Whether it was told to."""
        return self._stop.is_set()

    def stop(self) -> None:
        """Have it end soon. Whoever says so shuts its connections down, too. Any thread."""
        with self._end:
            self._stop.set()

    @contextmanager
    def ending(self) -> Iterator[bool]:
        """In the thread, the last that it does. False: it was told to stop before."""
        with self._end:
            yield not self._stop.is_set()

    def await_end(self) -> None:
        """Wait. Raises: TimeoutError; it is waited for the next time, too.

        What it does late it would do to another session.
        """
        if self._thread is not None:
            self._thread.join(END_S_MAX)
            if self._thread.is_alive():
                raise TimeoutError("the reintegration does not end")
        self._thread = None

"""The certificates of the link as they stand on disk now: a session that begins takes new ones.

Connections keep what they began with. Key and certificate are replaced one after the other, so
between the two the old ones, which are in memory, go on. Any thread.
"""

import threading
from pathlib import Path

import structlog

from mirror.adapters.native import Tls
from mirror.daemon.plane.settings import PlaneSettings

log = structlog.get_logger()


class LinkTls:
    """Loads once, and again when the files changed. Raises: OSError when they cannot be used."""

    def __init__(self, settings: PlaneSettings) -> None:
        self._paths = (settings.ca, settings.certificate, settings.key)
        self._lock = threading.Lock()
        self._stamp = self._stamp_now()
        self._held = Tls(*self._paths)

    def now(self) -> Tls:
        """What a connection that begins now shows; never raises."""
        with self._lock:
            stamp = self._stamp_now()
            if stamp != self._stamp:
                try:
                    self._held, self._stamp = Tls(*self._paths), stamp
                except OSError as error:
                    log.warning("link takes up no certificate", error=str(error))
            return self._held

    def _stamp_now(self) -> tuple[int, ...]:
        return tuple(_changed_ns(Path(path)) for path in self._paths)


def _changed_ns(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0

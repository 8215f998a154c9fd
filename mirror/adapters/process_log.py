"""The trace of a process on stderr, one structured line an event.

stderr goes to the journal under systemd and to a file in the lab. The lines SafeKit's users look
for with `journalctl -t mirror` are said by journal.py: `AM | heart | Local state ALONE Ready`.
"""

import sys
import syslog
from contextlib import suppress
from typing import TextIO, cast

import structlog

SYSLOG_IDENT = "mirror"


class NeverFails:
    """A stream that loses lines rather than raise: its disk may be full, or gone.

    What is said is worth less than what it is about: an exception in a log line would end the
    handling of the very fault that it tells.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write, or not."""
        with suppress(OSError, ValueError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        """Flush, or not."""
        with suppress(OSError, ValueError):
            self._stream.flush()


def configure_trace(*, to_syslog: bool = True) -> None:
    """Set up the trace of this process, once, before anything is said.

    One JSON object a line on stderr, with the time; syslog's socket is connected when first used.
    """
    if to_syslog:
        syslog.openlog(SYSLOG_IDENT, syslog.LOG_PID, syslog.LOG_DAEMON)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(default=str),
        ],
        logger_factory=structlog.PrintLoggerFactory(cast("TextIO", NeverFails(sys.stderr))),
        cache_logger_on_first_use=False,
    )

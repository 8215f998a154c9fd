"""The trace of a process on stderr and in syslog, one structured line an event.

stderr goes to the journal under systemd and to a file in the lab. Syslog has the lines SafeKit's
users look for with `journalctl -t mirror`: `AM | heart | Local state ALONE Ready`.
"""

import sys
import syslog
from collections.abc import Mapping
from typing import TextIO

import structlog

SYSLOG_IDENT = "mirror"

# SafeKit's levels of the module log, as syslog's: Critical Event User Script Info Warning Debug.
_SYSLOG_LEVELS: Mapping[str, int] = {
    "C": syslog.LOG_CRIT,
    "E": syslog.LOG_NOTICE,
    "U": syslog.LOG_NOTICE,
    "S": syslog.LOG_INFO,
    "I": syslog.LOG_INFO,
    "W": syslog.LOG_WARNING,
    "D": syslog.LOG_DEBUG,
}


def configure_trace(stream: TextIO | None = None, *, to_syslog: bool = True) -> None:
    """Set up the trace of this process, once, before anything is said. stream: stderr if None.

    One JSON object a line, with the time; syslog's socket is connected when first used.
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
        logger_factory=structlog.PrintLoggerFactory(stream or sys.stderr),
        cache_logger_on_first_use=False,
    )


def say_in_syslog(module: str, level: str, source: str, text: str) -> None:
    """One line in syslog; nothing happens where there is none. Blocks while the reader is full."""
    priority = _SYSLOG_LEVELS.get(level, syslog.LOG_INFO)
    # A line break would let a text of the application look like a line of ours.
    syslog.syslog(priority, f"{module} | {source} | {' '.join(text.split())}")

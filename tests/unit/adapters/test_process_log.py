"""The trace of a process, on a disk that takes nothing."""

import subprocess
import sys
from pathlib import Path

SAY = """
import structlog
from mirror.adapters.process_log import configure_trace
configure_trace(to_syslog=False)
for _ in range(1000):
    structlog.get_logger().warning("disk full", error="x" * 100)
print("goes on")
"""


def test_a_full_disk_loses_lines_and_stops_nothing() -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-c", SAY], check=False, stdout=subprocess.PIPE, stderr=full
        )
    assert done.stdout == b"goes on\n"

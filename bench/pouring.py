"""What disks and link allow together: a file poured through the link, and written.

Both nodes are on the processors of one machine here, so what a copy needs for encryption it does
not have for the disk.
"""

import json
import subprocess
from pathlib import Path

from bench.hosts import ADDRESSES, Hosts, run
from bench.row import Figures

PORT = "7400"
STREAMS = 2  # the fastest of 1, 2 and 6


def poured(
    hosts: Hosts, file: Path, to: Path, block_bytes: int, *, step: int = 1, streams: int = STREAMS
) -> Figures:
    """Copy every step-th block of a file of n1 to n2. Returns: seconds until that was synced."""
    where = (hosts.keys, ADDRESSES["n2"], PORT, str(streams))
    take = hosts.inside("n2", hosts.pour, "take", *where, to)
    with subprocess.Popen(take, stdout=subprocess.PIPE, text=True) as taker:
        assert taker.stdout is not None
        if taker.stdout.readline() != "ready\n":
            raise RuntimeError("bench: pour does not listen")
        give = hosts.inside("n1", hosts.pour, "give", *where, file, str(block_bytes), str(step))
        figures: Figures = json.loads(run(*give))
    return figures

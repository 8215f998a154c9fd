"""The durable record, and the host as a whole."""

import asyncio
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from mirror.adapters.records import write_record

RECORD_S = 5.0  # a disk that hangs is a disk that failed
OUT_EXTRA_S = 0.5


class RecordsPort:
    """Implements ports.Records.

    timeout_s: of the heartbeats. A node that gives a session up on a disk that hangs says so by
    its word, while the primary still waits: it waits for two timeouts and two seconds at most.
    """

    def __init__(self, path: Path, timeout_s: float) -> None:
        self._path = path
        self._out_s = min(RECORD_S, timeout_s + OUT_EXTRA_S)
        # One thread: a write that a disk held back for long never comes after a newer one.
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="record")

    async def write(self, record: Mapping[str, Any]) -> None:
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(self._out_s if record.get("out_of") else RECORD_S):
            await loop.run_in_executor(self._writer, write_record, self._path, dict(record))


class RebootPort:
    """Implements ports.Host."""

    async def reboot(self) -> None:
        process = await asyncio.create_subprocess_exec("systemctl", "reboot")
        await process.wait()

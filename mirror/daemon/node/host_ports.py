"""The durable record, and the host as a whole."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mirror.adapters.records import write_record

RECORD_S = 5.0  # a disk that hangs is a disk that failed


class RecordsPort:
    """Implements ports.Records."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def write(self, record: Mapping[str, Any]) -> None:
        async with asyncio.timeout(RECORD_S):
            await asyncio.to_thread(write_record, self._path, dict(record))


class RebootPort:
    """Implements ports.Host."""

    async def reboot(self) -> None:
        process = await asyncio.create_subprocess_exec("systemctl", "reboot")
        await process.wait()

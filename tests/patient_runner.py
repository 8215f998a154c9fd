"""Scripts whose time begins when they are ready: how long it takes to start is the machine's."""

import asyncio
import os
from pathlib import Path

from mirror.adapters.scripts import ScriptRunner
from mirror.config.layout import Layout


class PatientRunner(ScriptRunner):
    """Counts the time of its first script that has one from the line that it writes to `ready`."""

    def __init__(self, ready: Path, layout: Layout, module: str, *, cgroup2: Path | None) -> None:
        os.mkfifo(ready)
        self._ready: Path | None = ready
        super().__init__(layout, module, cgroup2=cgroup2)

    async def _wait(self, process: asyncio.subprocess.Process, timeout_s: float | None) -> bool:
        if self._ready is not None:
            ready, self._ready = self._ready, None
            await asyncio.to_thread(ready.read_text)
        return await super()._wait(process, timeout_s)

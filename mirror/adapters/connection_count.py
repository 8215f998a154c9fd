"""How many clients are connected to a virtual address, counted now and then while it is held."""

import asyncio
import contextlib
from collections.abc import Callable

from mirror.adapters.sock_destroy import count_connections

EVERY_S = 10.0


class ConnectionCount:
    """Counts for one address. Used by one event loop. on_count(text): `unknown` when it cannot."""

    def __init__(self, address: str, on_count: Callable[[str], None]) -> None:
        self._address = address
        self._on_count = on_count
        self._task: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """Count at once, then every EVERY_S; idempotent."""
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name=f"connections {self._address}")

    async def end(self) -> None:
        """Stop counting: nobody is connected to an address that is not here."""
        if self._task is None:
            return
        task, self._task = self._task, None
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        self._on_count("0")

    async def _run(self) -> None:
        while True:
            try:
                count = str(await asyncio.to_thread(count_connections, self._address))
            except OSError:
                count = "unknown"
            self._on_count(count)
            await asyncio.sleep(EVERY_S)

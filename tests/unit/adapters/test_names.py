"""Names that nobody answers for take no thread of those that run scripts and addresses."""

import asyncio
import os
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from mirror.adapters.names import THREADS_MAX, keep_apart

PATIENCE_S = 60.0


def test_a_library_that_asks_for_names_holds_up_no_other_thread(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ends = threading.Event()

    def hangs(*_: Any, **__: Any) -> Any:
        assert ends.wait(PATIENCE_S)
        raise socket.gaierror(socket.EAI_AGAIN, os.strerror(0))

    async def ask() -> None:
        async with httpx.AsyncClient(trust_env=False) as client:
            with pytest.raises(httpx.ConnectError):
                await client.get("http://witness.example:2379/", timeout=None)

    async def story() -> None:
        loop = asyncio.get_running_loop()
        keep_apart(loop)
        with ThreadPoolExecutor(1) as others:
            loop.set_default_executor(others)
            asks = [asyncio.create_task(ask()) for _ in range(THREADS_MAX + 1)]
            try:
                for _ in range(10):
                    await asyncio.sleep(0)
                async with asyncio.timeout(PATIENCE_S / 10):
                    await asyncio.to_thread(lambda: None)
            finally:
                ends.set()
                await asyncio.gather(*asks)

    monkeypatch.setattr(socket, "getaddrinfo", hangs)
    asyncio.run(story())

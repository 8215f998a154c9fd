"""The ping witness, as SafeKit has it: who reaches none of the given hosts is the isolated one.

It cannot tell two nodes apart that both reach a host: then both may go on (design 9).
"""

import asyncio
import contextlib
from collections.abc import Sequence

from mirror.adapters.icmp import answers
from mirror.adapters.names import numeric


class PingWitness:
    """Hosts that are asked only when every heartbeat is lost. One answer is enough."""

    def __init__(self, hosts: Sequence[str]) -> None:
        """hosts: addresses or names."""
        assert hosts
        self._hosts = tuple(hosts)

    async def reachable(self, timeout_s: float) -> bool:
        """Whether any host answers within timeout_s; one that cannot be asked does not."""
        asked = [asyncio.create_task(_answers(host, timeout_s)) for host in self._hosts]
        try:
            for done in asyncio.as_completed(asked):
                if await done:
                    return True
        finally:
            for task in asked:
                task.cancel()
            await asyncio.gather(*asked, return_exceptions=True)
        return False


async def _answers(host: str, timeout_s: float) -> bool:
    with contextlib.suppress(OSError, TimeoutError):
        async with asyncio.timeout(timeout_s):
            return await answers(await numeric(host, timeout_s), timeout_s)
    return False

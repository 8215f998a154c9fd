"""The virtual addresses of one module: taken together or not at all.

The peer's own claim is no conflict: that it may not serve any more was decided before, and a host
whose processes stand still answers from its kernel for ever.
"""

import asyncio
import contextlib

from mirror.adapters import clock
from mirror.adapters.addresses import AddressKeeper
from mirror.adapters.connection_count import ConnectionCount
from mirror.adapters.netlink_facts import neighbour_macs
from mirror.errors import AddressInUse, HostProbeFailed

# Another host may be giving the address back at this moment; longer, and it really holds it.
PATIENCE_MS = 3_000
AGAIN_S = 0.1


class AddressesPort:
    """Implements ports.Addresses over one keeper an address. Used by one event loop.

    peer_addresses: the peer's, on all networks. counts: of clients, while the addresses are here.
    """

    def __init__(
        self,
        keepers: tuple[AddressKeeper, ...],
        peer_addresses: tuple[str, ...],
        counts: tuple[ConnectionCount, ...],
    ) -> None:
        self._keepers = keepers
        self._peer_addresses = peer_addresses
        self._counts = counts

    async def take(self, *, agreed: bool = False) -> None:
        if not self._keepers:
            return
        expected: frozenset[str] = frozenset()
        if not agreed:  # nobody is asked, then
            with contextlib.suppress(HostProbeFailed):
                expected = await asyncio.to_thread(neighbour_macs, self._peer_addresses)
        try:
            for keeper in self._keepers:
                await _take(keeper, expected, agreed=agreed)
        except BaseException:
            await self.release()
            raise
        for count in self._counts:
            count.begin()

    async def stop_counting(self) -> None:
        """Count no more; the addresses stay."""
        for count in self._counts:
            await count.end()

    async def release(self) -> None:
        await self.stop_counting()
        failure: Exception | None = None
        for keeper in self._keepers:
            try:
                await keeper.release()
            except Exception as error:  # noqa: BLE001 - the others are given back all the same
                failure = error
        if failure is not None:
            raise failure


async def _take(keeper: AddressKeeper, expected: frozenset[str], *, agreed: bool) -> None:
    deadline_ms = clock.boottime_ms() + PATIENCE_MS
    while True:
        try:
            await keeper.take(expected=expected, agreed=agreed)
        except AddressInUse:
            if clock.boottime_ms() > deadline_ms:
                raise
            await asyncio.sleep(AGAIN_S)
        else:
            return

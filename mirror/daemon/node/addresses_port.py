"""The virtual addresses of one module: taken together or not at all."""

import asyncio

from mirror.adapters import clock
from mirror.adapters.addresses import AddressKeeper
from mirror.errors import AddressInUse

# The other host may be giving the address back at this moment; longer, and it really holds it.
PATIENCE_MS = 3_000
AGAIN_S = 0.1


class AddressesPort:
    """Implements ports.Addresses over one keeper an address. Used by one event loop."""

    def __init__(self, keepers: tuple[AddressKeeper, ...]) -> None:
        self._keepers = keepers

    async def take(self) -> None:
        try:
            for keeper in self._keepers:
                await _take(keeper)
        except BaseException:
            await self.release()
            raise

    async def release(self) -> None:
        failure: Exception | None = None
        for keeper in self._keepers:
            try:
                await keeper.release()
            except Exception as error:  # noqa: BLE001 - the others are given back all the same
                failure = error
        if failure is not None:
            raise failure


async def _take(keeper: AddressKeeper) -> None:
    deadline_ms = clock.boottime_ms() + PATIENCE_MS
    while True:
        try:
            await keeper.take()
        except AddressInUse:
            if clock.boottime_ms() > deadline_ms:
                raise
            await asyncio.sleep(AGAIN_S)
        else:
            return

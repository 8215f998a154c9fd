"""One subscription to the kernel's network events for all who want them in one module."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

from mirror.adapters.netlink_facts import HostNetwork, NetworkWatch

OnChange = Callable[[HostNetwork], None]


class NetworkFeed:
    """Followers are told of the network as it is, at once and after each change.

    Used by one event loop. Nothing is asked of the kernel while nobody follows.
    """

    def __init__(self) -> None:
        self._followers: set[OnChange] = set()
        self._watch: NetworkWatch | None = None
        self._latest: HostNetwork | None = None
        self._beginning = asyncio.Lock()

    @contextlib.asynccontextmanager
    async def follow(self, on_change: OnChange) -> AsyncIterator[None]:
        """Call on_change(network) until the end of the block.

        Raises: HostProbeFailed (MIR-201).
        """
        self._followers.add(on_change)
        try:
            async with self._beginning:
                if self._watch is None:
                    watch = NetworkWatch(self._changed)
                    await watch.__aenter__()
                    self._watch = watch
                elif self._latest is not None:
                    on_change(self._latest)
            yield
        finally:
            self._followers.discard(on_change)
            if not self._followers and self._watch is not None:
                watch, self._watch, self._latest = self._watch, None, None
                await watch.__aexit__(None, None, None)

    def _changed(self, network: HostNetwork) -> None:
        self._latest = network
        for follower in tuple(self._followers):
            follower(network)

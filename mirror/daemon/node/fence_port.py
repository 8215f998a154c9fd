"""The fence of one module: asked by the core before it takes over from a silent peer."""

from mirror.adapters.fencing import Fencer
from mirror.adapters.module_log import ModuleLog
from mirror.errors import MirrorError
from mirror.vocabulary.said import said_of


class FencePort:
    """Implements ports.Fence. Used by one event loop."""

    def __init__(self, fencer: Fencer, log: ModuleLog) -> None:
        self._fencer = fencer
        self._log = log

    async def fence(self, peer: str) -> tuple[bool, str]:
        """Switch the peer off; (it is off, sentence). Never raises: everything but off is no."""
        self._log.append("E", "fence", f"Fencing {peer} by {self._fencer.name}")
        try:
            return True, await self._fencer.fence(peer)
        except (MirrorError, OSError) as error:
            return False, said_of(error)

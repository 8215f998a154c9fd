"""The ping witness, as SafeKit has it: who reaches none of the given hosts is the isolated one.

It cannot tell two nodes apart that both reach a host: then both may go on (design 9).
"""

from collections.abc import Sequence

from mirror.adapters.icmp import any_answers


class PingWitness:
    """Hosts that are asked only when every heartbeat is lost. One answer is enough."""

    def __init__(self, addresses: Sequence[str]) -> None:
        assert addresses
        self._addresses = tuple(addresses)

    async def reachable(self, timeout_s: float) -> bool:
        """Whether any host answers within timeout_s."""
        return await any_answers(self._addresses, timeout_s)

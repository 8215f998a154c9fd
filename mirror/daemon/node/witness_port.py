"""The witness of one module: etcd's compare-and-swap, or SafeKit's ping."""

from mirror.adapters.witness import EtcdWitness, PingWitness, WitnessValue
from mirror.core.witness_rule import may_replace
from mirror.errors import MirrorError, WitnessNotReachable

WITNESS_S = 3.0


class EtcdPort:
    """Implements ports.Witness. The witness that knows who is newer (invariant 6)."""

    def __init__(self, witness: EtcdWitness, node: str) -> None:
        self._witness = witness
        self._node = node

    async def ask(
        self,
        generation: str,
        may_serve: frozenset[str],
        then: tuple[str, frozenset[str]],
        *,
        forced: bool,
    ) -> tuple[bool | None, str]:
        try:
            state = await self._witness.read(WITNESS_S)
            held = None
            if state.value is not None:
                held = (state.value.generation, frozenset(state.value.may_serve))
            if not forced and not may_replace(held, (generation, may_serve), self._node):
                nodes = " ".join(sorted(held[1])) if held else "nobody"
                return False, f"the witness says that {nodes} may serve"
            wanted = WitnessValue(then[0], tuple(sorted(then[1])))
            if await self._witness.compare_and_swap(state.revision, wanted, WITNESS_S):
                return True, ""
        except WitnessNotReachable as error:
            return None, str(error)  # it may hold what was asked, or not
        except MirrorError as error:
            return False, str(error)
        return False, "the witness was changed by the other node meanwhile"

    async def close(self) -> None:
        """Close the connections."""
        await self._witness.close()


class PingPort:
    """Implements ports.Witness. Whoever reaches a host may go on, as SafeKit has it."""

    def __init__(self, witness: PingWitness) -> None:
        self._witness = witness

    async def ask(
        self,
        generation: str,
        may_serve: frozenset[str],
        then: tuple[str, frozenset[str]],
        *,
        forced: bool,
    ) -> tuple[bool | None, str]:
        del generation, may_serve, then
        if forced or await self._witness.reachable(WITNESS_S):
            return True, ""
        return False, "no witness answers the ping"

    async def close(self) -> None:
        """Do nothing."""

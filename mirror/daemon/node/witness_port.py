"""The witness of one module: etcd's compare-and-swap, or SafeKit's ping."""

import hashlib
from collections.abc import Callable, Collection

from mirror.adapters.pki_files import PkiFiles, read_file
from mirror.adapters.witness import EtcdSettings, EtcdWitness, PingWitness, WitnessValue
from mirror.adapters.witness.credentials import read_credentials
from mirror.config.layout import Layout
from mirror.core.witness_rule import may_replace
from mirror.daemon.node.settings_builder import ModuleSettings
from mirror.errors import MirrorError, WitnessNotReachable
from mirror.vocabulary.said import said_of, say

WITNESS_S = 3.0
CLUSTER_NAME_CHARS = 16

OnResource = Callable[[str, str], None]


def make_witness(
    layout: Layout, settings: ModuleSettings, on_resource: OnResource
) -> "EtcdPort | PingPort | None":
    """Build the witness of a module, or none.

    on_resource(name, value): what it answered: `splitbrain.IDENT` whether it could be asked,
    `splitbrain.uptodate` whether this node may serve. Raises: PkiRefused (MIR-320).
    """
    split = settings.config.splitbrain
    if split is None:
        return None
    seen = Seen(split.ident, on_resource)
    if split.exec == "ping":
        return PingPort(PingWitness(split.witnesses), seen)
    # Both nodes have the same authority, and no other cluster has it.
    authority = read_file(PkiFiles(layout.pki).ca_certificate)
    shown = read_credentials(layout.cluster / "witness")
    etcd = EtcdSettings(
        endpoints=split.witnesses,
        cluster=hashlib.sha256(authority).hexdigest()[:CLUSTER_NAME_CHARS],
        module=settings.name,
        tls=shown.tls,
        user=shown.user,
        password=shown.password,
    )
    return EtcdPort(EtcdWitness(etcd), settings.core.node, seen)


class Seen:
    """What the witness answered last, as resources."""

    def __init__(self, ident: str, on_resource: OnResource) -> None:
        self._ident = ident
        self._on_resource = on_resource

    def answered(self, granted: bool | None) -> None:  # noqa: FBT001 - as ports.Witness has it
        """Tell; None is no answer."""
        self._on_resource(f"splitbrain.{self._ident}", "down" if granted is None else "up")
        if granted is not None:
            self._on_resource("splitbrain.uptodate", "up" if granted else "down")


class EtcdPort:
    """Implements ports.Witness. The witness that knows who is newer (invariant 6)."""

    def __init__(self, witness: EtcdWitness, node: str, seen: Seen) -> None:
        self._witness = witness
        self._node = node
        self._seen = seen

    async def ask(
        self,
        generation: str,
        may_serve: frozenset[str],
        history: Collection[str],
        then: tuple[str, frozenset[str]],
        *,
        forced: bool,
    ) -> tuple[bool | None, str]:
        answer = await self._ask((generation, may_serve), history, then, forced=forced)
        self._seen.answered(answer[0])
        return answer

    async def _ask(
        self,
        mine: tuple[str, frozenset[str]],
        history: Collection[str],
        then: tuple[str, frozenset[str]],
        *,
        forced: bool,
    ) -> tuple[bool | None, str]:
        try:
            state = await self._witness.read(WITNESS_S)
            held = None
            if state.value is not None:
                held = (state.value.generation, frozenset(state.value.may_serve))
            if not forced and not may_replace(held, mine, history, self._node):
                if held is None:
                    return False, say("witness.nobody")
                return False, say("witness.held", nodes=" ".join(sorted(held[1])))
            wanted = WitnessValue(then[0], tuple(sorted(then[1])))
            if await self._witness.compare_and_swap(state.revision, wanted, WITNESS_S):
                return True, ""
        except WitnessNotReachable as error:
            return None, said_of(error)  # it may hold what was asked, or not
        except MirrorError as error:
            return False, said_of(error)
        return False, say("witness.changed")

    async def close(self) -> None:
        """Close the connections."""
        await self._witness.close()


class PingPort:
    """Implements ports.Witness. Whoever reaches a host may go on, as SafeKit has it."""

    def __init__(self, witness: PingWitness, seen: Seen) -> None:
        self._witness = witness
        self._seen = seen

    async def ask(
        self,
        generation: str,
        may_serve: frozenset[str],
        history: Collection[str],
        then: tuple[str, frozenset[str]],
        *,
        forced: bool,
    ) -> tuple[bool | None, str]:
        del generation, may_serve, history, then
        if forced:
            return True, ""
        reached = await self._witness.reachable(WITNESS_S)
        self._seen.answered(True if reached else None)
        return reached, "" if reached else say("witness.ping")

    async def close(self) -> None:
        """Do nothing."""

"""What the configuration says to the core: one frozen value, made by the daemon."""

from dataclasses import dataclass, field, replace

from mirror.core.rules import RuleSettings, WatchedResource
from mirror.vocabulary.facts import WitnessKind

FREEZE_LIMIT_EXTRA_MS = 2_000
OFFER_PATIENCE_MS = 15_000  # a target that accepted records and settles first
OFFER_BACKOFF_MS = 1_000
OFFER_BACKOFF_MS_MAX = 30_000
RETRY_MS = 3_000  # between two tries of a stop that failed


@dataclass(frozen=True, slots=True)
class Settings:
    """One module on one node.

    timeout_ms: silence on all networks after which the peer counts as lost.
    peer_addresses: addresses of the peer's data link, best first; data_port: its TCP port.
    maxloop 0 or loop_interval_ms 0: no limit on automatic restarts.
    light: one node alone, without heartbeats and replication; peer is "" then.
    ask: policy="ask": after a split brain nobody serves before an administrator chooses.
    syncdelta_ms: a copy that was in step less long ago may serve, unheard; 0: never.
    syncat: synchronised by a schedule; between two times the secondary waits.
    watch: capture="watch": the copy follows some moments behind.
    fence: a takeover from a silent primary waits until the fencing agent has said yes.
    fence_delay_ms: only who is not PRIM waits so long before: of two that hear nothing from
    each other the one that serves is the first to shoot. fence_timeout_ms: of the agent.
    """

    node: str
    peer: str
    timeout_ms: int
    peer_addresses: tuple[str, ...] = ()
    data_port: int = 0
    failover: bool = True
    defaultprim: str = "alone"
    witness: WitnessKind = WitnessKind.NONE
    maxloop: int = 3
    loop_interval_ms: int = 86_400_000
    automatic_reboot: bool = False
    light: bool = False
    rules: RuleSettings = field(default_factory=RuleSettings)
    checkers: tuple[WatchedResource, ...] = ()
    fence: bool = False
    fence_delay_ms: int = 0
    fence_timeout_ms: int = 0
    ask: bool = False
    syncdelta_ms: int = 0
    syncat: bool = False
    watch: bool = False

    def seen_from_peer(self) -> "Settings":
        """Give the other node's settings: both have the same configuration."""
        return replace(self, node=self.peer, peer=self.node)

    @property
    def freeze_limit_ms(self) -> int:
        """A freeze never lasts longer: two timeouts, what recording takes, what fencing takes."""
        fencing_ms = self.fence_timeout_ms if self.fence else 0
        return 2 * self.timeout_ms + FREEZE_LIMIT_EXTRA_MS + fencing_ms

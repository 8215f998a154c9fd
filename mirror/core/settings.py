"""What the configuration says to the core: one frozen value, made by the daemon."""

from dataclasses import dataclass

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

    @property
    def freeze_limit_ms(self) -> int:
        """A freeze never lasts longer: two timeouts, and what recording takes."""
        return 2 * self.timeout_ms + FREEZE_LIMIT_EXTRA_MS

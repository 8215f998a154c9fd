"""Which packets of the peer are believed: the rule against replay. Pure; one thread uses it.

A packet of the believed incarnation counts when its number is higher than any before it on its
network. Another incarnation (the peer restarted) is believed only when it echoes our current
challenge, which nobody could know before we sent it; the challenge is then drawn anew. So a
packet recorded from a past incarnation is worth nothing, and one recorded from this incarnation
is worth nothing once it, or a later one, was heard.
"""

import secrets
from dataclasses import dataclass, field
from enum import Enum, auto

from mirror.adapters.heartbeats.packet import NONCE_BYTES, Packet, PacketRefused, Refusal


class Verdict(Enum):
    """What to do with an authenticated packet."""

    HEARD = auto()  # from the believed incarnation
    BELIEVED_NOW = auto()  # the first of a new incarnation: answer at once on every network
    CHALLENGE = auto()  # may be a new incarnation: answer it once, with its own challenge echoed


@dataclass(slots=True)
class Belief:
    """What this node believes of its peer. node, peer: names of both ends."""

    node: str
    peer: str
    incarnation: bytes | None = None
    nonce: bytes = field(default_factory=lambda: secrets.token_bytes(NONCE_BYTES), repr=False)
    peer_nonce: bytes = field(default=b"", repr=False)
    seq_of_lan: dict[str, int] = field(default_factory=dict)
    body_seq: int = 0

    def judge(self, packet: Packet, lan: str) -> Verdict:
        """Judge a packet that came in on the network `lan`; believing it is remembered.

        Raises: PacketRefused.
        """
        if packet.node != self.peer or packet.lan != lan:
            raise PacketRefused(Refusal.FOREIGN)
        if packet.incarnation == self.incarnation:
            if packet.seq <= self.seq_of_lan.get(lan, 0):
                raise PacketRefused(Refusal.REPLAYED)
            self._remember(packet, lan)
            return Verdict.HEARD
        if not secrets.compare_digest(packet.echo, self.nonce):
            return Verdict.CHALLENGE
        self.incarnation = packet.incarnation
        self.nonce = secrets.token_bytes(NONCE_BYTES)
        self.seq_of_lan.clear()
        self.body_seq = 0
        self._remember(packet, lan)
        return Verdict.BELIEVED_NOW

    def _remember(self, packet: Packet, lan: str) -> None:
        self.seq_of_lan[lan] = packet.seq
        self.peer_nonce = packet.nonce

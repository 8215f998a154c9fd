"""Which packets of the peer are believed: the rule against replay. Pure; one thread uses it.

A packet of the believed incarnation counts once: when its number was not heard before on its
network, and is not older than the newest by WINDOW or more: one pulse may take several datagrams,
which a network may deliver in any order. Another incarnation (the peer restarted) is believed only
when it echoes our current challenge, which nobody could know before we sent it; the challenge is
then drawn anew. So a packet recorded from a past incarnation is worth nothing, and one recorded
from this incarnation is worth nothing once it was heard.
"""

import secrets
from dataclasses import dataclass, field
from enum import Enum, auto

from mirror.adapters.heartbeats.packet import NONCE_BYTES, Packet, PacketRefused, Refusal

WINDOW = 64  # packets of a network
_ALL = (1 << WINDOW) - 1


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
    _heard: dict[str, tuple[int, int]] = field(default_factory=dict)  # newest, bits of before

    def judge(self, packet: Packet, lan: str) -> Verdict:
        """Judge a packet that came in on the network `lan`; believing it is remembered.

        Raises: PacketRefused.
        """
        if packet.node != self.peer or packet.lan != lan:
            raise PacketRefused(Refusal.FOREIGN)
        if packet.incarnation == self.incarnation:
            self._remember(packet, lan)
            return Verdict.HEARD
        if not secrets.compare_digest(packet.echo, self.nonce):
            return Verdict.CHALLENGE
        self.incarnation = packet.incarnation
        self.nonce = secrets.token_bytes(NONCE_BYTES)
        self._heard.clear()
        self._remember(packet, lan)
        return Verdict.BELIEVED_NOW

    def _remember(self, packet: Packet, lan: str) -> None:
        # What came before the first one that is believed counts as heard.
        newest, bits = self._heard.get(lan, (packet.seq - 1, _ALL))
        behind = newest - packet.seq
        if behind >= WINDOW or (behind >= 0 and bits >> behind & 1):
            raise PacketRefused(Refusal.REPLAYED)
        if behind < 0:
            newest, bits, behind = packet.seq, bits << min(-behind, WINDOW), 0
        self._heard[lan] = newest, (bits | 1 << behind) & _ALL
        self.peer_nonce = packet.nonce

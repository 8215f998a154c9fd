"""What the heartbeat thread knows between two turns: beliefs, counters, what is due. No socket.

One engine speaks with one peer at one port for all modules that do. Times are given in
microseconds of the boot clock. The thread uses it, and others do under the thread's lock.
"""

import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from mirror.adapters.heartbeats.belief import Belief, Verdict
from mirror.adapters.heartbeats.conversation import Conversation
from mirror.adapters.heartbeats.packet import (
    INCARNATION_BYTES,
    Packet,
    PacketRefused,
    Refusal,
    Section,
    bundle,
    decode,
    derive_key,
    encode,
    header_bytes_max,
)
from mirror.adapters.heartbeats.settings import HeartbeatSettings, Path
from mirror.adapters.heartbeats.statistics import LanRecord, LanStatistics

_ANSWER_GAP_US = 20_000  # at most one answer to a challenge a network in this time


@dataclass(frozen=True, slots=True)
class Stalled:
    """For a module: this host stood still, or the process did."""

    module: str
    stalled_ms: int


@dataclass(slots=True)
class Incoming:
    """What one datagram meant. answers: to be sent back now. first_refusal: log it.

    told: (module, network), where a word is new, or heard after a silence.
    """

    told: list[tuple[str, str]] = field(default_factory=list)
    stalled: list[Stalled] = field(default_factory=list)
    answers: list[bytes] = field(default_factory=list)
    first_refusal: Refusal | None = None


@dataclass(slots=True)
class _Lan:
    record: LanRecord = field(default_factory=LanRecord)
    seq: int = 0
    answered_us: int = -_ANSWER_GAP_US


class HeartbeatEngine:
    """Heartbeats of the modules of one group (settings.group) between sockets and control loop."""

    def __init__(self, settings: HeartbeatSettings, now_us: int) -> None:
        self.incarnation = secrets.token_bytes(INCARNATION_BYTES)
        self._node = settings.node
        self._key = derive_key(settings.cluster_key, settings.port)
        self._belief = Belief(settings.node, settings.peer)
        self._lans: dict[str, _Lan] = {}
        self._modules: dict[str, Conversation] = {}
        self._body_count = 0
        self._turned_us = now_us
        self._loop_turned_us = now_us

    # --- modules ---

    def join(self, settings: HeartbeatSettings, now_us: int) -> None:
        """Speak for one module more, from now on."""
        assert settings.module not in self._modules
        self._modules[settings.module] = Conversation(settings, self._next_body(), now_us)
        for lan in settings.lans:
            self._lans.setdefault(lan.name, _Lan())

    def leave(self, module: str) -> None:
        """Say nothing of it any more."""
        del self._modules[module]

    @property
    def modules(self) -> Mapping[str, Conversation]:
        """Those it speaks for."""
        return self._modules

    def set_body(self, module: str, body: dict[str, Any], now_us: int, *, urgent: bool) -> None:
        """Say this of a module from now on. Raises: ValueError when it does not fit a packet."""
        self._modules[module].say(body, self._next_body(), now_us, urgent=urgent)

    def statistics(self, module: str, now_us: int) -> dict[str, LanStatistics]:
        """A copy of the counters, by network."""
        return {
            name: self._lans[name].record.copy(hearing, now_us)
            for name, hearing in self._modules[module].lans.items()
        }

    def _next_body(self) -> int:
        self._body_count += 1
        return self._body_count

    # --- turns ---

    def loop_turned(self, now_us: int) -> None:
        """The control loop has turned."""
        self._loop_turned_us = now_us

    def turn(self, now_us: int) -> list[Stalled]:
        """Begin a turn: find out whether this thread was not running."""
        gap_us, self._turned_us = now_us - self._turned_us, now_us
        return self._stalled(gap_us, self._modules.values(), now_us)

    def wait_us(self, now_us: int) -> int:
        """How long nothing is due."""
        return max(0, min(one.due_us() for one in self._modules.values()) - now_us)

    def due(self, now_us: int) -> list[tuple[Path, bytes]]:
        """Packets to send now: (network, datagram)."""
        sections: dict[Path, list[Section]] = {}
        for one in self._modules.values():
            for path in one.take_due(now_us):
                sections.setdefault(path, []).append(one.section)
        echo = self._belief.peer_nonce
        return [
            (path, datagram)
            for path, found in sections.items()
            for datagram in self._packets(path, found, echo, now_us)
        ]

    def note_sent(self, path: Path, *, accepted: bool) -> None:
        """Count a packet that was given to the kernel."""
        record = self._lans[path[0]].record
        record.sent_count += accepted
        record.send_failed_count += not accepted

    def take(self, path: Path, datagram: bytes, arrived_us: int, now_us: int) -> Incoming:
        """A datagram that came in on a network, and is read now."""
        state = self._lans[path[0]]
        try:
            packet = decode(datagram, self._key)
            verdict = self._belief.judge(packet, path[0])
            if verdict is not Verdict.CHALLENGE:
                return self._believe(path, packet, verdict, arrived_us, now_us)
        except PacketRefused as refused:
            state.record.refused[refused.refusal.value] += 1
            first = state.record.refused[refused.refusal.value] == 1
            return Incoming(first_refusal=refused.refusal if first else None)
        if now_us - state.answered_us < _ANSWER_GAP_US:
            return Incoming()
        state.answered_us = now_us
        return Incoming(answers=self._answers(path, packet, now_us))

    def silent(self, now_us: int) -> list[tuple[str, str]]:
        """(module, network): where the peer has just become silent; each is named once."""
        return [(name, lan) for name, one in self._modules.items() for lan in one.silent(now_us)]

    def _believe(
        self, path: Path, packet: Packet, verdict: Verdict, arrived_us: int, now_us: int
    ) -> Incoming:
        incoming = Incoming()
        if verdict is Verdict.BELIEVED_NOW:
            for one in self._modules.values():
                one.peer_restarted()
            for lan in self._lans.values():
                lan.record.last_seq = 0  # numbers of another incarnation: nothing was lost
        record = self._lans[path[0]].record
        record.note_heard(packet.seq, packet.sent_us, arrived_us)
        record.note_read(now_us - arrived_us)
        record.peer_heard_ms, record.peer_loop_ms = packet.heard_age_ms, packet.loop_age_ms
        knows_us = packet.believed == self.incarnation
        for section in packet.sections:
            if section.module not in self._modules:
                continue  # this node has not loaded it
            one = self._modules[section.module]
            if path[0] not in one.lans:
                continue
            lost_us = one.lost_us(packet.sent_us, arrived_us)
            incoming.stalled += self._stalled(lost_us, (one,), now_us)
            if one.hear(section, path[0], arrived_us):
                incoming.told.append((section.module, path[0]))
            one.peer_holds(section.held_seq if knows_us else 0, now_us)
        if verdict is Verdict.BELIEVED_NOW:
            incoming.answers = self._answers(path, packet, now_us)
        return incoming

    def _stalled(
        self, lost_us: int, modules: Iterable[Conversation], now_us: int
    ) -> list[Stalled]:
        if not lost_us:
            return []
        return [
            Stalled(one.settings.module, lost_us // 1000)
            for one in modules
            if one.stalled(lost_us, now_us)
        ]

    # --- packets ---

    def _answers(self, path: Path, packet: Packet, now_us: int) -> list[bytes]:
        """Say everything to whom it concerns, with its own challenge."""
        found = [
            one.section
            for one in self._modules.values()
            if not one.is_held(now_us) and any(lan.lan.path == path for lan in one.lans.values())
        ]
        return self._packets(path, found, packet.nonce, now_us)

    def _packets(
        self, path: Path, sections: Iterable[Section], echo: bytes, now_us: int
    ) -> list[bytes]:
        head_bytes = header_bytes_max(self._node, path[0])
        return [
            encode(self._packet(path[0], echo, found, now_us), self._key)
            for found in bundle(sections, head_bytes)
        ]

    def _packet(self, lan: str, echo: bytes, sections: tuple[Section, ...], now_us: int) -> Packet:
        state = self._lans[lan]
        state.seq += 1
        heard_us = state.record.last_heard_us
        return Packet(
            node=self._node,
            lan=lan,
            incarnation=self.incarnation,
            seq=state.seq,
            sent_us=now_us,
            nonce=self._belief.nonce,
            echo=echo,
            believed=self._belief.incarnation or b"",
            heard_age_ms=-1 if heard_us is None else (now_us - heard_us) // 1000,
            loop_age_ms=max(0, now_us - self._loop_turned_us) // 1000,
            sections=sections,
        )

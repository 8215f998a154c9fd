"""What the heartbeat thread knows between two turns: beliefs, counters, what is due. No socket.

Times are given in microseconds of the boot clock. One thread uses it; only `statistics` and
`set_body` are called by others, under the thread's lock.
"""

import secrets
from dataclasses import dataclass
from typing import Any

from mirror.adapters.heartbeats.belief import Belief, Verdict
from mirror.adapters.heartbeats.packet import (
    INCARNATION_BYTES,
    Packet,
    PacketRefused,
    Refusal,
    decode,
    derive_key,
    encode,
)
from mirror.adapters.heartbeats.settings import HeartbeatSettings, Lan
from mirror.adapters.heartbeats.statistics import LanRecord, LanStatistics

# A changed body is sent at once and twice more: one lost datagram must not cost a pulse.
_URGENT_REPEATS_US = (0, 30_000, 120_000)
_ANSWER_GAP_US = 20_000  # at most one answer to a challenge a network in this time
_OFFSET_WINDOW_US = 2_000_000


@dataclass(frozen=True, slots=True)
class Heard:
    """A believed packet: the peer's newest body, whichever network brought it."""

    lan: str
    body: dict[str, Any]
    incarnation: bytes


@dataclass(frozen=True, slots=True)
class Incoming:
    """What one datagram meant. answer: to be sent on that network now. first_refusal: log it."""

    heard: Heard | None = None
    answer: bytes | None = None
    stalled_ms: int = 0
    first_refusal: Refusal | None = None


@dataclass(slots=True)
class _LanState:
    lan: Lan
    record: LanRecord
    seq: int = 0
    next_pulse_us: int = 0
    answered_us: int = -_ANSWER_GAP_US


class HeartbeatEngine:
    """Heartbeats of one module between its sockets and its control loop."""

    def __init__(self, settings: HeartbeatSettings, now_us: int) -> None:
        self.incarnation = secrets.token_bytes(INCARNATION_BYTES)
        self._settings = settings
        self._key = derive_key(settings.cluster_key, settings.module)
        self._belief = Belief(settings.node, settings.peer)
        self._lans = {
            lan.name: _LanState(lan, LanRecord(lan.name), next_pulse_us=now_us)
            for lan in settings.lans
        }
        self._started_us = now_us
        self._turned_us = now_us
        self._loop_turned_us = now_us
        self._body: dict[str, Any] = {}
        self._body_seq = 0
        self._urgent_us: list[int] = []
        self._peer_body: dict[str, Any] = {}
        self._offset = _OffsetWatch(self._timeout_us_min)

    @property
    def _timeout_us_min(self) -> int:
        return min(lan.timeout_ms for lan in self._settings.lans) * 1000

    def set_body(self, body: dict[str, Any], now_us: int, *, urgent: bool) -> None:
        """Say this from now on. Raises: ValueError when it does not fit a packet."""
        sample = self._packet(next(iter(self._lans.values())), b"", body, now_us)
        encode(sample, self._key)
        self._body = body
        self._body_seq += 1
        if urgent:
            self._urgent_us = [now_us + after_us for after_us in _URGENT_REPEATS_US]

    def loop_turned(self, now_us: int) -> None:
        """The control loop has turned."""
        self._loop_turned_us = now_us

    def turn(self, now_us: int) -> int:
        """Begin a turn. Returns: for how many ms this thread was not running, 0 when it was."""
        gap_us, self._turned_us = now_us - self._turned_us, now_us
        return gap_us // 1000 if gap_us > self._timeout_us_min else 0

    def wait_us(self, now_us: int) -> int:
        """How long nothing is due."""
        due_us = min(state.next_pulse_us for state in self._lans.values())
        return max(0, min([due_us, *self._urgent_us]) - now_us)

    def due(self, now_us: int) -> list[tuple[str, bytes]]:
        """Packets to send now: (network, datagram)."""
        urgent = any(due_us <= now_us for due_us in self._urgent_us)
        self._urgent_us = [due_us for due_us in self._urgent_us if due_us > now_us]
        packets = []
        for name, state in self._lans.items():
            if not urgent and state.next_pulse_us > now_us:
                continue
            # From now, not from when it was due: after a stall no burst makes up for lost pulses.
            state.next_pulse_us = now_us + state.lan.pulse_ms * 1000
            packets.append((name, self._next(state, self._belief.peer_nonce, now_us)))
        return packets

    def note_sent(self, lan: str, *, accepted: bool) -> None:
        """Count a packet that was given to the kernel."""
        record = self._lans[lan].record
        record.sent_count += accepted
        record.send_failed_count += not accepted

    def take(self, lan: str, datagram: bytes, now_us: int) -> Incoming:
        """A datagram that came in on a network."""
        state = self._lans[lan]
        try:
            packet = decode(datagram, self._key)
            verdict = self._belief.judge(packet, lan)
        except PacketRefused as refused:
            state.record.refused[refused.refusal.value] += 1
            first = state.record.refused[refused.refusal.value] == 1
            return Incoming(first_refusal=refused.refusal if first else None)
        if verdict is Verdict.CHALLENGE:
            if now_us - state.answered_us < _ANSWER_GAP_US:
                return Incoming()
            state.answered_us = now_us
            return Incoming(answer=self._next(state, packet.nonce, now_us))
        return self._believe(state, packet, verdict, now_us)

    def silent(self, now_us: int) -> list[str]:
        """Networks on which the peer has just become silent; each is named once."""
        fallen = []
        for name, state in self._lans.items():
            record = state.record
            last_us = self._started_us if record.last_heard_us is None else record.last_heard_us
            if record.silent_since_us is None and now_us - last_us > state.lan.timeout_ms * 1000:
                record.silent_since_us = now_us
                fallen.append(name)
        return fallen

    def statistics(self, now_us: int) -> dict[str, LanStatistics]:
        """A copy of the counters, by network."""
        return {name: state.record.copy(now_us) for name, state in self._lans.items()}

    def _believe(
        self, state: _LanState, packet: Packet, verdict: Verdict, now_us: int
    ) -> Incoming:
        record, new = state.record, verdict is Verdict.BELIEVED_NOW
        if new:
            self._offset = _OffsetWatch(self._timeout_us_min)
            for other in self._lans.values():
                other.record.last_seq = 0  # numbers of another incarnation: nothing was lost
        stalled_ms = self._offset.note(packet.sent_us, now_us)
        record.note_heard(packet.seq, packet.sent_us, now_us, same_incarnation=not new)
        record.silent_since_us = None
        record.peer_heard_ms, record.peer_loop_ms = packet.heard_age_ms, packet.loop_age_ms
        if packet.body_seq >= self._belief.body_seq:
            self._belief.body_seq, self._peer_body = packet.body_seq, packet.body
        answer = self._next(state, packet.nonce, now_us) if new else None
        heard = Heard(state.lan.name, self._peer_body, packet.incarnation)
        return Incoming(heard=heard, answer=answer, stalled_ms=stalled_ms)

    def _next(self, state: _LanState, echo: bytes, now_us: int) -> bytes:
        state.seq += 1
        return encode(self._packet(state, echo, self._body, now_us), self._key)

    def _packet(self, state: _LanState, echo: bytes, body: dict[str, Any], now_us: int) -> Packet:
        heard_us = state.record.last_heard_us
        return Packet(
            node=self._settings.node,
            lan=state.lan.name,
            incarnation=self.incarnation,
            seq=max(1, state.seq),
            sent_us=now_us,
            nonce=self._belief.nonce,
            echo=echo,
            heard_age_ms=-1 if heard_us is None else (now_us - heard_us) // 1000,
            loop_age_ms=max(0, now_us - self._loop_turned_us) // 1000,
            body_seq=self._body_seq,
            body=body,
        )


class _OffsetWatch:
    """Sees time that this host has lost and its own clock does not show: a paused virtual machine.

    The peer's clock minus ours is constant, but for delays, which only lower it. If it rises by
    more than the timeout, our clock stood still. What queued up during the pause comes in steps,
    hence the comparison with what was known some time ago and not with the packet before.
    """

    def __init__(self, threshold_us: int) -> None:
        self._threshold_us = threshold_us
        self._base_us: int | None = None
        self._window_us = 0
        self._window_max_us = 0

    def note(self, sent_us: int, now_us: int) -> int:
        """A packet sent at the peer's sent_us was read at now_us. Returns: ms lost, mostly 0."""
        offset_us = sent_us - now_us
        if self._base_us is None:
            self._base_us = self._window_max_us = offset_us
            self._window_us = now_us
            return 0
        lost_us = offset_us - self._base_us
        if lost_us > self._threshold_us:
            self._base_us = self._window_max_us = offset_us
            self._window_us = now_us
            return lost_us // 1000
        self._window_max_us = max(self._window_max_us, offset_us)
        if now_us - self._window_us > _OFFSET_WINDOW_US:
            # Down as well as up: clocks drift apart, and a lasting delay is the new normal.
            self._base_us, self._window_us = self._window_max_us, now_us
            self._window_max_us = offset_us
        return 0

"""One module's part in the heartbeats of its node: what it says, what it heard, when it is due.

Times are given in microseconds of the boot clock. Only the engine uses it.
"""

from dataclasses import dataclass
from typing import Any

import msgpack

from mirror.adapters.heartbeats.offset import OffsetWatch
from mirror.adapters.heartbeats.packet import (
    PACKET_BYTES_MAX,
    Section,
    header_bytes_max,
    unpack_body,
)
from mirror.adapters.heartbeats.settings import HeartbeatSettings, Path
from mirror.adapters.heartbeats.statistics import LanHearing

# A changed word is sent at once and twice more: one lost datagram must not cost a pulse.
_URGENT_REPEATS_US = (0, 30_000, 120_000)
HOLD_US_MAX = (
    500_000  # time for the control loop to handle a stall; it may have nothing new to say
)
QUIET_PARTS = 4  # of a timeout: after so long without a packet the next one is told at once


@dataclass(frozen=True, slots=True)
class Heard:
    """The peer's newest word, whichever network brought it, and when it was last heard to hold."""

    body: dict[str, Any]
    heard_us: int


class Conversation:
    """Of one module with its peer. body_seq: number of the first word, which is empty."""

    def __init__(self, settings: HeartbeatSettings, body_seq: int, now_us: int) -> None:
        self.settings = settings
        self.lans = {lan.name: LanHearing(lan, now_us) for lan in settings.lans}
        self._listens_since_us = now_us  # since it began, or since it stood still last
        self._timeout_us = settings.timeout_us_min
        self._body_seq = body_seq
        self._body: bytes = msgpack.packb({})
        self._urgent_us: list[int] = []
        self._held_until_us = 0
        self._peer_holds: int | None = None  # the newest of our words that the peer holds
        self._peer_seq = 0
        self._peer_body: dict[str, Any] = {}
        self._heard_us: int | None = None
        self._offset = OffsetWatch(self._timeout_us)

    def say(self, body: dict[str, Any], body_seq: int, now_us: int, *, urgent: bool) -> None:
        """Say this from now on. Raises: ValueError when it does not fit a packet."""
        packed: bytes = msgpack.packb(body)
        section = Section(self.settings.module, body_seq, 0, packed)
        names = max(len(name) for name in self.lans)
        head = header_bytes_max(self.settings.node, "x" * 4 * names)
        if head + section.bytes_max > PACKET_BYTES_MAX:
            message = f"heartbeat body of {len(packed)} bytes"
            raise ValueError(message)
        self._body, self._body_seq, self._held_until_us = packed, body_seq, 0
        if urgent:
            self._urgent_us = [now_us + after_us for after_us in _URGENT_REPEATS_US]

    @property
    def section(self) -> Section:
        """What the next packet says of this module."""
        body = None if self._peer_holds == self._body_seq else self._body
        return Section(self.settings.module, self._body_seq, self._peer_seq, body)

    def is_held(self, now_us: int) -> bool:
        """Tell whether nothing may be said: a stall, and the control loop has no word for it."""
        return now_us < self._held_until_us

    def stalled(self, lost_us: int, now_us: int) -> bool:
        """Take it that this host lost time. Returns: whether that matters; then it is held."""
        if lost_us <= self._timeout_us:
            return False
        self._held_until_us = now_us + min(HOLD_US_MAX, self._timeout_us // 2)
        self._listens_since_us, self._heard_us = now_us, None
        return True

    def due_us(self) -> int:
        """When something is to be sent."""
        due_us = min(hearing.next_pulse_us for hearing in self.lans.values())
        return max(min([due_us, *self._urgent_us]), self._held_until_us)

    def take_due(self, now_us: int) -> list[Path]:
        """Networks on which its section is to be sent now."""
        if self.is_held(now_us):
            return []
        urgent = any(due_us <= now_us for due_us in self._urgent_us)
        if urgent:
            self._urgent_us = [due_us for due_us in self._urgent_us if due_us > now_us]
        paths = []
        for hearing in self.lans.values():
            if hearing.next_pulse_us <= now_us:
                # The same moments for all modules of a pulse, so that they share their packets;
                # from now, not from when it was due: after a stall no burst makes up for it.
                pulse_us = hearing.lan.pulse_ms * 1000
                hearing.next_pulse_us = (now_us // pulse_us + 1) * pulse_us
            elif not urgent:
                continue
            paths.append(hearing.lan.path)
        return paths

    def peer_restarted(self) -> None:
        """Another incarnation of the peer: it holds nothing of ours, nor we of its."""
        self._peer_holds, self._peer_seq = None, 0
        self._offset = OffsetWatch(self._timeout_us)

    def lost_us(self, sent_us: int, arrived_us: int) -> int:
        """How much time a packet shows that this host has lost; mostly 0."""
        return self._offset.note(sent_us, arrived_us) * 1000

    def hear(self, section: Section, lan: str, arrived_us: int) -> bool:
        """Take a believed section. Returns: whether the control loop is told at once.

        It was heard when it arrived, however late it is read. What came while this host stood
        still was heard at the end of that: the newest of it may not have found room.
        Raises: PacketRefused.
        """
        hearing, heard_us = self.lans[lan], self._heard_us
        now_us = max(arrived_us, self._listens_since_us)
        is_new = section.body is not None and section.body_seq > self._peer_seq
        if is_new:
            assert section.body is not None
            self._peer_body, self._peer_seq = unpack_body(section.body), section.body_seq
        first = hearing.silent_since_us is not None or not hearing.heard_count
        hearing.last_heard_us = max(now_us, hearing.last_heard_us or 0)
        hearing.silent_since_us = None
        hearing.heard_count += 1
        if section.body_seq > self._peer_seq:
            return False  # it speaks of a word that this new conversation was not told yet
        self._heard_us = max(now_us, heard_us or 0)  # the networks are read one after the other
        quiet = heard_us is None or now_us - heard_us > self._timeout_us // QUIET_PARTS
        return is_new or first or quiet

    def peer_holds(self, body_seq: int, now_us: int) -> None:
        """Take the peer's word for what it holds of ours, 0 for nothing.

        One that has just begun to listen, or to listen anew, is told at once and not at a pulse.
        """
        if body_seq not in (self._body_seq, self._peer_holds):
            self._urgent_us.append(now_us)
        self._peer_holds = body_seq

    def heard(self) -> Heard | None:
        """Give what was heard since the last stall; None when nothing was."""
        if self._heard_us is None:
            return None
        return Heard(self._peer_body, self._heard_us)

    def silent(self, now_us: int) -> list[str]:
        """Networks on which the peer has just become silent; each is named once."""
        fallen = []
        for name, hearing in self.lans.items():
            since_us = max(self._listens_since_us, hearing.last_heard_us or 0)
            silence_us = hearing.lan.timeout_ms * 1000
            if hearing.silent_since_us is None and now_us - since_us > silence_us:
                hearing.silent_since_us = now_us
                fallen.append(name)
        return fallen

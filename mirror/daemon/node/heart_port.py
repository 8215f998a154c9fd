"""The heartbeats of one module: what the peer hears, and its words as events for the core."""

import asyncio
import secrets
from collections.abc import Callable, Mapping
from typing import Any

from mirror.adapters import clock
from mirror.adapters.heartbeats import Heard, HeartbeatListener, Heartbeats, HeartbeatSettings
from mirror.adapters.module_log import ModuleLog
from mirror.vocabulary.events import Event, PeerHeard, Stalled, Ticked
from mirror.vocabulary.words import Word, word_from_map

# Of the timeout: so long nothing was heard, then the link is looked at.
QUIET = 0.25
INCARNATION_BYTES = 16


class HeartPort:
    """Implements ports.Heart. Used by one event loop.

    post: takes an event for the core.
    on_lan(lan, state): a network was heard (up), or fell silent (down).
    """

    def __init__(
        self,
        settings: HeartbeatSettings,
        log: ModuleLog,
        post: Callable[[Event], None],
        heartbeats: Callable[[HeartbeatListener], Heartbeats],
        on_lan: Callable[[str, str], None],
    ) -> None:
        self._on_lan = on_lan
        self._lans = {lan.name for lan in settings.lans}
        self._silent: set[str] = set(self._lans)
        self._log = log
        self._post = post
        self._quiet_after_us = int(QUIET * max(lan.timeout_ms for lan in settings.lans) * 1000)
        self._heard_us = clock.boottime_us()
        self._heard_body: dict[str, Any] | None = None
        self._said: dict[str, Any] = {}
        self._refused = ""
        self._read: tuple[dict[str, Any], Word] | None = None  # of the last body
        # Names the life of this module's engine.
        self.incarnation = secrets.token_bytes(INCARNATION_BYTES)
        self.quiet = asyncio.Event()  # set while nothing was heard for QUIET of the timeout
        self.heartbeats = heartbeats(
            HeartbeatListener(self._heard, self._fell_silent, self._stalled, self._noted)
        )

    def start(self) -> None:
        """Be heard, and listen."""
        self.heartbeats.start()

    def stop(self) -> None:
        """Fall silent."""
        self.heartbeats.stop()

    @property
    def lans_heard(self) -> list[str]:
        """Networks on which the peer is heard now."""
        return sorted(self._lans - self._silent)

    def tick(self) -> Event:
        """Give what time brings: the peer's word, when it was heard since, or nothing."""
        now_us, heard = clock.boottime_us(), self.heartbeats.heard()
        # A new word may have come in before the last one that was heard, by another network.
        again = heard is not None and (
            heard.heard_us > self._heard_us or heard.body is not self._heard_body
        )
        if heard is not None and again:
            self._heard_us, self._heard_body = max(heard.heard_us, self._heard_us), heard.body
        if now_us - self._heard_us < self._quiet_after_us:
            self.quiet.clear()
        else:
            self.quiet.set()
        event = self._event(heard) if heard is not None and again else None
        return event or Ticked()

    def say(self, word: Mapping[str, Any], *, urgent: bool) -> None:
        self._said = dict(word)
        self.heartbeats.set_body(self._said, urgent=urgent)

    def say_again(self) -> None:
        """After a stall the thread holds back until it is told what is true now."""
        if self._said:
            self.heartbeats.set_body(self._said, urgent=True)

    def statistics(self) -> dict[str, dict[str, int | bool]]:
        """Figures of each network, for people and tests."""
        return {
            name: {
                "silent": one.silent,
                "last_heard_ms": one.last_heard_ms,
                "peer_heard_ms": one.peer_heard_ms,
                "peer_loop_ms": one.peer_loop_ms,
                "heard": one.heard_count,
                "lost": one.lost_count,
                "sent": one.sent_count,
                "jitter_p50_us": one.jitter_p50_us,
                "jitter_p99_us": one.jitter_p99_us,
                "jitter_max_us": one.jitter_max_us,
                "late_p99_us": one.late_p99_us,
                "late_max_us": one.late_max_us,
            }
            for name, one in self.heartbeats.statistics().items()
        }

    def _heard(self, lan: str) -> None:
        if lan in self._silent:
            self._silent.discard(lan)
            self._log.append("I", "heart", f"Heartbeat heard on {lan}", lan=lan)
            self._on_lan(lan, "up")
        # The newest word, which a tick may have brought before this call.
        self._post(self.tick())

    def _event(self, heard: Heard) -> PeerHeard | None:
        if not heard.body:
            return None  # the peer's control plane has just begun: it has no word yet
        if self._read is None or self._read[0] is not heard.body:
            try:
                self._read = heard.body, word_from_map(heard.body)
            except ValueError as error:
                if str(error) != self._refused:  # a peer of another version says it again
                    self._refused = str(error)
                    self._log.append("W", "heart", f"Heartbeat not understood: {error}")
                return None
        ago_ms = (clock.boottime_us() - heard.heard_us) // 1000
        return PeerHeard(self._read[1], ago_ms)

    def _fell_silent(self, lan: str) -> None:
        if lan not in self._silent:
            self._silent.add(lan)
            self._log.append("E", "heart", f"Heartbeat lost on {lan}", lan=lan)
            self._on_lan(lan, "down")

    def _stalled(self, stalled_ms: int) -> None:
        self._log.append("E", "heart", f"This host stood still for {stalled_ms} ms")
        self._post(Stalled(stalled_ms))

    def _noted(self, text: str, fields: Mapping[str, object]) -> None:
        self._log.append("W", "heart", f"{text}: {dict(fields)}")

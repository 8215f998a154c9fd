"""The heartbeats of one module: what the peer hears, and its words as events for the core."""

from collections.abc import Callable, Mapping
from typing import Any

from mirror.adapters.heartbeats import HeartbeatListener, Heartbeats, HeartbeatSettings
from mirror.adapters.module_log import ModuleLog
from mirror.vocabulary.events import Event, PeerHeard, Stalled
from mirror.vocabulary.words import word_from_map


class HeartPort:
    """Implements ports.Heart. Used by one event loop.

    post: takes an event for the core. on_all_silent: the last network fell silent.
    """

    def __init__(
        self,
        settings: HeartbeatSettings,
        log: ModuleLog,
        post: Callable[[Event], None],
        on_all_silent: Callable[[], None],
        heartbeats: Callable[[HeartbeatListener], Heartbeats],
    ) -> None:
        self._lans = {lan.name for lan in settings.lans}
        self._silent: set[str] = set(self._lans)
        self._log = log
        self._post = post
        self._on_all_silent = on_all_silent
        self._said: dict[str, Any] = {}
        self._refused = ""
        self.heartbeats = heartbeats(
            HeartbeatListener(self._heard, self._fell_silent, self._stalled, self._noted)
        )

    @property
    def lans_heard(self) -> list[str]:
        """Networks on which the peer is heard now."""
        return sorted(self._lans - self._silent)

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
            }
            for name, one in self.heartbeats.statistics().items()
        }

    def _heard(self, lan: str, body: dict[str, Any], _incarnation: bytes) -> None:
        if lan in self._silent:
            self._silent.discard(lan)
            self._log.append("I", "heart", f"Heartbeat heard on {lan}", lan=lan)
        if not body:
            return  # the peer's control plane has just begun: it has no word yet
        try:
            word = word_from_map(body)
        except ValueError as error:
            if str(error) != self._refused:  # a peer of another version says it ten times a second
                self._refused = str(error)
                self._log.append("W", "heart", f"Heartbeat not understood: {error}", lan=lan)
            return
        self._post(PeerHeard(word))

    def _fell_silent(self, lan: str) -> None:
        if lan not in self._silent:
            self._silent.add(lan)
            self._log.append("E", "heart", f"Heartbeat lost on {lan}", lan=lan)
        if self._silent == self._lans:
            self._on_all_silent()

    def _stalled(self, stalled_ms: int) -> None:
        self._log.append("W", "heart", f"This host stood still for {stalled_ms} ms")
        self._post(Stalled(stalled_ms))

    def _noted(self, text: str, fields: Mapping[str, object]) -> None:
        self._log.append("W", "heart", f"{text}: {dict(fields)}")

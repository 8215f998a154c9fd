"""What a light module has instead of heartbeats: nobody to hear, nobody to be heard by."""

from collections.abc import Mapping
from typing import Any

from mirror.vocabulary.events import Event, Ticked


class NoHeart:
    """Implements ports.Heart, and what a module asks its heartbeats for."""

    lans_heard: tuple[str, ...] = ()
    incarnation = b""

    def start(self) -> None:
        """Do nothing."""

    def stop(self) -> None:
        """Do nothing."""

    def say(self, word: Mapping[str, Any], *, urgent: bool) -> None:
        """Say nothing."""

    def say_again(self) -> None:
        """Say nothing."""

    def tick(self) -> Event:
        """Give what time brings: nothing."""
        return Ticked()

    def statistics(self) -> dict[str, dict[str, int | bool]]:
        """Give no figures."""
        return {}

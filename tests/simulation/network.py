"""Two networks between two hosts: they lose, delay, and are cut, in one direction or both."""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, field

LANS = ("lan1", "lan2")


@dataclass
class Network:
    """Directions that are cut are (lan, sender). The data link uses both ways of lan1."""

    loop: asyncio.AbstractEventLoop
    random: random.Random
    cut: set[tuple[str, str]] = field(default_factory=set)
    cut_words: set[str] = field(default_factory=set)  # whose datagrams alone are dropped
    loss: float = 0.0
    delay_ms_max: float = 3.0  # beyond the pause between two words: they overtake each other

    def send(self, lan: str, sender: str, deliver: Callable[[], None]) -> None:
        """Carry one datagram, or lose it."""
        if (lan, sender) in self.cut or sender in self.cut_words:
            return
        if self.random.random() < self.loss:
            return
        self.loop.call_later(self.random.uniform(0.1, self.delay_ms_max) / 1000, deliver)

    def link_stands(self) -> bool:
        """Tell whether the data link's network carries both ways."""
        return not any(lan == "lan1" for lan, _ in self.cut)

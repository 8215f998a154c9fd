"""What a module's engine is told of its peer's heartbeats."""

import asyncio
from pathlib import Path

from mirror.adapters import clock
from mirror.adapters.heartbeats import Heard, HeartbeatSettings, HeartbeatThread, Lan
from mirror.adapters.heartbeats.thread import HeartbeatListener, Heartbeats
from mirror.adapters.module_log import ModuleLog
from mirror.daemon.node.heart_port import HeartPort
from mirror.vocabulary.events import PeerHeard, Ticked
from mirror.vocabulary.record import Record
from mirror.vocabulary.states import State
from mirror.vocabulary.words import Word, word_to_map

LANS = (Lan("lan", "127.0.0.1", "127.0.0.2"), Lan("lan2", "127.0.1.1", "127.0.1.2"))
SETTINGS = HeartbeatSettings("demo", "n1", "n2", LANS, 18_889, b"k" * 32)


class Beats(Heartbeats):
    """Heartbeats that nobody sends: what was heard is given by the test."""

    now_heard: Heard | None = None

    def heard(self) -> Heard | None:
        return self.now_heard


def test_a_new_word_is_told_though_an_older_packet_brought_it(tmp_path: Path) -> None:
    """By a network that is read after one whose last packet came in later."""

    def beats(listener: HeartbeatListener) -> Heartbeats:
        return Beats(HeartbeatThread(), SETTINGS, listener)

    async def story() -> None:
        log = ModuleLog(tmp_path / "log", "demo")
        heart = HeartPort(SETTINGS, log, lambda event: None, beats, lambda lan, state: None)
        heard_us = clock.boottime_us()
        assert isinstance(heart.heartbeats, Beats)
        heart.heartbeats.now_heard = Heard(word_to_map(Word(State.SECOND, Record())), heard_us)
        assert isinstance(heart.tick(), PeerHeard)
        assert isinstance(heart.tick(), Ticked), "the same again is no event"
        heart.heartbeats.now_heard = Heard(word_to_map(Word(State.ALONE, Record())), heard_us)
        told = heart.tick()
        assert isinstance(told, PeerHeard)
        assert told.word.state is State.ALONE
        log.close()

    asyncio.run(story())

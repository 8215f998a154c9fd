from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import partial

import pytest

from mirror.daemon.plane import leader as module
from mirror.daemon.plane.leader import Leader


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """What a leader waits for that does not listen; it is not waited for long."""
    monkeypatch.setattr(module, "END_S_MAX", 0.0)
    event = threading.Event()
    yield event
    event.set()


def _wait(event: threading.Event) -> None:
    event.wait()


def test_one_that_has_not_ended_is_waited_for_again(held: threading.Event) -> None:
    """Else the next session would begin beside it."""
    leader = Leader()
    leader.begin(partial(_wait, held))
    leader.stop()
    for _ in range(2):
        with pytest.raises(TimeoutError):
            leader.await_end()
    with pytest.raises(TimeoutError):
        leader.begin(lambda: None)
    assert leader.is_alive()


def test_what_was_told_to_stop_tells_no_success(held: threading.Event) -> None:
    leader = Leader()
    told: list[bool] = []

    def lead() -> None:
        held.wait()
        with leader.ending() as is_wanted:
            told.append(is_wanted)

    leader.begin(lead)
    leader.stop()
    held.set()
    while leader.is_alive():
        pass
    leader.await_end()
    leader.begin(lead)
    while leader.is_alive():
        pass
    assert told == [False, True]

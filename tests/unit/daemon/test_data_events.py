"""Events of the data plane as events of the core; its progress as people read it."""

from typing import Any

import pytest

from mirror.daemon.node.data_port import copied_line, event_of
from mirror.daemon.node.state_view import progress_of
from mirror.vocabulary.events import (
    CheckpointReached,
    DataFault,
    Event,
    LinkLost,
    LinkUp,
    Progressed,
    SourceInSync,
    TargetInSync,
)


@pytest.mark.parametrize(
    ("message", "event"),
    [
        ({"event": "link_up", "session": "aa"}, LinkUp("aa")),
        ({"event": "link_lost", "session": "aa", "reason": "reset"}, LinkLost("aa", "reset")),
        ({"event": "in_sync", "session": "aa", "files": 3}, SourceInSync("aa")),
        (
            {"event": "target_in_sync", "session": "aa", "generation": "99"},
            TargetInSync("aa", "99"),
        ),
        (
            {"event": "fault", "where": "local", "error": 5, "sentence": "EIO"},
            DataFault("local", "EIO"),
        ),
        ({"event": "checkpoint", "epoch": 7}, CheckpointReached(7)),
        ({"v": 1, "event": "progress", "phase": "data"}, Progressed({"phase": "data"})),
        ({"event": "of a newer version"}, None),
    ],
)
def test_events(message: dict[str, Any], event: Event | None) -> None:
    assert event_of(message) == event


def test_the_line_at_the_end() -> None:
    line = copied_line({"files": 2, "bytes_copied": 10, "bytes_compared": 2_000_000, "seconds": 2})
    assert line == "Copied <2 files, 10 bytes copied, 2000000 bytes compared, 2.0 s, 1.0 MB/s>"
    assert "0.0 MB/s" in copied_line({})


def test_progress_has_totals() -> None:
    shown = progress_of(
        {"phase": "data", "bytes_done": 25, "bytes_left": 75, "files_done": 1, "files_left": 3}
        | {"rate_bytes_s": 5, "eta_s": 15, "pending": ("a",)}
    )
    assert shown["percent"] == 25
    assert (shown["bytes_total"], shown["files_total"], shown["eta_ms"]) == (100, 4, 15_000)
    assert progress_of({}) == {}
    assert progress_of({"phase": "names", "eta_s": None})["eta_ms"] is None

"""`rfsverify` and `rfsdiff` as people read them; the estimate."""

from typing import Any

from mirror.cli.replication import verification_lines
from mirror.cli.state_view import verified_line
from mirror.daemon.node.replication import seconds_for

PROGRESS = {
    "phase": "data",
    "bytes_done": 1 << 20,
    "bytes_total": 4 << 20,
    "files_done": 1,
    "files_total": 4,
    "rate_bytes_s": 1 << 20,
    "eta_s": 3,
}
EACH: dict[str, Any] = {
    "directory": "/srv/data",
    "path": "a/b",
    "kind": "data",
    "prim": "data",
    "second": "other data",
    "offset_bytes": 8192,
    "size_bytes": 4096,
}
FOUND: dict[str, Any] = {"progress": PROGRESS, "listed": [EACH], "differences": 1, "repair": False}


def test_a_difference_has_its_file_and_offset() -> None:
    lines = verification_lines({**FOUND, "outcome": "different"})
    assert lines == [
        "1 differences: 1 files, 1 MiB compared",
        "  /srv/data/a/b: data at offset 8192, 4096 bytes: data | other data",
        "to do: `rfsverify --repair` copies from the node that serves",
    ]


def test_a_repair_says_who_was_believed_and_where_the_rest_is() -> None:
    repaired = {"repair": True, "repaired": 1, "believed": "n1", "because": "it serves"}
    lines = verification_lines(
        {**FOUND, **repaired, "outcome": "repaired", "kept_aside": "verify-1"}
    )
    assert lines[0] == "1 differences mended: 1 files, 1 MiB compared"
    assert lines[2:] == [
        "believed: n1, because it serves",
        "what was replaced is kept: mirror kept, folder verify-1",
    ]


def test_the_state_has_one_line_of_it() -> None:
    assert verified_line({}) == verified_line({"outcome": "never"}) == ""
    assert verified_line({**FOUND, "outcome": "running"}) == (
        "verification: under way: data, 1 MiB of 4 MiB, 1 of 4 files, 1 MiB/s, 3 s left"
    )


def test_the_slower_of_bytes_and_files_says_how_long() -> None:
    assert seconds_for({"bytes": 100, "files": 10}, None) is None
    assert seconds_for({"bytes": 100, "files": 10}, (50.0, 100.0)) == 2.0
    assert seconds_for({"bytes": 100, "files": 10}, (50.0, 1.0)) == 10.0
    assert seconds_for({"bytes": 100, "files": 10}, (0.0, 5.0)) == 2.0

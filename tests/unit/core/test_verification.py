"""Verification, decided: ranges, attributes, the report."""

from typing import Any

from mirror.core.verification import (
    DIFFERENCES_LISTED_MAX,
    Difference,
    Kind,
    Phase,
    Report,
    Runs,
    VerifyMeter,
    differing,
)
from mirror.vocabulary.said import say

BLOCK, REGION = 4096, 65_536
SEEN: dict[str, Any] = {
    "mode": 0o100644,
    "uid": 1,
    "gid": 2,
    "mtime_ns": 1_500_000_000,
    "rdev": 0,
    "flags": 0,
    "target": b"",
    "xattrs": [{"name": "user.a", "value": b"1"}, {"name": "user.b", "value": b"2"}],
}


def ranges(*fed: tuple[int, bytes]) -> list[tuple[str, int, int]]:
    runs, found = Runs(), []
    for offset, blocks in fed:
        found += list(runs.feed(offset, blocks))
    found += list(runs.end())
    return [(each.kind.value, each.offset_bytes, each.size_bytes) for each in found]


def test_blocks_that_differ_are_ranges_across_steps() -> None:
    fed = ((0, b"\0\0\1\1"), (4 * BLOCK, b"\1\0\0\1"), (8 * BLOCK, b"\0"))
    assert ranges(*fed) == [("data", 2 * BLOCK, 3 * BLOCK), ("data", 7 * BLOCK, BLOCK)]


def test_a_gap_ends_a_range() -> None:
    assert ranges((0, b"\1"), (10 * BLOCK, b"\1")) == [
        ("data", 0, BLOCK),
        ("data", 10 * BLOCK, BLOCK),
    ]


def test_a_hole_counts_when_it_holds_a_region() -> None:
    assert ranges((0, b"\2" * 15)) == []
    assert ranges((0, b"\0" + b"\3" * 16)) == []  # 64 KiB, but of two regions
    assert ranges((0, b"\3" * 16)) == [("hole", 0, REGION)]
    (found,) = list(Runs().feed(0, b"\2" * 16 + b"\0"))
    assert (found.prim, found.second) == ("zeros", "a hole")


def test_each_attribute_is_named_with_both_values() -> None:
    theirs = {**SEEN, "mode": 0o100600, "gid": 3, "xattrs": [{"name": "user.a", "value": b"9"}]}
    assert list(differing(SEEN, theirs)) == [
        (Kind.MODE, "0644", "0600"),
        (Kind.OWNER, "1:2", "1:3"),
        (Kind.XATTR, "user.a=31 user.b=32", "user.a=39"),
    ]
    assert list(differing(SEEN, {**SEEN, "xattrs": SEEN["xattrs"][::-1]})) == []
    long = {**SEEN, "xattrs": [{"name": "user.a", "value": bytes(60_000)}]}
    assert all(len(here) <= 200 and len(there) <= 200 for _, here, there in differing(SEEN, long))


def test_a_symbolic_link_has_no_mode_of_its_own() -> None:
    link = {**SEEN, "mode": 0o120777, "target": b"a"}
    assert list(differing(link, {**link, "mode": 0o120700})) == []
    assert [kind for kind, *_ in differing(link, {**link, "target": b"b"})] == [Kind.LINK]


def test_a_report_lists_the_first_and_counts_all() -> None:
    report = Report(1, repair=True, believed="n1", because=say("verify.serves"))
    for number in range(DIFFERENCES_LISTED_MAX + 5):
        report.add(Difference("/d", f"f{number}", Kind.DATA, "data", "other data", 0, 4096))
    report.outcome, report.progress = "different", {"files_done": 7, "bytes_done": 8}
    fields = report.as_fields(2)
    assert fields["differences"] == DIFFERENCES_LISTED_MAX + 5
    assert [each["path"] for each in fields["listed"]] == ["f0", "f1"]
    assert fields["listed"][0]["kind"] == "data"
    assert fields["because_said"]["code"] == "verify.serves"
    assert fields["observed_said"] is None
    report.observed = say("verify.unmended", count=2)
    assert report.as_fields()["observed_said"]["facts"] == {"count": 2}
    assert report.sentence() == (
        "Verification: 1005 differences, 0 repaired from n1: 7 files, 8 bytes compared;"
        " the first: /d/f0: data at offset 0: data | other data"
    )


def test_how_long_it_takes_is_known_once_all_names_are() -> None:
    meter = VerifyMeter(0)
    meter.bytes_total, meter.bytes_done, meter.files_total = 400, 100, 3
    assert meter.fields(1_000, Phase.NAMES)["eta_s"] is None
    fields = meter.fields(1_000, Phase.DATA)
    assert (fields["eta_s"], fields["rate_bytes_s"], fields["files_total"]) == (3, 100, 3)

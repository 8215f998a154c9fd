"""Verification, decided: what differs between an object here and there, and how far it is.

    differing      attributes of one object on both nodes -> in which ways they differ
    Runs           blocks as they were compared -> ranges of bytes that differ
    VerifyMeter    counts -> a Progress
    Report         the result, for every surface

All of it is pure; mirror/daemon/plane/verify.py performs it.
"""

from __future__ import annotations

import stat
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple

from mirror.core.reintegration import progress
from mirror.core.reintegration.progress import Meter
from mirror.vocabulary.places import REGION_BYTES
from mirror.vocabulary.said import Said, parts_of

BLOCK_BYTES = 4096
DIFFERENCES_LISTED_MAX = 1_000
NOT_SAID = Said()
TEXT_MAX = 200  # an extended attribute may have 64 KiB
EQUAL, OTHER_DATA, HOLE_THERE, HOLE_HERE = 0, 1, 2, 3  # a byte a block, native/capture/copy.h


class Kind(StrEnum):
    """In which way two objects, or two directories, differ."""

    NAME = "name"
    LINK = "link"  # the text of a symbolic link, the number of a device
    SIZE = "size"
    DATA = "data"
    HOLE = "hole"
    MODE = "mode"
    OWNER = "owner"
    TIMES = "times"
    FLAGS = "flags"
    XATTR = "xattr"


# A repair of these gives an object another place, or makes it anew: names are made equal.
BY_NAME = frozenset({Kind.NAME, Kind.LINK})


class Phase(StrEnum):
    """Phases, in order."""

    NAMES = "names"
    DATA = "data"
    TIMES = "times"
    REPAIR = "repair"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class Difference:
    """One way in which the nodes differ. prim, second: what is there, for people.

    offset_bytes, size_bytes: of DATA and HOLE, else None.
    """

    directory: str
    path: str
    kind: Kind
    prim: str
    second: str
    offset_bytes: int | None = None
    size_bytes: int | None = None

    def __str__(self) -> str:
        """Render as one line."""
        where = "" if self.offset_bytes is None else f" at offset {self.offset_bytes}"
        return f"{self.directory}/{self.path}: {self.kind}{where}: {self.prim} | {self.second}"


def differing(
    ours: Mapping[str, Any], theirs: Mapping[str, Any]
) -> Iterator[tuple[Kind, str, str]]:
    """In which ways the attributes of an object differ, with both values as text.

    Fields as in the struct Seen; type and identity are equal already. Times of access are each
    node's own. A symbolic link has no mode, and its time is not always kept.
    """
    is_link = stat.S_ISLNK(ours["mode"])
    for kind, show in _SHOWN:
        if is_link and kind in (Kind.MODE, Kind.FLAGS):
            continue
        here, there = show(ours), show(theirs)
        if here != there:
            yield kind, here[:TEXT_MAX], there[:TEXT_MAX]


def _owner(fields: Mapping[str, Any]) -> str:
    return f"{fields['uid']}:{fields['gid']}"


def _mode(fields: Mapping[str, Any]) -> str:
    return f"{stat.S_IMODE(fields['mode']):04o}"


def _times(fields: Mapping[str, Any]) -> str:
    return f"{fields['mtime_ns'] // 10**9}.{fields['mtime_ns'] % 10**9:09d}"


def _xattrs(fields: Mapping[str, Any]) -> str:
    pairs = sorted((xattr["name"], xattr["value"].hex()) for xattr in fields["xattrs"])
    return " ".join(f"{name}={value}" for name, value in pairs) or "none"


def _link(fields: Mapping[str, Any]) -> str:
    return f"{fields['target']!r}" if fields["target"] else f"device {fields['rdev']}"


_SHOWN = (
    (Kind.LINK, _link),
    (Kind.MODE, _mode),
    (Kind.OWNER, _owner),
    (Kind.FLAGS, lambda fields: f"{fields['flags']:#x}"),
    (Kind.XATTR, _xattrs),
    (Kind.TIMES, _times),
)


class Range(NamedTuple):
    """Bytes of a file that differ. prim, second: what is there."""

    kind: Kind
    prim: str
    second: str
    offset_bytes: int
    size_bytes: int


@dataclass(slots=True)
class Runs:
    """Blocks of one file, in order, as ranges that differ.

    A hole counts from a region on, as in every comparison (DECISIONS 11): smaller ones are the
    file system's own affair.
    """

    _kind: int = EQUAL
    _start: int = 0
    _end: int = 0

    def feed(self, offset: int, blocks: bytes) -> Iterator[Range]:
        """Take blocks as they were compared; ranges that have ended."""
        for number, block in enumerate(blocks):
            at = offset + number * BLOCK_BYTES
            if block != self._kind or at != self._end:
                yield from self.end()
                self._kind, self._start = block, at
            self._end = at + BLOCK_BYTES

    def end(self) -> Iterator[Range]:
        """The file has ended."""
        kind, start, size = self._kind, self._start, self._end - self._start
        self._kind = EQUAL
        if kind == OTHER_DATA:
            yield Range(Kind.DATA, "data", "other data", start, size)
        elif kind != EQUAL:
            region = -(-start // REGION_BYTES) * REGION_BYTES
            if region + REGION_BYTES <= start + size:
                texts = ("zeros", "a hole") if kind == HOLE_THERE else ("a hole", "zeros")
                yield Range(Kind.HOLE, *texts, start, size)


class VerifyMeter(Meter):
    """Counts of a verification."""

    def __init__(self, now_ms: int) -> None:
        super().__init__(now_ms)
        self.phase = progress.Phase.DATA  # how long it takes is asked for by our own phases

    def fields(self, now_ms: int, phase: Phase) -> dict[str, Any]:
        """What is done and left, as plain values."""
        shown = self.show(now_ms, ())
        eta_s = None if phase is Phase.NAMES else self._eta_s(shown.bytes_left, shown.rate_bytes_s)
        return {
            "phase": phase.value,
            "files_done": shown.files_done,
            "files_total": self.files_total,
            "bytes_done": shown.bytes_done,
            "bytes_total": self.bytes_total,
            "rate_bytes_s": shown.rate_bytes_s,
            "eta_s": eta_s,
        }


@dataclass(slots=True)
class Report:
    """What one verification found. outcome: running, equal, different, repaired, interrupted.

    busy: objects that changed whenever their times were looked at; nothing is said of those.
    believed, because: of a repair, the node whose copy stays.
    """

    started_us: int
    repair: bool
    believed: str
    because: Said
    outcome: str = "running"
    ended_us: int = 0
    observed: Said = NOT_SAID
    kept_aside: str = ""
    differences: int = 0
    repaired: int = 0
    busy: int = 0
    progress: dict[str, Any] = field(default_factory=dict)
    listed: list[Difference] = field(default_factory=list)

    def add(self, difference: Difference) -> None:
        """Count one; the first ones are listed."""
        self.differences += 1
        if len(self.listed) < DIFFERENCES_LISTED_MAX:
            self.listed.append(difference)

    def as_fields(self, listed_max: int = DIFFERENCES_LISTED_MAX) -> dict[str, Any]:
        """Plain values."""
        values = asdict(self)
        values["because_said"] = parts_of(self.because)
        values["observed_said"] = parts_of(self.observed)
        values["different"] = self.differences - self.repaired
        values["listed"] = [
            {**asdict(each), "kind": each.kind.value} for each in self.listed[:listed_max]
        ]
        return values

    def sentence(self) -> str:
        """One line for the module log."""
        files, size = self.progress.get("files_done", 0), self.progress.get("bytes_done", 0)
        looked = f"{files} files, {size} bytes compared"
        match self.outcome:
            case "equal":
                return f"Verification: both nodes are equal: {looked}"
            case "interrupted":
                return f"Verification interrupted: {self.observed}: {looked}"
            case _:
                first = f"; the first: {self.listed[0]}" if self.listed else ""
                mended = f", {self.repaired} repaired from {self.believed}" if self.repair else ""
                return f"Verification: {self.differences} differences{mended}: {looked}{first}"

"""What the copying threads are given: a file, or several that hold nothing at the target yet."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from mirror.adapters.native import Entry
from mirror.core.reintegration.data import Range, ranges_of
from mirror.daemon.plane.works import Work

Share = tuple[Range, ...]


@dataclass(slots=True)
class File:
    """One file to be copied. whole: from its begin to its end, whatever the ranges say.

    Guarded by the pool's lock, but for what never changes.
    """

    root: int
    id: bytes
    handle: bytes
    whole: bool
    ranges: tuple[Range, ...]
    entries: list[Entry]  # the caller's, untouched here
    shares: deque[Share] = field(default_factory=deque)
    active: int = 0
    gone: bool = False
    left: bool = False  # it was thought to be new and small: it must be copied as any other
    trusted: bool = False  # secondforce: wholly, but only when its size is another there
    kept: bool = False  # what the target would lose of it has been seen to
    only_kept: bool = False  # and this is all that is done now


def file_of(work: Work) -> File:
    """A work of a regular file, for the pool."""
    return File(
        work.root,
        work.id,
        work.handle,
        work.whole or work.trusted,
        ranges_of(work.regions),
        work.entries,
        trusted=work.trusted,
        kept=work.kept,
    )


@dataclass(frozen=True, slots=True)
class NewFiles:
    """Small files of one root that hold nothing at the target: sent whole, many at once."""

    files: Sequence[File]

"""What the copying threads are given: a file, or several small ones."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from mirror.adapters.native import Entry
from mirror.adapters.native.bulk import SMALL_BYTES_MAX, Small
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
    small: Small | None = None  # copied with others
    left: bool = False  # it could not be: it must be copied as any other
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


def small_of(work: Work, size: int) -> Small | None:
    """How a regular file of this size is copied with others; None: it is copied by itself.

    What the target would lose of it has been seen to, or need not be.
    """
    if work.trusted:
        return None
    if not work.whole and not work.regions:
        return Small.SIZE
    return Small.KNOWN if size <= SMALL_BYTES_MAX else None


@dataclass(frozen=True, slots=True)
class SmallFiles:
    """Files of one root, all of them new at the target or none."""

    files: Sequence[File]

"""The dirty index at a start: one that cannot be trusted is made anew, and all is compared.

What a lost index named is known to nobody. So the hidden numbers of every directory are told
first, durably, that no time is known since when it agrees with the peer: its scan then marks all
of it (scan.py), however often the start is cut off.
"""

from __future__ import annotations

import errno
from pathlib import Path

import structlog

from mirror.adapters.native import Plane
from mirror.daemon.plane.numbers import HiddenNumbers
from mirror.daemon.plane.settings import PlaneSettings
from mirror.errors import PlaneFailed
from mirror.vocabulary.said_system import system_said

log = structlog.get_logger()

FILE_NAME = "data.mdb"
# Kept: its room is where the disk is bad, and somebody may want to know what it holds.
ASIDE_NAME = "data.mdb.unusable"
WHAT = {
    errno.EIO: "cannot be read: its disk reports an error",
    errno.EBADMSG: "cannot be read: its file system is damaged",
    errno.EUCLEAN: "is damaged",
}
SO = "all that is replicated will be compared with the other node by block hash"


def open_plane(settings: PlaneSettings, numbers: HiddenNumbers) -> tuple[Plane, str]:
    """Make a plane with its index, and give a sentence when nothing is known of the last one.

    Raises: PlaneFailed (MIR-504) where there can be none.
    """
    try:
        Path(settings.index_directory).mkdir(parents=True, exist_ok=True, mode=0o700)
        return _open(settings, numbers)
    except OSError as error:
        raise PlaneFailed(verb="dirty index", observed=system_said(error)) from error


def _open(settings: PlaneSettings, numbers: HiddenNumbers) -> tuple[Plane, str]:
    directory = Path(settings.index_directory)
    file, aside = directory / FILE_NAME, directory / ASIDE_NAME
    if not file.exists() or file.stat().st_size == 0:  # a first one whose making was cut off
        doubted = numbers.doubt()
        return _make(settings), _said("is missing") if doubted else ""
    try:
        return _make(settings), ""
    except OSError as error:
        if error.errno not in WHAT:
            raise
        what = WHAT[error.errno]
    numbers.doubt()
    file.replace(aside)
    sentence = _said(f"{what}; it is now {aside}")
    try:
        return _make(settings), sentence
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
    aside.unlink()
    return _make(settings), _said(what)


def _make(settings: PlaneSettings) -> Plane:
    return Plane(
        settings.index_directory,
        index_bytes=settings.index_bytes,
        index_entries_max=settings.index_entries_max,
        recent_places_max=settings.recent_places_max,
    )


def _said(what: str) -> str:
    log.warning("dirty index lost", observed=what)
    return f"The dirty index {what}; {SO}"

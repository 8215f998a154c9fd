"""What both nodes say of their directories before a reintegration, and what follows from it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import structlog

from mirror.adapters.native import Connection, Plane
from mirror.core.reintegration.marks import Mark, Restored, find_restored, first_epoch
from mirror.daemon.plane.marks import read_mark, reserve_mark
from mirror.daemon.plane.objects import root_of
from mirror.errors import DiskRestored, LinkRefused
from mirror.vocabulary.said import say
from mirror.wire import codec

if TYPE_CHECKING:
    from mirror.daemon.plane.directories import Directory

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Agreed:
    """first_epoch: the session counts from it. target_restored: it must be compared as a whole."""

    first_epoch: int
    target_restored: bool


def roots_held(plane: Plane, directories: Sequence[Directory]) -> list[dict[str, object]]:
    """Give what the messages Roots and RootsHeld say of each directory. Raises: OSError."""
    roots: list[dict[str, object]] = []
    for directory in directories:
        reserve_mark(directory.lower)
        mark = read_mark(directory.lower)
        identity = root_of(plane, directory.number).id
        roots.append(
            {"root": directory.number, "id": identity, "begun": mark.begun, "stable": mark.stable}
        )
    return roots


def agree_on_roots(
    plane: Plane,
    directories: Sequence[Directory],
    control: Connection,
    peer: str,
    *,
    full: bool,
    commanded: bool,
) -> Agreed:
    """Say what this node, the source, has; hear what the target has.

    commanded: an administrator said which data count. Raises: OSError, LinkRefused (MIR-501),
    DiskRestored (MIR-514).
    """
    ours = roots_held(plane, directories)
    control.send(codec.code_of("Roots"), codec.encode("Roots", full=int(full), roots=ours))
    answer = codec.decode(*control.receive())
    if answer.name != "RootsHeld" or answer["error"] != 0:
        sentence = say("link.other_data")
        raise LinkRefused(peer=peer, sentence=sentence)
    here, there = _marks(ours), _marks(answer["roots"])
    restored = find_restored(here, there)
    if restored is Restored.SOURCE and not commanded:
        raise DiskRestored(peer=peer)
    if restored is Restored.TARGET:
        log.warning("a disk of the target was put back to an earlier day: compared as a whole")
    return Agreed(first_epoch((*here, *there)), restored is Restored.TARGET)


def _marks(roots: Iterable[Mapping[str, Any]]) -> list[Mark]:
    return [Mark(root["begun"], root["stable"]) for root in roots]

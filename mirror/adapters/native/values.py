"""Values that cross the border to C, and the one rule of its results."""

import os
from typing import NamedTuple

HANDLE_BYTES = 48
ID_BYTES = 16
NO_ID = bytes(ID_BYTES)


def check(result: int, what: str) -> int:
    """Return a result that is not negative; raise the OSError of one that is.

    Raises: OSError (its subclass by errno), with `what` as the subject.
    """
    if result < 0:
        raise OSError(-result, os.strerror(-result), what)
    return result


class Look(NamedTuple):
    """What stands at a name: its identity (None: it has no valid one) and handle."""

    id: bytes | None
    handle: bytes


class Entry(NamedTuple):
    """A place of the dirty index; kind as `PlaceKind`. handle is empty when the peer noted it.

    parent, hint, parent_handle: where the object was then; empty when that is not known.
    ahead: a region noted ahead of a touch that had not come when the entry was read.
    region_count: of a file's data, so many regions side by side; 1 for everything else.
    """

    kind: int
    root: int
    id: bytes
    region: int
    name: bytes
    parent: bytes
    hint: bytes
    handle: bytes
    noted: int
    parent_handle: bytes = b""
    ahead: bool = False
    region_count: int = 1


class Copied(NamedTuple):
    """Bytes that one copy compared, sent, and sent as holes."""

    compared_bytes: int
    copied_bytes: int
    hole_bytes: int


class Step(NamedTuple):
    """One step of a comparison.

    blocks: a byte each: 0 equal, 1 other data, 2 a hole there only, 3 a hole here only.
    bytes_here, bytes_there: the size of the file on both nodes.
    """

    blocks: bytes
    bytes_here: int
    bytes_there: int


class PlaneEvent(NamedTuple):
    """An event of the capture: kind 1 link lost, 2 local fault, 3 unmounted."""

    kind: int
    error: int
    serial: int
    detail: str


class Counters(NamedTuple):
    """Counters since the capture was made; parked and nodes are levels."""

    changes: int
    replicated_bytes: int
    requests: int
    waits_ns: int
    waits: int
    parked: int
    nodes: int
    epoch: int
    session: int
    link: int  # 1: the session lives, 2: connections are dealt out


class Hello(NamedTuple):
    """The first message of a connection that was accepted."""

    lane: int
    lane_index: int
    session: bytes
    module: str
    node: str

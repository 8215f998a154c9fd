"""What a joining would compare, from the dirty index: files, names, bytes. It reads only.

The other node's own index is not known here; it adds what that node noted before the pair parted,
about a second of changes, or what was edited there while it was stopped.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from mirror.adapters.native import Plane
from mirror.daemon.plane.directories import Directory
from mirror.daemon.plane.objects import root_of
from mirror.daemon.plane.worklist import Worklist
from mirror.daemon.plane.works import Works
from mirror.vocabulary.places import PlaceKind


def estimate(plane: Plane, directories: Sequence[Directory]) -> dict[str, Any]:
    """Sizes of what the index names.

    whole: directories that are compared wholly; their bytes are those that their file system has
    in use, which is the most it can be.

    Raises: OSError.
    """
    whole = [each for each in directories if _is_whole(plane, each.number)]
    roots = [
        root_of(plane, each.number)
        for each in directories
        if each.number not in {one.number for one in whole}
    ]
    files, size = Works(plane, roots, set(), Worklist()).totals()
    names = sum(
        1
        for root in roots
        for kind in (PlaceKind.NAME, PlaceKind.DIRECTORY)
        for _ in plane.index_entries(root.number, kind)
    )
    return {
        "files": files,
        "bytes": size + sum(_used_bytes(each.lower) for each in whole),
        "names": names,
        "whole": [each.path for each in whole],
    }


def _is_whole(plane: Plane, number: int) -> bool:
    return any(
        True
        for kind in (PlaceKind.ALL, PlaceKind.SUBTREE)
        for _ in plane.index_entries(number, kind)
    )


def _used_bytes(lower: str) -> int:
    status = os.statvfs(lower)
    return (status.f_blocks - status.f_bfree) * status.f_frsize

"""Local entries that were kept aside by a live change, listed like all that is kept.

The library moves them into .mirror/aside/local/ under names of their own, in the middle of a
change (native/lower/local.c); here they get the paths they had, and a line each in the list.
"""

from __future__ import annotations

import os
import re

from mirror.adapters.native import Plane
from mirror.daemon.plane.aside import ASIDE_NAME, Aside
from mirror.daemon.plane.objects import by_descriptor, root_of
from mirror.daemon.plane.stash import open_hidden

FOLDER = "local"
_STRAY = re.compile(rb"[0-9a-f]{32}")  # as the library names them


def list_strays(plane: Plane, number: int, side: str) -> int:
    """Put what was kept aside of a directory in the list. Returns: how many. Raises: OSError."""
    if not plane.has_rules(number):
        return 0
    root = root_of(plane, number)
    fd = open_hidden(plane, root, ASIDE_NAME, FOLDER.encode())
    aside = Aside(plane, root, FOLDER, side)
    try:
        names = [name for name in os.listdir(by_descriptor(fd).encode()) if _STRAY.fullmatch(name)]
        for name in names:
            aside.keep_entry(fd, name)
    finally:
        os.close(fd)
        aside.close()
    return len(names)

"""What a pass of capture="watch" replaced here and did not finish: kept when this node serves.

A pass makes names equal first. The file that stood at a name is in the stash until the data of the
new one have arrived; a takeover in between finds the new one without them.
"""

from __future__ import annotations

import structlog

from mirror.adapters import clock
from mirror.adapters.native import Plane
from mirror.daemon.plane.aside import Aside
from mirror.daemon.plane.objects import root_of
from mirror.daemon.plane.stash import Stash

log = structlog.get_logger()

FOLDER = "interrupted"


def keep_interrupted(plane: Plane, number: int) -> None:
    """Keep aside what is in the stash of a directory. An error of the disk is only logged."""
    try:
        root = root_of(plane, number)
        stash = Stash(plane, root)
        try:
            if not stash.names():
                return
            name = f"{FOLDER}-{clock.wall_file_stamp(clock.wall_us())}"
            aside = Aside(plane, root, name, "SECOND")
            try:
                aside.keep_stash(stash)
            finally:
                aside.close()
            log.warning("a pass was not finished: what it replaced is kept", folder=name)
        finally:
            stash.close()
    except OSError as error:
        log.warning("what an unfinished pass replaced is not kept", error=str(error))

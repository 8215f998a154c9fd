"""How full the filesystems of some directories are: `python -m mirror.adapters.disk_space DIR...`.

Run as a program with a time limit: a directory may be on a mount that does not answer. Prints
JSON, {directory: [bytes used, bytes in all]}; what cannot be asked is left out. Imports little.
"""

import json
import os
import sys
from contextlib import suppress


def space_of(directories: list[str]) -> dict[str, tuple[int, int]]:
    """Ask each; "used" is all that the application cannot have."""
    found = {}
    for directory in directories:
        with suppress(OSError):
            facts = os.statvfs(directory)
            total = facts.f_blocks * facts.f_frsize
            found[directory] = (total - facts.f_bavail * facts.f_frsize, total)
    return found


if __name__ == "__main__":
    print(json.dumps(space_of(sys.argv[1:])))  # noqa: T201 - its answer

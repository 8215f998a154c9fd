"""Run the cases in a directory; see the package."""

import json
import os
import sys
import traceback
from pathlib import Path

from tests.mount.posix import (  # noqa: F401 - they register their cases
    data,
    directories,
    locks,
    names,
    permissions,
    special,
    times,
    xattrs,
)
from tests.mount.posix.tools import CASES


def main() -> None:
    """Print [case, what it observed], a line each; a case that fails says so in its place."""
    top = Path(sys.argv[1])
    wanted = sys.argv[2:] or list(CASES)
    os.umask(0o022)
    os.setgroups([])
    for name in wanted:
        directory = top / name
        directory.mkdir()
        directory.chmod(0o755)
        try:
            seen = CASES[name](directory)
        except Exception:  # noqa: BLE001 - an observation too
            seen = traceback.format_exc().replace(str(top), "TOP")[-1500:]
        print(json.dumps([name, seen]), flush=True)


main()

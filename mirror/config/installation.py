"""The directories of SAFE and SAFEVAR, SAFE/safekit and SAFEBIN: made when missing, never changed.

A package of the distribution makes them too; this is for a node that was installed with pip.
"""

import shlex
from pathlib import Path

from mirror.config.files import write_durably
from mirror.config.layout import Layout

PACKAGE_KINDS = ("generic", "demo", "published", "other", "backup")
# Programs that SafeKit's scripts call as $SAFEBIN/NAME, or as `safekit -r NAME`.
HELPERS = ("boundcmd", "gencron", "kill", "processtree")


def ensure_directories(layout: Layout, python: str) -> None:
    """Make what is missing. python: the interpreter that SAFE/safekit runs the program with.

    Raises: FileNotReadable (MIR-108), OSError.
    """
    for path in (
        layout.modules,
        layout.applied_modules,
        layout.safebin,
        layout.last_configurations,
        *(layout.application_modules / kind for kind in PACKAGE_KINDS),
        layout.cluster,
        layout.snapshots,
        layout.safevar / "modules",
    ):
        path.mkdir(parents=True, exist_ok=True)
    # Local commands control the node: only its owner may reach the sockets.
    layout.run.mkdir(mode=0o700, parents=True, exist_ok=True)
    # -P: whoever runs it as root may stand in anybody's directory, which holds no module of ours.
    program = f"exec {shlex.quote(python)} -P -m mirror.cli"
    _make_wrapper(layout.command, f'{program} "$@"')
    for name in HELPERS:
        _make_wrapper(layout.safebin / name, f'{program} {name} "$@"')


def _make_wrapper(file: Path, line: str) -> None:
    if not file.exists():
        write_durably(file, f"#!/bin/sh\n{line}\n".encode(), mode=0o755)

"""The directories of SAFE and SAFEVAR, and SAFE/safekit: made when missing, never changed.

A package of the distribution makes them too; this is for a node that was installed with pip.
"""

import shlex

from mirror.config.files import write_durably
from mirror.config.layout import Layout

PACKAGE_KINDS = ("generic", "demo", "published", "other", "backup")


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
    if not layout.command.exists():
        wrapper = f'#!/bin/sh\nexec {shlex.quote(python)} -m mirror.cli "$@"\n'
        write_durably(layout.command, wrapper.encode(), mode=0o755)

"""`mirror service install|remove|status`: the node as a systemd service, started at boot.

Where systemd does not run (a container, a chroot), the unit is written and enabled all the same,
and counts from the next boot.
"""

import shutil
import subprocess
import sys
from pathlib import Path

import click

from mirror.cli.options import SectionedGroup, common, pass_session
from mirror.cli.session import Session
from mirror.config.files import write_durably
from mirror.config.systemd_unit import NAME, unit_text
from mirror.errors import ServiceRefused

SYSTEMD = Path("/run/systemd/system")
UNITS = Path("/etc/systemd/system")
SYSTEMCTL_S = 60.0


@click.group(cls=SectionedGroup)
def service() -> None:
    """Run the node as a systemd service, which starts it at boot."""


@service.command()
@click.option(
    "--directory",
    type=click.Path(path_type=Path),
    default=UNITS,
    show_default=True,
    help="Where systemd looks for units.",
)
@click.option("--start", is_flag=True, help="Start it now, too.")
@common
@pass_session
def install(session: Session, directory: Path, *, start: bool) -> None:
    """Write the unit mirror.service and enable it."""
    session.ensure_directories()
    file = directory / NAME
    write_durably(file, unit_text(program(), session.layout).encode(), mode=0o644)
    enabled = directory == UNITS
    if enabled:
        if SYSTEMD.is_dir():
            systemctl("daemon-reload")
        systemctl("enable", *(["--now"] if start else []), NAME)
    session.report(
        {"unit": str(file), "enabled": enabled, "started": start},
        f"{file} is written" + (" and enabled: the node starts at boot" if enabled else ""),
    )


@service.command()
@common
@pass_session
def remove(session: Session) -> None:
    """Disable the unit and take it away; a node that runs goes on until it is stopped."""
    file = UNITS / NAME
    if file.is_file():
        systemctl("disable", NAME)
        file.unlink()
        if SYSTEMD.is_dir():
            systemctl("daemon-reload")
    session.report({"unit": str(file)}, f"{file} is removed")


@service.command()
@common
@pass_session
def status(session: Session) -> None:
    """Say whether the unit is there, and is the one that this program would write."""
    file = UNITS / NAME
    here = file.is_file()
    current = here and file.read_text(encoding="utf-8") == unit_text(program(), session.layout)
    word = "not installed" if not here else "installed" if current else "of another version"
    session.report({"unit": str(file), "installed": here, "current": current}, f"{NAME}: {word}")


def program() -> str:
    """The command `mirror`, by its absolute path."""
    beside = Path(sys.executable).with_name("mirror")
    found = str(beside) if beside.is_file() else shutil.which("mirror")
    if found is None:
        raise ServiceRefused(observed="the program `mirror` is not found", remedy="install it")
    return found


def systemctl(*words: str) -> None:
    """Run systemctl. Raises: ServiceRefused (MIR-133) with its words."""
    try:
        done = subprocess.run(
            ["systemctl", *words],
            capture_output=True,
            text=True,
            timeout=SYSTEMCTL_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ServiceRefused(observed=str(error), remedy="does this host have systemd?") from error
    if done.returncode:
        said = done.stderr.strip() or f"exit code {done.returncode}"
        raise ServiceRefused(observed=said, remedy=f"try `systemctl {' '.join(words)}`")

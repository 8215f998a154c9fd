"""`mirror check-nagios`: one line and an exit code, as Nagios and Icinga want them.

0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN. These numbers are the plugin interface's, not those of the
other commands.
"""

import os
import sys
from collections.abc import Iterator, Mapping
from enum import IntEnum
from typing import Any, NoReturn

import click

from mirror.cli.options import common, pass_session
from mirror.cli.session import Session
from mirror.errors import MirrorError

ANSWER_S = 10.0
SERVES = frozenset({"PRIM", "ALONE", "UP"})
PERCENT = click.IntRange(1, 100)


class Level(IntEnum):
    """What Nagios calls it, by its exit code; the order of badness is `BADNESS`."""

    OK = 0
    WARNING = 1
    CRITICAL = 2
    UNKNOWN = 3


BADNESS = (Level.OK, Level.UNKNOWN, Level.WARNING, Level.CRITICAL)


@click.command(name="check-nagios")
@click.option(
    "--disk-warning",
    type=PERCENT,
    default=80,
    show_default=True,
    metavar="PERCENT",
    help="WARNING from so much of a disk used.",
)
@click.option(
    "--disk-critical",
    type=PERCENT,
    default=90,
    show_default=True,
    metavar="PERCENT",
    help="CRITICAL from so much of it used.",
)
@common
@pass_session
def check_nagios(session: Session, *, disk_warning: int, disk_critical: int) -> None:
    """Check a module, or all, for Nagios or Icinga: one line, exit code 0 to 3."""
    try:
        with session.client(timeout_s=ANSWER_S) as client:
            modules: Mapping[str, Any] = client.call("state")["modules"]
        wanted = session.module_or_none()
    except MirrorError as error:
        _end(Level.UNKNOWN, str(error), "")
    if wanted is not None and wanted not in modules:
        _end(Level.UNKNOWN, f"{wanted} is not configured on this node", "")
    found = {name: one for name, one in modules.items() if wanted in (None, name)}
    if not found:
        _end(Level.UNKNOWN, "no module is configured on this node", "")
    said: list[tuple[Level, str]] = []
    figures: list[str] = []
    for name, values in found.items():
        said.append(judge(name, values))
        figures += performance(name, values)
        for directory in values.get("directories") or ():
            part = used_percent(directory)
            if part is None:
                continue
            level = disk_level(part, disk_warning, disk_critical)
            figures.append(f"'{directory}'={part}%;{disk_warning};{disk_critical};0;100")
            if level is not Level.OK:
                said.append((level, f"{directory} is {part} % full"))
    worst = max((level for level, _ in said), key=BADNESS.index)
    shown = [text for level, text in said if level is worst or worst is Level.OK]
    _end(worst, "; ".join(shown), " ".join(figures))


def judge(name: str, values: Mapping[str, Any]) -> tuple[Level, str]:
    """How a module fares, and that in words. Pure."""
    state, ready = str(values.get("state")), str(values.get("ready"))
    reason = str(values.get("reason") or values.get("safety") or "")
    said = f"{name} {state} {ready}" + (f": {reason}" if reason else "")
    if "split brain" in reason.casefold() or ready == "NotReady":
        return Level.CRITICAL, said
    if ready != "Ready":
        return Level.WARNING, said
    # Alone it serves, and a second loss would end it.
    return (Level.WARNING if state == "ALONE" else Level.OK), said


def performance(name: str, values: Mapping[str, Any]) -> Iterator[str]:
    """Figures for graphs, as the plugin interface writes them. Pure."""
    serves = values.get("state") in SERVES and values.get("ready") == "Ready"
    yield f"'{name} serves'={int(serves)};;;0;1"
    progress = values.get("progress") or {}
    if "percent" in progress:
        yield f"'{name} reintegration'={progress['percent']}%;;;0;100"
    replication = values.get("replication") or {}
    if isinstance(replication.get("changes"), int):
        yield f"'{name} changes'={replication['changes']}c"


def disk_level(part: int, warning: int, critical: int) -> Level:
    """How full is too full."""
    if part >= critical:
        return Level.CRITICAL
    return Level.WARNING if part >= warning else Level.OK


def used_percent(directory: str) -> int | None:
    """How full the disk of a directory is; None when it cannot be asked."""
    try:
        facts = os.statvfs(directory)
    except OSError:
        return None
    total = facts.f_blocks
    return 100 * (total - facts.f_bavail) // total if total else None


def _end(level: Level, text: str, figures: str) -> NoReturn:
    # A bar begins the figures, so none may stand in the text.
    line = f"MIRROR {level.name} - {' '.join(text.replace('|', '/').split())}"
    click.echo(line + (f" | {figures}" if figures else ""))
    sys.exit(level)

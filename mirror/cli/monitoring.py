"""`mirror level` and `mirror log`: what is installed, and what happened."""

import json
import platform
import socket
import sqlite3
from collections.abc import Mapping
from dataclasses import asdict
from importlib.metadata import version
from typing import Any

import click

from mirror.adapters.module_log import LEVELS, SHOWN_LEVELS, LogEntry, read_last
from mirror.cli.options import common, pass_session
from mirror.cli.session import Session
from mirror.config.ports import ports_shown
from mirror.errors import FileNotReadable, NodeNotReachable

LOG_LINES_DEFAULT = 50


@click.command()
@common
@pass_session
def level(session: Session) -> None:
    """Show what is installed: host, system, version, modules with their ids."""
    ids = session.store.ids.all()
    wanted = session.module_or_none()
    modules = {
        name: {
            "id": number,
            **asdict(ports_shown(session.store, name, number, session.environment)),
            "configured": name in session.store.configured(),
        }
        for name, number in ids.items()
        if wanted in (None, name)
    }
    value = {
        "host": socket.gethostname(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": platform.python_version(),
        "version": version("mirror"),
        "modules": modules,
    }
    lines = [
        f"Host: {value['host']}",
        f"System: {value['system']}",
        f"Version: {value['version']}",
        *(
            f"Module: {name} id={one['id']} "
            + ("configured" if one["configured"] else "not configured")
            for name, one in modules.items()
        ),
    ]
    session.report(value, "\n".join(lines))


@click.command()
@click.option(
    "-s",
    "last",
    type=click.IntRange(1, 1_000_000),
    default=LOG_LINES_DEFAULT,
    show_default=True,
    help="How many lines.",
)
@click.option("-A", "every", is_flag=True, help="All levels, the verbose ones included.")
@click.option(
    "-l",
    "language",
    type=click.Choice(["en", "fr"]),
    default="en",
    help="As SafeKit has it; the log is in English.",
)
@click.option("-f", "follow", is_flag=True, help="Go on with new lines as they come.")
@common
@pass_session
def log(session: Session, *, last: int, every: bool, language: str, follow: bool) -> None:
    """Show the last lines of the module log."""
    del language  # SafeKit's tools look for its English texts in these lines
    module = session.module_for("log")
    if follow:
        _follow(session, module, last, every=every)
        return
    entries = entries_of(session, module, last, every=every)
    shown = [entry for entry in entries if every or _is_shown(entry)]
    if session.as_json:
        session.report({"entries": shown}, "")
        return
    for entry in shown:
        _print_entry(session, entry)


@click.command()
@click.option(
    "-s",
    "last",
    type=click.IntRange(1, 1_000_000),
    default=LOG_LINES_DEFAULT,
    show_default=True,
    help="How many lines to begin with.",
)
@click.option("-A", "every", is_flag=True, help="All levels, the verbose ones included.")
@common
@pass_session
def logview(session: Session, *, last: int, every: bool) -> None:
    """Show the module log and go on with new lines as they come."""
    _follow(session, session.module_for("logview"), last, every=every)


def entries_of(
    session: Session, module: str, last: int, *, every: bool
) -> list[Mapping[str, Any]]:
    """The last lines, of the node or, when it is down, of its disk."""
    try:
        with session.client() as client:
            found = client.call("log", module=module, last=last, every=every)["entries"]
            return list(found)
    except NodeNotReachable as error:
        # When a node is down is when its log is wanted most.
        click.echo(f"note: {error}; this is the log on the disk", err=True)
        return list(_on_disk(session, module, last, every=every))


def _follow(session: Session, module: str, last: int, *, every: bool) -> None:
    """Print the last entries and every new one, until interrupted or the node ends."""
    with session.client() as client:
        reply = client.call("log", module=module, last=last, every=every, follow=True)
        for entry in reply["entries"]:
            if every or _is_shown(entry):
                _print_entry(session, entry)
        for message in client.events():
            if message["event"] == "log" and (every or _is_shown(message["entry"])):
                _print_entry(session, message["entry"])


def _on_disk(session: Session, module: str, last: int, *, every: bool) -> list[dict[str, Any]]:
    file = session.layout.module(module).log_database
    if not file.exists():
        session.store.require_installed(module)
    try:
        found = read_last(file, last, LEVELS if every else SHOWN_LEVELS)
    except sqlite3.Error as error:
        raise FileNotReadable(file=file, observed=str(error)) from error
    return [asdict(entry) for entry in found]


def _is_shown(entry: Mapping[str, Any]) -> bool:
    return str(entry.get("level", "E")) in SHOWN_LEVELS


def _print_entry(session: Session, entry: Mapping[str, Any]) -> None:
    """Print one line as SafeKit does, or as one JSON text a line."""
    if session.as_json:
        click.echo(json.dumps(entry, default=str))
        return
    known = LogEntry(
        time_us=int(entry.get("time_us", 0)),
        level=str(entry.get("level", "E")),
        source=str(entry.get("source", "")),
        text=str(entry.get("text", "")),
    )
    click.echo(known.line)

"""What is going on: state, level, log; as people read them."""

import json
import platform
import socket
from collections.abc import Mapping
from importlib.metadata import version

import click

from mirror.cli.options import common, pass_session
from mirror.cli.session import Session
from mirror.config.layout import ports_of

LOG_LINES_DEFAULT = 50
# Levels of log lines, as SafeKit has them: the first row is shown always, the second with -A.
LEVELS_SHOWN = ("C", "E", "U", "S")


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
            "heartbeat_udp": ports_of(number).heartbeat_udp,
            "data_tcp": ports_of(number).data_tcp,
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
@click.option("-l", "language", type=click.Choice(["en", "fr"]), default="en", help="Language.")
@click.option("-f", "follow", is_flag=True, help="Go on with new lines as they come.")
@common
@pass_session
def log(session: Session, *, last: int, every: bool, language: str, follow: bool) -> None:
    """Show the last lines of the module log."""
    module = session.module_for("log")
    with session.client() as client:
        reply = client.call(
            "log", module=module, last=last, every=every, language=language, follow=follow
        )
        entries = [entry for entry in reply["entries"] if every or _is_shown(entry)]
        if session.as_json and not follow:
            session.report({"entries": entries}, "")
            return
        for entry in entries:
            _print_entry(session, entry)
        if not follow:
            return
        for message in client.events():
            if message["event"] == "log" and (every or _is_shown(message["entry"])):
                _print_entry(session, message["entry"])


def _is_shown(entry: object) -> bool:
    return not isinstance(entry, Mapping) or entry.get("level", "E") in LEVELS_SHOWN


def _print_entry(session: Session, entry: object) -> None:
    """Print one line as SafeKit does, or as one JSON text a line."""
    if session.as_json:
        click.echo(json.dumps(entry, default=str))
    elif isinstance(entry, Mapping):
        names = ("time", "source", "level", "text")
        click.echo("| " + " | ".join(str(entry.get(name, "")) for name in names))
    else:
        click.echo(str(entry))

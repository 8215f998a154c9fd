"""What is going on: state, level, log; and the messages that scripts add to the log."""

import json
import platform
import socket
import sys
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

import click
from rich.console import Console

from mirror.cli.options import common, pass_session
from mirror.cli.session import Session
from mirror.cli.state_view import (
    STATE_EXIT_CODES,
    STATE_UNKNOWN_EXIT_CODE,
    modules_view,
    resources_view,
)
from mirror.config.layout import ports_of
from mirror.errors import MirrorError, ModuleUnknown
from mirror.wire.local import Message

LOG_LINES_DEFAULT = 50
# Levels of log lines, as SafeKit has them: the first row is shown always, the second with -A.
LEVELS_SHOWN = ("C", "E", "U", "S")


@click.command()
@click.option("-v", "verbose", is_flag=True, help="Show the resources too.")
@click.option("-l", "local", is_flag=True, help="With -q: the local state.")
@click.option(
    "-q",
    "quiet",
    is_flag=True,
    help="Say nothing; the exit code tells: 0 STOP, 1 WAIT, 2 ALONE or UP, 3 PRIM, 4 SECOND,"
    " 255 unknown.",
)
@common
@pass_session
def state(session: Session, *, verbose: bool, local: bool, quiet: bool) -> None:
    """Show the state of one module (-m), or of all."""
    del local  # -lq is one word in scripts; the quiet state always is the local one
    if quiet:
        sys.exit(_quiet_code(session))
    module = session.module_or_none()
    with session.client() as client:
        reply = client.call("state")
        modules: dict[str, Any] = reply["modules"]
        if module is not None:
            if module not in modules:
                raise ModuleUnknown(module=module, observed="not configured on this node")
            modules = {module: modules[module]}
        if verbose:
            for name in modules:
                modules[name]["resources"] = client.call("resources", module=name)["resources"]

    def show(console: Console) -> None:
        console.print(modules_view(modules))
        for values in modules.values():
            if verbose:
                console.print(resources_view(values["resources"]))

    session.report({"modules": modules}, show)


def _quiet_code(session: Session) -> int:
    """SafeKit's exit code. An error must not look like a state: scripts act on these numbers."""
    try:
        module = session.module_for("state")
        with session.client() as client:
            modules = client.call("state")["modules"]
    except MirrorError as error:
        click.echo(str(error), err=True)
        return STATE_UNKNOWN_EXIT_CODE
    word = str(modules.get(module, {}).get("state", ""))
    return STATE_EXIT_CODES.get(word, STATE_UNKNOWN_EXIT_CODE)


@click.command()
@common
@pass_session
def level(session: Session) -> None:
    """Show what is installed: host, system, version, modules with their ids and ports."""
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


def _print_command(name: str, level_word: str) -> click.Command:
    @pass_session
    def run(session: Session, message: tuple[str, ...]) -> None:
        module = session.module_for(name)
        reply: Message = session.command(name, module, text=" ".join(message))
        session.report(reply, "")

    function = click.argument("message", nargs=-1, required=True)(common(run))
    return click.command(name=name, help=f"Add {level_word} to the module log (for scripts).")(
        function
    )


printi = _print_command("printi", "information")
printw = _print_command("printw", "a warning")
printe = _print_command("printe", "an error")

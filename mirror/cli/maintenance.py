"""boot, clean, dump, logsave, cmdlog: what an administrator does to a module now and then."""

import contextlib
import shutil
from dataclasses import asdict
from pathlib import Path

import click

from mirror.adapters import clock
from mirror.adapters.command_book import last_commands
from mirror.adapters.module_log import LEVELS, SHOWN_LEVELS, LogEntry
from mirror.cli.configure import read_applied
from mirror.cli.monitoring import entries_of
from mirror.cli.options import common, pass_session
from mirror.cli.session import Session
from mirror.cli.snapshot import contents
from mirror.config.files import write_durably
from mirror.config.user_settings import read_user_setting, write_user_setting
from mirror.errors import BootSettled, FileNotReadable, NodeNotReachable
from mirror.vocabulary.said import say
from mirror.vocabulary.said_system import system_said

DUMPS_KEPT = 3
COMMANDS_SHOWN = 50
LINES_SAVED_MAX = 10_000
# SafeKit's words for its console and its SNMP agent at boot; here both run with the node.
OF_THE_NODE = ("webon", "weboff", "webstatus", "snmpon", "snmpoff", "snmpstatus")


@click.command()
@click.argument("action", type=click.Choice(["on", "off", "status", *OF_THE_NODE]))
@common
@pass_session
def boot(session: Session, action: str) -> None:
    """Say whether the module starts with its host, when userconfig.xml has boot="ignore".

    on: it starts with the node, after boot_delay where that is set. off: it stays stopped until
    somebody starts it. status shows what holds. Any other boot= in userconfig.xml decides by
    itself: status shows it, on and off are refused.

    The words with web and snmp are SafeKit's, for its console and its SNMP agent: accepted, they
    do nothing, for the console runs with the node.

    Example: mirror boot on -m web
    """
    if action in OF_THE_NODE:
        session.report(
            {"effect": False}, f"boot {action}: nothing to do, the console runs with the node"
        )
        return
    module = session.module_for("boot")
    paths = session.layout.module(module)
    service = read_applied(session.store, module, session.environment).service
    if action != "status":
        if service.boot != "ignore":
            raise BootSettled(module=module, observed=say("boot.set", value=service.boot))
        write_user_setting(paths, "boot", on=action == "on")
        with contextlib.suppress(NodeNotReachable):
            session.command("boot", module)
    wanted = read_user_setting(paths, "boot") if service.boot == "ignore" else service.boot
    value = {"module": module, "boot": wanted, "boot_delay_ms": service.boot_delay_ms}
    session.report(value, f"{module}: boot {wanted}")


@click.command()
@click.argument("what", type=click.Choice(["all", "log", "process", "resource"]), default="all")
@common
@pass_session
def clean(session: Session, what: str) -> None:
    """Empty the log, end left-over processes, forget the resources of a stopped module."""
    module = session.module_for("clean")
    reply = session.command("clean", module, what=what)
    session.report(reply, str(reply.get("said") or f"{module}: cleaned"))


@click.command()
@common
@pass_session
def dump(session: Session) -> None:
    """Keep all that support needs in SAFEVAR, as files; the last three dumps stay."""
    module = session.module_for("dump")
    session.store.require_installed(module)
    parent = session.layout.snapshots / module
    directory = parent / f"dump_{clock.wall_file_stamp(clock.wall_us())}"
    try:
        for name, content in contents(session, module):
            file = directory / name
            file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            file.write_bytes(content)
    except OSError as error:
        raise FileNotReadable(file=directory, observed=system_said(error)) from error
    for old in sorted(parent.glob("dump_*"))[:-DUMPS_KEPT]:
        shutil.rmtree(old, ignore_errors=True)
    session.report({"module": module, "directory": str(directory)}, str(directory))


@click.command()
@click.option("-A", "every", is_flag=True, help="All levels, the verbose ones included.")
@click.option("-l", "language", type=click.Choice(["en", "fr", "ja"]), default="en", hidden=True)
@click.argument("file", type=click.Path(path_type=Path))
@common
@pass_session
def logsave(session: Session, *, every: bool, language: str, file: Path) -> None:
    """Write the module log to FILE."""
    del language  # lines are in English, as SafeKit's scripts and tools expect them
    module = session.module_for("logsave")
    found = entries_of(session, module, LINES_SAVED_MAX, every=every)
    levels = LEVELS if every else SHOWN_LEVELS
    known = (
        LogEntry(int(one["time_us"]), str(one["level"]), str(one["source"]), str(one["text"]))
        for one in found
    )
    lines = [one.line for one in known if one.level in levels]
    write_durably(file, "".join(f"{line}\n" for line in lines).encode(), mode=0o640)
    session.report({"file": str(file), "lines": len(lines)}, f"{file}: {len(lines)} lines")


@click.command()
@click.option(
    "-s", "last", type=click.IntRange(1, 100_000), default=COMMANDS_SHOWN, help="How many."
)
@common
@pass_session
def cmdlog(session: Session, *, last: int) -> None:
    """Show the commands given on this node's command line, and their exit codes."""
    found = last_commands(session.layout.safevar, last)
    lines = [
        f"| {clock.wall_text(one.time_us)} | {one.user}"
        + (f" | {one.identity}" if one.identity else "")
        + f" | {one.command} | {one.exit_code}"
        for one in found
    ]
    session.report({"commands": [asdict(one) for one in found]}, "\n".join(lines))

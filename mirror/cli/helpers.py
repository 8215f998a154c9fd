"""What scripts find in $SAFEBIN, and by `safekit -r`: boundcmd, kill, processtree, gencron.

Each is a command of its own here; SAFEBIN holds a wrapper of the same name for each.
"""

import asyncio
import os
import signal
import subprocess
from pathlib import Path

import click

from mirror.adapters.checkers.process_scan import DESCRIPTORS_MAX
from mirror.adapters.checkers.scan_client import Query, ScanClient
from mirror.adapters.process_tree import heads, kill_tree, processes, tree
from mirror.adapters.user_crontab import switch_user
from mirror.cli.options import common, pass_session
from mirror.cli.session import Session
from mirror.errors import EXIT_FAILED, EXIT_OK, HostProbeFailed

EXIT_OUT_OF_TIME = 2  # SafeKit's, of boundcmd
EXIT_NOT_FOUND = 127
SCAN_TIMEOUT_S = 10.0
LEVELS = {"terminate": signal.SIGTERM, "15": signal.SIGTERM, "9": signal.SIGKILL}


@click.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.argument("timeout_s", metavar="SECONDS", type=click.FloatRange(min=0, min_open=True))
@click.argument("command", metavar="COMMAND", nargs=-1, required=True, type=click.UNPROCESSED)
@click.pass_context
def boundcmd(ctx: click.Context, timeout_s: float, command: tuple[str, ...]) -> None:
    """Run COMMAND for SECONDS at most, then end it and all it started. Exit code: its own or 2."""
    try:
        process = subprocess.Popen(command)
    except OSError as error:
        click.echo(f"boundcmd: {command[0]}: {error.strerror}", err=True)
        ctx.exit(EXIT_NOT_FOUND)
    try:
        code = process.wait(timeout_s)
    except subprocess.TimeoutExpired:
        kill_tree(process.pid)
        process.wait()
        click.echo(f"boundcmd: {command[0]} lasted longer than {timeout_s:g} s", err=True)
        code = EXIT_OUT_OF_TIME
    # Ended by a signal: as a shell says it.
    ctx.exit(code if code >= 0 else 128 - code)


@click.command()
@click.option("-name", "name", default="", help="Name of the process, as `ps -e` shows it.")
@click.option("-nameregex", "nameregex", help="Or an expression that its name matches.")
@click.option("-argregex", "argregex", help="An expression that its arguments match.")
@click.option(
    "-level",
    "level",
    type=click.Choice(["test", *LEVELS]),
    default="test",
    show_default=True,
    help="test: list them; terminate, 15, 9: the signal they get.",
)
@common
@click.pass_context
@pass_session
def kill(
    session: Session,
    ctx: click.Context,
    *,
    name: str,
    nameregex: str | None,
    argregex: str | None,
    level: str,
) -> None:
    """Signal every process of a name. Exit code of -level=test: 0 when one is there, else 1."""
    if not name and nameregex is None:
        raise click.UsageError("kill: say which processes: -name=NAME or -nameregex=EXPRESSION")
    found = asyncio.run(_found(Query(name, nameregex, argregex, DESCRIPTORS_MAX)))
    pids = []
    for pidfd in found:
        pids.append(_pid_of(pidfd))
        if level != "test":
            signal.pidfd_send_signal(pidfd, LEVELS[level])
        os.close(pidfd)
    shown = sorted(pid for pid in pids if pid > 0)
    session.report({"processes": shown, "level": level}, "\n".join(map(str, shown)))
    ctx.exit(EXIT_OK if shown or level != "test" else EXIT_FAILED)


async def _found(query: Query) -> tuple[int, ...]:
    """Descriptors of the processes; a scan that a frozen directory blocks is given up."""
    client = ScanClient()
    try:
        found = (await client.scan([query], SCAN_TIMEOUT_S))[0]
    finally:
        await client.close()
    if found is None:
        raise HostProbeFailed(
            what=query.name or query.nameregex,
            observed="a process did not show its arguments in time",
            remedy="choose by -name alone, or try again",
        )
    return found.pidfds


def _pid_of(pidfd: int) -> int:
    """Number of the process a descriptor means; -1 when it has ended."""
    for line in Path(f"/proc/self/fdinfo/{pidfd}").read_text(encoding="ascii").splitlines():
        if line.startswith("Pid:"):
            return int(line.partition(":")[2])
    return -1


@click.command()
@click.argument("action", type=click.Choice(["list", "kill"]))
@click.argument("wanted", metavar="[all|NAME|PID]", default="all")
@common
@pass_session
def processtree(session: Session, action: str, wanted: str) -> None:
    """List or kill processes by NAME or PID, with all that they started."""
    if action == "kill" and wanted == "all":
        raise click.UsageError("processtree kill: say which: NAME or PID")
    known = processes()
    own = os.getpid()
    chosen = [pid for pid in heads(known, wanted) if pid != own]
    if action == "kill":
        killed = [pid for head in chosen for pid in kill_tree(head)]
        session.report({"killed": killed}, "\n".join(map(str, killed)))
        return
    rows = [row for head in chosen for row in tree(known, head)]
    value = [
        {"pid": one.pid, "parent": one.parent, "name": one.name, "depth": depth}
        for depth, one in rows
    ]
    session.report(
        {"processes": value},
        "\n".join(f"{'  ' * depth}{one.pid} {one.name}" for depth, one in rows),
    )


@click.command()
@click.argument("action", type=click.Choice(["add", "del"]))
@click.argument("user")
@click.argument("command", metavar="all|COMMAND")
@click.argument("mark", metavar="[COMMENT]", default="mirror")
@common
@pass_session
def gencron(session: Session, *, action: str, user: str, command: str, mark: str) -> None:
    """Switch entries of USER's crontab off (del) and on again (add): all, or those of COMMAND.

    What must run on the primary only: `add` in start_prim, `del` in stop_prim. An entry that is
    off stands behind "# COMMENT: ".
    """
    only = None if command == "all" else command
    changed = switch_user(user, mark=mark, command=only, on=action == "add")
    session.report({"user": user, "changed": changed}, f"{changed} entries of {user} changed")

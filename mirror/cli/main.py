"""The command `mirror` (and `safekit`): all verbs; here alone errors become exit codes.

Errors are sentences: never a traceback for an administrator's mistake. Exit codes stand in
mirror/errors.py.
"""

# A row of LAZY is a line, however wide.
# ruff: noqa: E501

import importlib
import json
import signal
import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import NoReturn

import click
from click.shell_completion import get_completion_class

from mirror.cli import control, messages, resources
from mirror.cli.manual import manual_page
from mirror.cli.options import SectionedGroup, common
from mirror.cli.session import Session
from mirror.errors import (
    EXIT_FAILED,
    EXIT_OK,
    EXIT_USAGE,
    CommandNotYet,
    ConfigRefused,
    MirrorError,
)

EXIT_INTERRUPTED = 128 + signal.SIGINT
COMPLETION_VARIABLE = "_MIRROR_COMPLETE"
SECTIONS = {
    "Control": (
        "start", "stop", "restart", "swap", "prim", "second", "waitstart", "waitstop", "waitstate",
        "stopstart", "forcestop", "primforce", "shutdown",
    ),
    "Monitoring": ("state", "log", "level", "doctor", "snapshot"),
    "Configuration": ("cluster", "module", "config", "confcheck", "confinfo", "deconfig", "console"),
    "For scripts and checkers": (
        "get", "set", "printi", "printw", "printe", "errd", "incloop", "resetloop", "checkloop",
    ),
    "Trying it": ("demo", "lab", "simulate"),
    "Program": ("node", "completion", "man"),
}  # fmt: skip
# Loaded when used, so that what scripts call answers fast: an application that takes over waits for
# them. The short helps are repeated here for the help page; a test compares them.
LAZY = {
    name: (f"mirror.cli.{file}", attribute, short_help)
    for name, file, attribute, short_help in (
        ("cluster", "cluster_commands", "cluster", "Describe the cluster: its networks, its two nodes, their keys."),
        ("confcheck", "configuration", "confcheck", "Check the edited configuration of the module and change nothing."),
        ("confinfo", "configuration", "confinfo", "Show which configuration is in force, and whether the edited one differs."),
        ("config", "configuration", "config", "Check the edited configuration of the module and put it in force."),
        ("console", "console_commands", "console", "Let people and programs use the console: links, users, tokens."),
        ("deconfig", "configuration", "deconfig", "Take the configuration of the module out of force; its data stay."),
        ("demo", "demo", "demo", "Show on this machine that a server's death loses nothing."),
        ("doctor", "doctor", "doctor", "Look at all this node needs and say what to do."),
        ("lab", "lab", "group", "Make two hosts, a client and a witness on this machine, and break them."),
        ("level", "monitoring", "level", "Show what is installed: host, system, version, modules with their ids."),
        ("log", "monitoring", "log", "Show the last lines of the module log."),
        ("module", "module_commands", "module", "Install, package and list modules."),
        ("snapshot", "snapshot", "snapshot", "Gather configuration, record, logs and state in FILE, without secrets."),
        ("state", "state", "state", "Show the state of one module (-m), or of all."),
    )
}  # fmt: skip


@click.group(
    cls=SectionedGroup,
    sections=SECTIONS,
    lazy=LAZY,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(None, "--version", "-V", package_name="mirror", prog_name="mirror")
@common
def cli() -> None:
    """Keep an application running on two servers, with every byte it writes on both.

    Begin with `mirror doctor`, or with `mirror lab up` to try it on this machine alone.
    """


@cli.command()
def node() -> None:
    """Run this node in the foreground (systemd starts it so)."""
    guardian = importlib.import_module("mirror.daemon.guardian")
    sys.exit(guardian.main())


@cli.command()
def simulate() -> None:
    """Show what would happen on an event, without doing it."""
    raise CommandNotYet(
        verb="simulate", observed="the what-if view comes later", remedy="try it with `mirror lab`"
    )


@cli.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the completion script of SHELL; bash: eval "$(mirror completion bash)"."""
    found = get_completion_class(shell)
    assert found is not None
    click.echo(found(cli, {}, "mirror", COMPLETION_VARIABLE).source())


@cli.command()
def man() -> None:
    """Print the manual page: mirror man | man -l -."""
    click.echo(manual_page(cli), nl=False)


for _command in (*messages.COMMANDS, *resources.COMMANDS):
    cli.add_command(_command)
control.add_control_verbs(cli)


def run(arguments: Sequence[str]) -> int:
    """Run one command line; return its exit code. Writes to stdout and stderr only."""
    session = Session()
    try:
        result = cli.main(
            args=list(arguments),
            prog_name="mirror",
            standalone_mode=False,
            complete_var=COMPLETION_VARIABLE,
            obj=session,
        )
    except MirrorError as error:
        _say_error(session, error)
        return error.exit_code
    except click.UsageError as error:
        error.show()
        return EXIT_USAGE
    except click.ClickException as error:
        error.show()
        return EXIT_FAILED
    except (click.Abort, KeyboardInterrupt):
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # `mirror log | head`: the reader has what it wanted.
        sys.stderr.close()
        return EXIT_OK
    # Without standalone mode click returns the code of ctx.exit().
    return result if isinstance(result, int) else EXIT_OK


def _say_error(session: Session, error: MirrorError) -> None:
    if session.as_json:
        said: dict[str, object] = {
            "code": error.code,
            "sentence": str(error),
            "exit_code": error.exit_code,
        }
        if isinstance(error, ConfigRefused):
            said["refusals"] = [asdict(one) for one in error.refusals]
        click.echo(json.dumps({"error": said}, indent=2))
    else:
        click.echo(f"mirror: {error}", err=True)


def main() -> NoReturn:
    """Entry point of the command."""
    sys.exit(run(sys.argv[1:]))

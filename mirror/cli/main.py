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
from pathlib import Path
from typing import NoReturn

import click
from click.shell_completion import get_completion_class

from mirror.cli import control, messages, resources
from mirror.cli.manual import manual_page
from mirror.cli.options import SectionedGroup, common
from mirror.cli.session import Session
from mirror.cli.simulate import simulate
from mirror.cli.spelled import respell
from mirror.errors import (
    EXIT_FAILED,
    EXIT_OK,
    EXIT_USAGE,
    ConfigRefused,
    MirrorError,
    UsageRefused,
)
from mirror.vocabulary.said import facts_of, parts_of

EXIT_INTERRUPTED = 128 + signal.SIGINT
COMPLETIONS = {
    "bash": "/usr/local/share/bash-completion/completions/mirror",
    "zsh": "/usr/local/share/zsh/site-functions/_mirror",
    "fish": "/usr/local/share/fish/vendor_completions.d/mirror.fish",
}
MANUAL = "/usr/local/share/man/man1/mirror.1"
COMPLETION_VARIABLE = "_MIRROR_COMPLETE"
SECTIONS = {
    "Control": (
        "start", "stop", "restart", "swap", "prim", "second", "waitstart", "waitstop", "waitstate",
        "stopstart", "forcestop", "primforce", "secondforce", "shutdown", "boot", "on",
    ),
    "Monitoring": (
        "state", "log", "logview", "logsave", "cmdlog", "level", "doctor", "snapshot", "dump", "clean",
        "check-nagios",
    ),
    "Configuration": (
        "cluster", "module", "config", "update", "confcheck", "confinfo", "deconfig", "console",
    ),
    "Data": ("rfsverify", "rfsdiff", "rfssync", "kept"),
    "For scripts and checkers": (
        "get", "set", "printi", "printw", "printe", "errd", "incloop", "resetloop", "checkloop",
        "checker", "failover", "boundcmd", "kill", "processtree", "gencron", "helper",
    ),
    "Trying it": ("demo", "lab", "simulate"),
    "Program": ("node", "service", "completion", "man"),
}  # fmt: skip
# Commands that change something, and are written in the book that `cmdlog` shows.
NOTED = frozenset(
    {
        *(word for word in SECTIONS["Control"] if word != "waitstate"),
        *(
            "module",
            "cluster",
            "config",
            "update",
            "deconfig",
            "errd",
            "checker",
            "failover",
            "clean",
        ),
    }
)
# Loaded when used, so that what scripts call answers fast: an application that takes over waits for
# them. The short helps are repeated here for the help page; a test compares them.
LAZY = {
    name: (f"mirror.cli.{file}", attribute, short_help)
    for name, file, attribute, short_help in (
        ("boot", "maintenance", "boot", 'Say whether the module starts with its host, when userconfig.xml has boot="ignore".'),
        ("boundcmd", "helpers", "boundcmd", "Run COMMAND for SECONDS at most, then end it and all it started."),
        ("check-nagios", "nagios", "check_nagios", "Check a module, or all, for Nagios or Icinga: one line, exit code 0 to 3."),
        ("clean", "maintenance", "clean", "Empty the log, end left-over processes, forget the resources of a stopped module."),
        ("cmdlog", "maintenance", "cmdlog", "Show the commands given on this node's command line, and their exit codes."),
        ("cluster", "cluster_commands", "cluster", "Describe the cluster: its networks, its two nodes, their keys."),
        ("confcheck", "configuration", "confcheck", "Check the edited configuration of the module and change nothing."),
        ("confinfo", "configuration", "confinfo", "Show which configuration is in force, and whether the edited one differs."),
        ("config", "configuration", "config", "Check the edited configuration of the module and put it in force."),
        ("console", "console_commands", "console", "Let people and programs use the console: links, users, tokens."),
        ("deconfig", "configuration", "deconfig", "Take the configuration of the module out of force; its data stay."),
        ("demo", "demo", "demo", "Show on this machine that a server's death loses nothing."),
        ("doctor", "doctor", "doctor", "Look at all this node needs and say what to do."),
        ("dump", "maintenance", "dump", "Keep all that support needs in SAFEVAR, as files; the last three dumps stay."),
        ("gencron", "helpers", "gencron", "Switch entries of USER's crontab off (del) and on again (add): all, or those of COMMAND."),
        ("helper", "spelled", "helper", "Run the program NAME of SAFEBIN; also written `-r NAME`."),
        ("kill", "helpers", "kill", "Signal every process of a name."),
        ("kept", "kept", "kept", "List what was kept aside before it was replaced; restore it, or remove it."),
        ("lab", "lab", "group", "Make two hosts, a client and a witness on this machine, and break them."),
        ("level", "monitoring", "level", "Show what is installed: host, system, version, modules with their ids."),
        ("log", "monitoring", "log", "Show the last lines of the module log."),
        ("logsave", "maintenance", "logsave", "Write the module log to FILE."),
        ("logview", "monitoring", "logview", "Show the module log and go on with new lines as they come."),
        ("module", "module_commands", "module", "Install, package and list modules."),
        ("on", "distributed", "on_nodes", 'Run COMMAND on HOSTS, "*" being all nodes; also written `-H HOSTS COMMAND`.'),
        ("processtree", "helpers", "processtree", "List or kill processes by NAME or PID, with all that they started."),
        ("rfsdiff", "replication", "rfsdiff", "Say what changed since this node is alone, and how long joining will take; on ALONE."),
        ("rfssync", "replication", "rfssync", "Ship a copy of the data by hand: name it on both nodes, and only differences are sent."),
        ("rfsverify", "replication", "rfsverify", "Compare both copies of the data while the application runs; on PRIM."),
        ("service", "service", "service", "Run the node as a systemd service, which starts it at boot."),
        ("snapshot", "snapshot", "snapshot", "Gather configuration, record, logs and state in FILE, without secrets."),
        ("update", "configuration", "update", "Take up changes of the configuration while the module runs, without a stop."),
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
@click.argument("shell", type=click.Choice(list(COMPLETIONS)))
@click.option("--install", "installs", is_flag=True, help="Write it where SHELL finds it.")
def completion(shell: str, *, installs: bool) -> None:
    """Print the completion script of SHELL; bash: eval "$(mirror completion bash)"."""
    found = get_completion_class(shell)
    assert found is not None
    source = found(cli, {}, "mirror", COMPLETION_VARIABLE).source()
    _print_or_install(source + "\n", COMPLETIONS[shell] if installs else "")


@cli.command()
@click.option("--install", "installs", is_flag=True, help="Write it where man(1) finds it.")
def man(*, installs: bool) -> None:
    """Print the manual page: mirror man | man -l -."""
    _print_or_install(manual_page(cli), MANUAL if installs else "")


def _print_or_install(text: str, place: str) -> None:
    if not place:
        click.echo(text, nl=False)
        return
    files = importlib.import_module("mirror.config.files")
    files.write_durably(Path(place), text.encode(), mode=0o644)
    click.echo(place)


cli.add_command(simulate)
for _command in (*messages.COMMANDS, *resources.COMMANDS):
    cli.add_command(_command)
control.add_control_verbs(cli)


def run(arguments: Sequence[str]) -> int:
    """Run one command line; return its exit code. Writes to stdout and stderr, and to the book."""
    session = Session()
    words = respell(arguments)
    code = _run(session, words)
    if NOTED.intersection(words):
        book = importlib.import_module("mirror.adapters.command_book")
        safevar = session.layout.safevar
        book.note_command(safevar, arguments, identity=session.identity or "", exit_code=code)
    return code


def _run(session: Session, words: list[str]) -> int:
    try:
        result = cli.main(
            args=words,
            prog_name="mirror",
            standalone_mode=False,
            complete_var=COMPLETION_VARIABLE,
            obj=session,
        )
    except MirrorError as error:
        _say_error(session, error)
        return error.exit_code
    except click.UsageError as error:
        # The option itself may stand after what was not understood.
        session.as_json |= "--json" in words[: words.index("--") if "--" in words else None]
        if session.as_json:
            command = "mirror" if error.ctx is None else error.ctx.command_path
            observed = " ".join(error.format_message().split()).removesuffix(".")
            _say_error(session, UsageRefused(command=command, observed=observed))
        else:
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
            "facts": facts_of(error),
        }
        if isinstance(error, ConfigRefused):
            said["refusals"] = [
                {**asdict(one), "said": parts_of(one.sentence)} for one in error.refusals
            ]
        click.echo(json.dumps({"error": said}, indent=2))
    else:
        click.echo(f"mirror: {error}", err=True)


def main() -> NoReturn:
    """Entry point of the command."""
    sys.exit(run(sys.argv[1:]))

"""The manual page mirror.1, made from the commands themselves, so that it is never out of date."""

from collections.abc import Iterator
from typing import Any

import click

from mirror.cli.options import SectionedGroup
from mirror.errors import EXIT_CODES

OPENING = r""".TH MIRROR 1
.SH NAME
mirror \- keep an application running on two servers, with every byte it writes on both
.SH SYNOPSIS
.B mirror
[\fB\-m\fR \fIMODULE\fR] \fICOMMAND\fR [\fIARGUMENT\fR...]
.SH DESCRIPTION
An application runs on one of two servers (PRIM). What it writes to the replicated directories is
on the other one (SECOND) before a write returns. When PRIM dies, SECOND starts the application.
The options \fB\-m\fR, \fB\-i\fR and \fB\-\-json\fR may stand before or after the command.
"""
CLOSING = r""".SH ENVIRONMENT
.TP
.B SAFEMODULE
The module meant when \fB\-m\fR is not given.
.TP
.B SAFE, SAFEVAR
Roots of programs and configuration (/opt/mirror), and of what changes (/var/lib/mirror).
.TP
.B NO_COLOR
No colours, on a terminal either.
"""


def manual_page(root: click.Group) -> str:
    """Write the whole page (roff). The order is that of the help page."""
    parts = [OPENING, ".SH COMMANDS\n"]
    ctx = click.Context(root, info_name="mirror")
    for title, names in _sections(root, ctx):
        parts.append(f".SS {escape(title)}\n")
        for name in names:
            command = root.get_command(ctx, name)
            if command is not None and not command.hidden:
                parts += _command(command, click.Context(command, info_name=name, parent=ctx))
    parts.append(".SH EXIT STATUS\n")
    parts += [f".TP\n.B {code}\n{escape(text)}\n" for code, text in sorted(EXIT_CODES.items())]
    parts.append(
        ".PP\n\\fBstate \\-lq\\fR has its own: 0 STOP, 1 WAIT, 2 ALONE or UP, 3 PRIM, 4 SECOND,"
        " 255 unknown.\n"
    )
    parts.append(CLOSING)
    return "".join(parts)


def _sections(root: click.Group, ctx: click.Context) -> Iterator[tuple[str, tuple[str, ...]]]:
    sections = root.sections if isinstance(root, SectionedGroup) else {}
    yield from sections.items()
    listed = {name for names in sections.values() for name in names}
    rest = tuple(name for name in root.list_commands(ctx) if name not in listed)
    if rest:
        yield "Others", rest


def _command(command: click.Command, ctx: click.Context) -> Iterator[str]:
    if isinstance(command, click.Group):
        for name in command.list_commands(ctx):
            inner = command.get_command(ctx, name)
            if inner is not None and not inner.hidden:
                yield from _command(inner, click.Context(inner, info_name=name, parent=ctx))
        return
    path = ctx.command_path.removeprefix("mirror ")
    usage = " ".join(piece for piece in command.collect_usage_pieces(ctx) if piece != "[OPTIONS]")
    yield f".TP\n\\fB{escape(path)}\\fR {escape(usage)}\n"
    yield escape(" ".join((command.help or "").split())) + "\n"
    for parameter in command.params:
        yield from _option(parameter, ctx)


def _option(parameter: click.Parameter, ctx: click.Context) -> Iterator[str]:
    record: tuple[Any, Any] | None = parameter.get_help_record(ctx)
    is_own = isinstance(parameter, click.Option) and parameter.expose_value
    if is_own and record and parameter.name != "help":
        yield f".br\n\\fB{escape(record[0])}\\fR: {escape(record[1])}\n"


def escape(text: str) -> str:
    """Write text so that roff shows it as it is."""
    escaped = text.replace("\\", "\\e").replace("-", "\\-")
    return "\\&" + escaped if escaped.startswith((".", "'")) else escaped

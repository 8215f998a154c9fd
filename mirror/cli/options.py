"""Options that many commands share, and the group that sorts its commands for the help page."""

import importlib
from collections.abc import Callable
from typing import Any, TypeVar

import click

from mirror.cli.session import Session
from mirror.config.collector import nearest
from mirror.errors import MirrorError

Decorated = TypeVar("Decorated", bound=Callable[..., Any])
# A summary is never cut: what it says last is often what matters.
SUMMARY_MAX = 1_000
pass_session = click.make_pass_decorator(Session, ensure=True)


def _complete_modules(
    ctx: click.Context, _parameter: click.Parameter, incomplete: str
) -> list[str]:
    try:
        names = ctx.ensure_object(Session).store.installed()
    except MirrorError:
        return []
    return [name for name in names if name.startswith(incomplete)]


def _keep(field: str) -> Callable[[click.Context, click.Parameter, object], None]:
    """Build a callback that writes the option into the session when it was given."""

    def callback(ctx: click.Context, _parameter: click.Parameter, value: object) -> None:
        if value:
            setattr(ctx.ensure_object(Session), field, value)

    return callback


module_option = click.option(
    "-m",
    "--module",
    metavar="MODULE",
    expose_value=False,
    callback=_keep("module"),
    shell_complete=_complete_modules,
    help="The module meant; SAFEMODULE when not given.",
)
identity_option = click.option(
    "-i",
    "--identity",
    metavar="NAME",
    expose_value=False,
    callback=_keep("identity"),
    help="Marks an automatic call, which counts in maxloop.",
)
json_option = click.option(
    "--json",
    is_flag=True,
    expose_value=False,
    callback=_keep("as_json"),
    help="Answer in JSON.",
)


def common(function: Decorated) -> Decorated:
    """Add -m, -i and --json."""
    return module_option(identity_option(json_option(function)))


class SectionedGroup(click.Group):
    """A group whose help page has sections, and which loads some commands only when used.

    sections: title -> names of commands in order. lazy: name -> (module, attribute, short help).
    """

    def __init__(
        self,
        *args: Any,
        sections: dict[str, tuple[str, ...]] | None = None,
        lazy: dict[str, tuple[str, str, str]] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.sections = sections or {}
        self.lazy = lazy or {}

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All names, those that are loaded when used included."""
        return sorted({*super().list_commands(ctx), *self.lazy})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Find a command; load it when it is a lazy one."""
        found = super().get_command(ctx, cmd_name)
        if found is None and cmd_name in self.lazy:
            module, attribute, _ = self.lazy[cmd_name]
            found = getattr(importlib.import_module(module), attribute)
            assert isinstance(found, click.Command)
        return found

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Propose the nearest command for one that does not exist."""
        if not ctx.resilient_parsing and args and self.get_command(ctx, args[0]) is None:
            hint = nearest(args[0], self.list_commands(ctx))
            ctx.fail(f'no such command: "{args[0]}"{hint}; `{ctx.command_path} --help` lists all')
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands by section; what stands in none comes last."""
        listed = {name for names in self.sections.values() for name in names}
        rest = tuple(name for name in self.list_commands(ctx) if name not in listed)
        for title, names in {
            **self.sections,
            "Commands" if not listed else "Others": rest,
        }.items():
            rows = [(name, self._short_help(ctx, name)) for name in names]
            shown = [row for row in rows if row[1] is not None]
            if shown:
                with formatter.section(title):
                    formatter.write_dl([(name, text or "") for name, text in shown])

    def _short_help(self, ctx: click.Context, name: str) -> str | None:
        """Help in one line, without loading a lazy command; None when it is hidden."""
        if name in self.lazy:
            return self.lazy[name][2]
        found = self.get_command(ctx, name)
        return None if found is None or found.hidden else found.get_short_help_str(SUMMARY_MAX)

"""printi, printw, printe: what scripts add to the module log."""

import click

from mirror.cli.options import common, pass_session
from mirror.cli.session import Session


def _print_command(name: str, level_word: str) -> click.Command:
    @pass_session
    def run(session: Session, message: tuple[str, ...]) -> None:
        module = session.module_for(name)
        reply = session.command(name, module, text=" ".join(message))
        session.report(reply, "")

    function = click.argument("message", nargs=-1, required=True)(common(run))
    return click.command(name=name, help=f"Add {level_word} to the module log (for scripts).")(
        function
    )


COMMANDS = (
    _print_command("printi", "information"),
    _print_command("printw", "a warning"),
    _print_command("printe", "an error"),
)

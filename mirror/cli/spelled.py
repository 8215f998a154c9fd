"""SafeKit's own spellings that stand before the verb: `-H HOSTS ...` and `-r NAME ...`.

They are the commands `on` and `helper` here; `helper` runs a program of SAFEBIN as it is.
"""

import os
from collections.abc import Sequence

import click

from mirror.cli.options import pass_session
from mirror.cli.session import Session
from mirror.errors import HelperUnknown

SPELLINGS = {"-H": "on", "-r": "helper"}


def respell(arguments: Sequence[str]) -> list[str]:
    """Give the same command line in our words. `--json` may stand before. Pure."""
    first = next((number for number, word in enumerate(arguments) if word != "--json"), 0)
    before, rest = list(arguments[:first]), list(arguments[first:])
    if rest and rest[0] in SPELLINGS:
        rest[0] = SPELLINGS[rest[0]]
    return [*before, *rest]


@click.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.argument("name")
@click.argument("words", metavar="[ARGUMENT]...", nargs=-1, type=click.UNPROCESSED)
@pass_session
def helper(session: Session, name: str, words: tuple[str, ...]) -> None:
    """Run the program NAME of SAFEBIN; also written `-r NAME`."""
    layout = session.layout
    program = layout.safebin / name
    session.ensure_directories()
    if "/" in name or not os.access(program, os.X_OK):
        known = sorted(path.name for path in layout.safebin.iterdir())
        raise HelperUnknown(name=name, directory=layout.safebin, known=", ".join(known))
    environment = {
        **session.environment,
        "SAFE": str(layout.safe),
        "SAFEVAR": str(layout.safevar),
        "SAFEBIN": str(layout.safebin),
    }
    os.execve(program, [str(program), *words], environment)  # noqa: S606 - its exit code is ours

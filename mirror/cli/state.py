"""`mirror state`: where each module is, why, and whether its data are safe."""

from typing import Any

import click

from mirror.cli.options import common, pass_session
from mirror.cli.session import Session
from mirror.cli.state_view import modules_view, resources_view
from mirror.cli.terminal import show
from mirror.cli.words import STATE_EXIT_CODES, STATE_UNKNOWN_EXIT_CODE
from mirror.errors import MirrorError, ModuleUnknown
from mirror.vocabulary.said import say


@click.command()
@click.option(
    "-v",
    "verbose",
    is_flag=True,
    help="Show the resources too, and what a reintegration waits for.",
)
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
        click.get_current_context().exit(_quiet_code(session))
    module = session.module_or_none()
    with session.client() as client:
        reply = client.call("state")
        modules: dict[str, Any] = reply["modules"]
        if module is not None:
            if module not in modules:
                raise ModuleUnknown(module=module, observed=say("module.unconfigured"))
            modules = {module: modules[module]}
        if verbose:
            for name in modules:
                modules[name]["resources"] = client.call("resources", module=name)["resources"]

    if session.as_json:
        session.report({"modules": modules}, "")
        return
    show(modules_view(modules))
    for values in modules.values():
        if verbose and (pending := (values.get("progress") or {}).get("pending")):
            click.echo("  pending: " + ", ".join(pending))
        if verbose:
            show(resources_view(values["resources"]))


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

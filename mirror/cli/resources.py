"""Resources and counters of a module: get, set, errd, incloop, resetloop, checkloop."""

from collections.abc import Mapping

import click

from mirror.cli.options import common, pass_session
from mirror.cli.session import Session
from mirror.errors import EXIT_FAILED, EXIT_OK, ResourceUnknown
from mirror.vocabulary.said import say

ERRD_NAMES = {"suspend": "off", "resume": "on"}  # the words of SafeKit before 8.2


@click.command(name="get")
@click.option("-r", "resource", required=True, help="Name of the resource, such as rfs.uptodate.")
@common
@pass_session
def get_resource(session: Session, resource: str) -> None:
    """Show the value of one resource."""
    module = session.module_for("get")
    with session.client() as client:
        resources = client.call("resources", module=module)["resources"]
    if resource not in resources:
        raise ResourceUnknown(resource=resource, module=module, observed=say("module.no_resource"))
    entry = resources[resource]
    value = entry.get("value") if isinstance(entry, Mapping) else entry
    session.report({"resource": resource, "value": value}, str(value))


@click.command(name="set")
@click.option("-r", "resource", required=True, help="Name of the resource, such as custom.web.")
@click.option(
    "-v",
    "value",
    required=True,
    type=click.Choice(["up", "down", "init", "unknown"]),
    help="What it is now; failover rules act upon it. init: nobody has an answer yet.",
)
@click.option("-n", "quiet", is_flag=True, help="Add no line to the log.")
@click.option("-l", "log_always", is_flag=True, help="Add a line to the log even without change.")
@common
@pass_session
def set_resource(
    session: Session, *, resource: str, value: str, quiet: bool, log_always: bool
) -> None:
    """Set the value of one resource (for checkers and scripts).

    A change is a line in the module log, and the failover rules are asked at once. `get` reads it.

    Example, in a checker: mirror set -r custom.web -v down -i checker.sh
    """
    module = session.module_for("set")
    reply = session.command(
        "set", module, resource=resource, value=value, quiet=quiet, log_always=log_always
    )
    session.report(reply, "")


@click.command()
@click.argument(
    "action", type=click.Choice(["on", "off", "suspend", "resume", "enable", "disable", "list"])
)
@click.argument("process_class", required=False, metavar="[CLASS]")
@common
@pass_session
def errd(session: Session, action: str, process_class: str | None) -> None:
    """Switch the process checker on or off, as a whole or one class of it, or list it."""
    module = session.module_for("errd")
    if (process_class is None) == (action in ("enable", "disable")):
        raise click.UsageError(
            f"errd {action}: a class is needed by enable and disable, and only then"
        )
    arguments: dict[str, object] = {"action": ERRD_NAMES.get(action, action)}
    if process_class is not None:
        arguments["class"] = process_class
    reply = session.command("errd", module, **arguments)
    listed = "\n".join(str(line) for line in reply.get("processes", ()))
    session.report(reply, listed)


def _loop_command(name: str, help_text: str) -> click.Command:
    @click.pass_context
    @pass_session
    def run(session: Session, ctx: click.Context) -> None:
        reply = session.command(name, session.module_for(name))
        count = reply.get("count")
        session.report(reply, "" if count is None else str(count))
        ctx.exit(EXIT_FAILED if reply.get("reached") and name != "resetloop" else EXIT_OK)

    return click.command(name=name, help=help_text)(common(run))


def _switch_command(name: str, help_text: str) -> click.Command:
    @click.argument("action", type=click.Choice(["on", "off"]))
    @common
    @pass_session
    def run(session: Session, action: str) -> None:
        module = session.module_for(name)
        session.report(session.command(name, module, action=action), f"{module}: {name} {action}")

    return click.command(name=name, help=help_text)(run)


COMMANDS = (
    get_resource,
    set_resource,
    errd,
    _switch_command("checker", "Switch the checkers of the module on or off."),
    _switch_command("failover", "Let this node take over by itself (on), or not (off)."),
    _loop_command(
        "incloop",
        "Count one more automatic restart (for handlers). Exit code 1: the limit is reached.",
    ),
    _loop_command("resetloop", "Set the counter of automatic restarts to zero."),
    _loop_command(
        "checkloop", "Show the counter of automatic restarts. Exit code 1: the limit is reached."
    ),
)

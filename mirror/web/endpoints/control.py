"""Commands to modules."""

from dataclasses import dataclass

from mirror.config.names import check_module_name
from mirror.errors import ConfirmationNeeded, InputRefused
from mirror.web.console import Here, Who
from mirror.web.endpoints.state import ModuleName
from mirror.web.models.control import Command, CommandDone, CommandHelp, CommandList


@dataclass(frozen=True, slots=True)
class Verb:
    """One command. discards_with: arguments with which data can be lost; "*": always."""

    help: str
    arguments: tuple[str, ...] = ()
    interrupts: bool = False
    discards_with: tuple[str, ...] = ()
    every_module: bool = False


# fmt: off
VERBS: dict[str, Verb] = {
    "start":     Verb("Start; which node becomes primary follows from the data."),
    "stop":      Verb("Stop on this node; the other node takes over.", interrupts=True),
    "restart":   Verb("Run the stop and start scripts again, without failover.", interrupts=True),
    "stopstart": Verb("Stop, then start; the other node takes over meanwhile.", interrupts=True),
    "swap":      Verb("Exchange primary and secondary.", ("nosync",), interrupts=True),
    "prim":      Verb("Start as primary.", ("fullsync",), discards_with=("fullsync",)),
    "second":    Verb("Start as secondary.", ("fullsync",), discards_with=("fullsync",)),
    "primforce": Verb("Start as primary on data that may be incomplete.", discards_with=("*",)),
    "forcestop": Verb("Stop at once, without waiting for the application.", interrupts=True),
    "errd":      Verb("Switch the process checker: on, off, or enable, disable a class.", ("action", "class")),  # noqa: E501
    "resetloop": Verb("Set the counter of automatic restarts to zero."),
    "shutdown":  Verb("Stop every module of this node.", interrupts=True, every_module=True),
}
# fmt: on


async def list_commands() -> CommandList:
    """Every command, with what to ask before it is given."""
    return CommandList(
        commands=[
            CommandHelp(
                verb=name,
                arguments=list(verb.arguments),
                role="Control",
                interrupts=verb.interrupts,
                discards_with=list(verb.discards_with),
                help=verb.help,
            )
            for name, verb in VERBS.items()
        ]
    )


async def command_module(
    console: Here, caller: Who, module: ModuleName, body: Command
) -> CommandDone:
    """Give a command to a module of this node.

    It is answered when the node has accepted or refused it; what follows comes as events.
    """
    name, verb = check_module_name(module), VERBS[body.verb]
    if verb.every_module:
        raise InputRefused(
            what=body.verb, observed="it is for the whole node", remedy="send it to /commands"
        )
    unknown = set(body.arguments) - set(verb.arguments)
    if unknown:
        raise InputRefused(
            what=body.verb,
            observed=f"argument {min(unknown)[:40]!r} is unknown",
            remedy=f"it has {', '.join(verb.arguments) or 'none'}",
        )
    given = {argument for argument, value in body.arguments.items() if value}
    discards = "*" in verb.discards_with or bool(given & set(verb.discards_with))
    if discards and body.confirm != name:
        raise ConfirmationNeeded(verb=body.verb, module=name, observed="it can discard data")
    return await _command(console, caller, name, body)


async def command_node(console: Here, caller: Who, body: Command) -> CommandDone:
    """Give a command to the whole node: `shutdown` stops every module."""
    if not VERBS[body.verb].every_module or body.arguments:
        raise InputRefused(
            what=body.verb, observed="it is for one module", remedy="send it to that module"
        )
    return await _command(console, caller, None, body)


async def _command(console: Here, caller: Who, module: str | None, body: Command) -> CommandDone:
    # Not `identity`: that marks what a machine asks for, and counts in maxloop.
    asked_by = f"{caller.name}@{caller.origin}"
    reply = await console.control(
        "command",
        verb=body.verb,
        module=module,
        arguments=body.arguments,
        identity=None,
        asked_by=asked_by,
    )
    rest = {key: value for key, value in reply.items() if key not in {"v", "id", "ok", "said"}}
    rest |= {"module": module or "", "verb": body.verb}
    return CommandDone(said=str(reply.get("said") or ""), **rest)

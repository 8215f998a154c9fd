"""Commands to modules."""

from collections.abc import Mapping
from dataclasses import dataclass

from mirror.config.names import check_module_name
from mirror.errors import ConfirmationNeeded, InputRefused
from mirror.vocabulary.said import say
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
    "checker":   Verb("Switch all checkers of the module: on, off.", ("action",)),
    "failover":  Verb("Switch the failover rules of the module: on, off.", ("action",)),
    "rfsverify": Verb("Compare both copies while the application runs.", ("action", "repair")),
    "rfsdiff":   Verb("What changed since this node is alone, and how long joining will take."),
    "rfssync":   Verb("Copy the data from outside: show, external, forget, full.", ("action", "side", "uid")),  # noqa: E501
    "set":       Verb("Set a resource of the module, as a script does.", ("resource", "value")),
    "incloop":   Verb("Count one more automatic restart."),
    "checkloop": Verb("How many automatic restarts were counted, and whether that is too many."),
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
            what=body.verb, observed=say("seen.whole_node"), remedy=say("do.to_commands")
        )
    check_arguments(body.verb, body.arguments)
    if discards_data(body.verb, body.arguments) and body.confirm != name:
        raise ConfirmationNeeded(verb=body.verb, module=name, observed=say("seen.discards"))
    return await _command(console, caller, name, body)


def check_arguments(verb: str, arguments: Mapping[str, bool | str]) -> None:
    """Raise InputRefused (MIR-806) for an argument that the verb does not have."""
    known = VERBS[verb].arguments
    if unknown := set(arguments) - set(known):
        raise InputRefused(
            what=verb,
            observed=say("seen.argument", argument=repr(min(unknown)[:40])),
            remedy=say("do.arguments", known=list(known) or say("do.none")),
        )


def given(arguments: Mapping[str, bool | str]) -> set[str]:
    """Give the arguments that are switched on."""
    return {argument for argument, value in arguments.items() if value}


def discards_data(verb: str, arguments: Mapping[str, bool | str]) -> bool:
    """Tell whether data can be lost, so that the module's name is asked for."""
    discards_with = VERBS[verb].discards_with
    return "*" in discards_with or bool(given(arguments) & set(discards_with))


async def command_node(console: Here, caller: Who, body: Command) -> CommandDone:
    """Give a command to the whole node: `shutdown` stops every module."""
    if not VERBS[body.verb].every_module or body.arguments:
        raise InputRefused(
            what=body.verb, observed=say("seen.one_module"), remedy=say("do.to_module")
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

"""Control verbs: start, stop, swap, prim and their like. One row a verb; it makes the command.

A verb asks the control plane and says what it answered; nothing is decided here.
"""

from dataclasses import dataclass
from datetime import datetime

import click

from mirror.cli.options import common, pass_session
from mirror.cli.session import Session
from mirror.cli.words import state_word
from mirror.wire.local import Message

ACTIVE = ("ALONE", "PRIM", "SECOND", "UP")
WAITABLE = ("STOP", "WAIT", "ALONE", "UP", "PRIM", "SECOND")


@dataclass(frozen=True, slots=True)
class Verb:
    """One control verb. word: the optional word after it; wait_for: states to wait for then."""

    name: str
    help: str
    word: str | None = None
    sent: str | None = None
    wait_for: tuple[str, ...] = ()
    every_module: bool = False


VERBS = (
    Verb("start", "Start the module; which node becomes primary follows from the data."),
    Verb(
        "waitstart", "Start the module and wait until it is Ready.", sent="start", wait_for=ACTIVE
    ),
    Verb("stop", "Stop the module on this node; the other node takes over."),
    Verb(
        "waitstop",
        "Stop the module and wait until it is stopped.",
        sent="stop",
        wait_for=("STOP",),
    ),
    Verb("shutdown", "Stop every module of this node.", every_module=True),
    Verb("restart", "Run the stop and start scripts again, without failover."),
    Verb("stopstart", "Stop the module, then start it; the other node takes over meanwhile."),
    Verb("forcestop", "Stop at once, without waiting for the application."),
    Verb(
        "swap", "Exchange primary and secondary; nosync: without waiting for data.", word="nosync"
    ),
    Verb(
        "prim",
        "Start as primary; fullsync: the secondary is then compared in full.",
        word="fullsync",
    ),
    Verb("second", "Start as secondary; fullsync: compare everything first.", word="fullsync"),
    Verb("primforce", "Start as primary on data that may be incomplete. This may lose changes."),
)


def add_control_verbs(group: click.Group) -> None:
    """Add every verb, and waitstate, to the group."""
    for verb in VERBS:
        group.add_command(_command_of(verb))
    group.add_command(secondforce)
    group.add_command(waitstate)


def _command_of(verb: Verb) -> click.Command:
    @pass_session
    def run(session: Session, word: str | None = None) -> None:
        module = None if verb.every_module else session.module_for(verb.name)
        arguments = {word: True} if word else {}
        reply = session.command(verb.sent or verb.name, module, **arguments)
        if verb.wait_for and module is not None:
            reply = wait_for(session, module, verb.wait_for, timeout_s=None, ready=True)
            session.report(reply, f"{module} is {state_word(reply)}")
        else:
            text = str(reply.get("said") or f"{verb.name} asked: {module or 'every module'}")
            session.report(reply, text)

    function = common(run)
    if verb.word:
        choice = click.Choice([verb.word])
        function = click.argument("word", required=False, type=choice, metavar=f"[{verb.word}]")(
            function
        )
    return click.command(name=verb.name, help=verb.help)(function)


def wait_for(
    session: Session,
    module: str,
    states: tuple[str, ...],
    *,
    timeout_s: float | None,
    ready: bool = False,
) -> Message:
    """Wait until the module is in one of the states; the control plane answers when it is.

    ready: the state must be stable too. Raises: what the control plane says, WaitedInVain when
    timeout_s passed.
    """
    with session.client() as client:
        return client.call(
            "wait_state", module=module, states=list(states), ready=ready, timeout_s=timeout_s
        )


@click.command()
@click.option(
    "-d",
    "date",
    required=True,
    type=click.DateTime(["%Y-%m-%d", "%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S"]),
    help="Local time; files modified since then are compared and copied, older ones are trusted.",
)
@common
@pass_session
def secondforce(session: Session, date: datetime) -> None:
    """Start as secondary; trust files not modified since DATE. This may hide differences.

    For a copy that was shipped by hand. All names and attributes are made equal; content of older
    files is not looked at. `rfsverify` compares it afterwards.
    """
    module = session.module_for("secondforce")
    before = int(date.timestamp())
    reply = session.command("secondforce", module, **{f"before={before}": True})
    text = f"{module}: what was not modified since {date:%Y-%m-%d %H:%M:%S} is taken on trust"
    session.report({**reply, "module": module, "before_s": before}, text)


@click.command()
@click.argument("state", type=click.Choice(WAITABLE, case_sensitive=False))
@click.option(
    "--timeout",
    "timeout_s",
    type=click.FloatRange(min=0),
    help="Seconds to wait; for ever if none.",
)
@common
@pass_session
def waitstate(session: Session, state: str, timeout_s: float | None) -> None:
    """Wait until the module of this node is in STATE."""
    module = session.module_for("waitstate")
    reply = wait_for(session, module, (state.upper(),), timeout_s=timeout_s)
    session.report(reply, f"{module} is {state_word(reply)}")

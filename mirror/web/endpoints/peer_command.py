"""Commands of the other node's command line (`-H`), run here as they would be typed here."""

import sys

from mirror.config.distributed import refusal_of
from mirror.errors import CommandNotSent
from mirror.web.command_line import LONG_S
from mirror.web.console import Console, Here
from mirror.web.models.control import PeerCommand, PeerCommandDone


async def run_for_peer(console: Here, body: PeerCommand) -> PeerCommandDone:
    """Run one command line of `mirror`; whatever its exit code, it was run."""
    return await _run(console, body)


async def run_command_line(console: Here, body: PeerCommand) -> PeerCommandDone:
    """Run one command line of `mirror` on this node; whatever its exit code, it was run.

    All that has no route of its own is reached so, with --json for machines. What belongs to a
    terminal or to one node's files (lab, node, cluster init and join) is refused.
    """
    return await _run(console, body)


async def _run(console: Console, body: PeerCommand) -> PeerCommandDone:
    arguments = list(body.arguments)
    if observed := refusal_of(arguments):
        raise CommandNotSent(what=" ".join(arguments[:2])[:80], observed=observed)
    code, output, said = await console.command_line.run(
        [sys.executable, "-m", "mirror.cli", *arguments],
        what=f"mirror {arguments[0]}",
        timeout_s=LONG_S,
    )
    return PeerCommandDone(
        exit_code=code,
        output=output.decode("utf-8", "replace"),
        said=said.decode("utf-8", "replace"),
    )

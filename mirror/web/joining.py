"""A cluster token, made by the page: `mirror cluster token NODE` runs until the node has joined.

One at a time, as on the command line; a new one ends the one before.
"""

import asyncio
import json
import sys
from dataclasses import dataclass

from mirror.config.layout import Layout
from mirror.errors import MirrorError, NoAnswerInTime
from mirror.vocabulary.said import say
from mirror.web.command_line import SHORT_S, CommandLine, end, failure

WAIT_S = 900


@dataclass
class TokenJob:
    """A token that waits, was used, or ended. token: secret, for who made it only."""

    node: str
    token: str
    process: asyncio.subprocess.Process
    joined_from: str = ""
    failed: str = ""

    @property
    def waiting(self) -> bool:
        """True while the token is worth something."""
        return not self.joined_from and not self.failed


class Joining:
    """The one token of this node. Used by one event loop."""

    def __init__(self, layout: Layout, command_line: CommandLine) -> None:
        self._layout = layout
        self._command_line = command_line
        self._waiter: asyncio.Task[None] | None = None
        self.job: TokenJob | None = None

    async def make(self, node: str, address: str) -> TokenJob:
        """Make a token for a node of cluster.xml, or, in no cluster, for this one at an address.

        Raises: what the command says.
        """
        self.close()
        command = [sys.executable, "-m", "mirror.cli", "--json", "cluster", "token"]
        command += (
            [f"--wait={WAIT_S}", f"--address={address}"] if address else [f"--wait={WAIT_S}"]
        )
        process = await self._command_line.start([*command, "--", node] if node else command)
        try:
            async with asyncio.timeout(SHORT_S):
                first = await self._next_answer(process)
        except BaseException as error:
            end(process)
            if isinstance(error, TimeoutError):
                raise NoAnswerInTime(
                    what="mirror cluster token",
                    waited_s=f"{SHORT_S:g}",
                    remedy=say("do.try_again"),
                ) from error
            raise
        self.job = TokenJob(node=str(first["node"]), token=str(first["token"]), process=process)
        self._waiter = asyncio.get_running_loop().create_task(self._wait(self.job))
        return self.job

    def close(self) -> None:
        """End the token; nobody can join with it any more."""
        if self._waiter is not None:
            self._waiter.cancel()
        if self.job is not None:
            end(self.job.process)
            if self.job.waiting:
                self.job.failed = "the token was ended"

    async def _wait(self, job: TokenJob) -> None:
        try:
            answer = await self._next_answer(job.process)
            job.joined_from = str(answer.get("joined_from") or "unknown")
        except MirrorError as error:
            job.failed = str(error)
        finally:
            end(job.process)

    async def _next_answer(self, process: asyncio.subprocess.Process) -> dict[str, str]:
        """The next JSON object that the command prints. Raises: what it says instead."""
        assert process.stdout is not None
        assert process.stderr is not None
        text = b""
        while line := await process.stdout.readline():
            text += line
            # Its objects are indented: the closing brace alone stands at the start of a line.
            if line.rstrip() == b"}":
                answer = json.loads(text)
                if "error" in answer:
                    raise failure("mirror cluster token", 1, answer, b"")
                return dict(answer)
        said = await process.stderr.read()
        code = await process.wait()
        raise failure("mirror cluster token", code, {}, said)

"""Makes sure that the other node is off, by an agent of fence-agents or a script of the module.

Both are spoken to alike: lines `key=value` on standard input (never in arguments, which everybody
on the host can read), `action=off`, then `action=status` until that says off. An agent answers
`status` by its exit code: 0 is on, 2 is off. Only off is a yes. Decides nothing: it is asked.
"""

import asyncio
import contextlib
import os
import signal
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Self

from mirror.adapters import clock
from mirror.config.check_models import Fence, FenceOption
from mirror.errors import FenceFailed, FenceNotUsable
from mirror.vocabulary.said import Said, say
from mirror.vocabulary.said_system import system_said

AGENT_DIRECTORIES = (Path("/usr/sbin"), Path("/usr/local/sbin"), Path("/usr/bin"))
STATUS_OFF = 2
STATUS_AGAIN_S = 0.2
OUTPUT_BYTES_MAX = 4096
PIPE_BYTES = 65_536  # what a pipe of Linux holds
KILL_S = 2.0
SECRET_BYTES_MAX = 4096
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
HIDDEN = "(hidden)"


class Fencer:
    """One <fence>. script_directory: the module's bin, for `exec`. Used by one event loop."""

    def __init__(self, fence: Fence, script_directory: Path) -> None:
        self._fence = fence
        self._script_directory = script_directory
        self._secrets: set[str] = set()

    @property
    def name(self) -> str:
        """What it is called in sentences."""
        return self._fence.agent or self._fence.exec

    async def fence(self, peer: str) -> str:
        """Switch the peer off and see that it is. Returns: a sentence for the log.

        Takes up to the configured timeout. Cancelled: the program is killed; nothing is known.
        Raises: FenceFailed (MIR-220), FenceNotUsable (MIR-221).
        """
        began_ms = clock.monotonic_ms()
        try:
            async with asyncio.timeout(self._fence.timeout_ms / 1000):
                code, said = await self._run("off", peer)
                if code != 0:
                    raise FenceFailed(peer=peer, observed=self._told("off", code, said))
                while (code := (await self._run("status", peer))[0]) != STATUS_OFF:
                    if code != 0:
                        raise FenceFailed(peer=peer, observed=self._told("status", code, ""))
                    await asyncio.sleep(STATUS_AGAIN_S)
        except TimeoutError as error:
            observed = say("fence.not_off", name=self.name, timeout_ms=self._fence.timeout_ms)
            raise FenceFailed(peer=peer, observed=observed) from error
        return f"{peer} is off, says {self.name} after {clock.monotonic_ms() - began_ms} ms"

    async def monitor(self, peer: str) -> None:
        """Ask the agent whether it could do its work; nothing is switched.

        Raises: FenceFailed (MIR-220), FenceNotUsable (MIR-221).
        """
        try:
            async with asyncio.timeout(self._fence.timeout_ms / 1000):
                code, said = await self._run("monitor", peer)
        except TimeoutError as error:
            raise FenceFailed(peer=peer, observed=say("fence.silent", name=self.name)) from error
        if code != 0:
            raise FenceFailed(peer=peer, observed=self._told("monitor", code, said))

    async def _run(self, action: str, peer: str) -> tuple[int, str]:
        """Run it once. Returns: exit code, and the last line of what it said."""
        program = await asyncio.to_thread(self._program)
        lines = await asyncio.to_thread(self._lines, action, peer)
        with _given("".join(lines).encode()) as given, _Output() as output:
            try:
                process = await asyncio.create_subprocess_exec(
                    str(program),
                    stdin=given,
                    stdout=output.inlet,
                    stderr=output.inlet,
                    env={"PATH": PATH, "LANG": "C.UTF-8"},
                    start_new_session=True,
                )
            except OSError as error:
                raise FenceNotUsable(what=program, observed=system_said(error)) from error
            output.listen()
            try:
                code = await process.wait()
            except asyncio.CancelledError:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                with contextlib.suppress(TimeoutError):  # one that the kernel holds is left to it
                    async with asyncio.timeout(KILL_S):
                        await process.wait()
                raise
            return code, self._without_secrets(output.last_line())

    def _program(self) -> Path:
        if self._fence.exec:
            candidates = [self._script_directory / self._fence.exec]
        else:
            candidates = [directory / self._fence.agent for directory in AGENT_DIRECTORIES]
        for candidate in candidates:
            if candidate.is_file() and os.access(candidate, os.X_OK):
                return candidate
        raise FenceNotUsable(what=self.name, observed=say("fence.no_program"))

    def _lines(self, action: str, peer: str) -> list[str]:
        wanted = [one for one in self._fence.options if one.node in {"", peer}]
        pairs = [("action", action), ("nodename", peer), *self._values(wanted)]
        return [f"{name}={value}\n" for name, value in pairs]

    def _values(self, options: Iterable[FenceOption]) -> Iterable[tuple[str, str]]:
        for one in options:
            value = one.value
            if one.file:
                value = read_secret(Path(one.file))
                self._secrets.add(value)
            yield one.name, value

    def _told(self, action: str, code: int, said: str) -> Said:
        facts = {"name": self.name, "action": action, "status": code}
        if said:
            return say("fence.answers_so", **facts, observed=said)
        return say("fence.answers", **facts)

    def _without_secrets(self, text: str) -> str:
        for secret in sorted(self._secrets, key=len, reverse=True):
            text = text.replace(secret, HIDDEN) if secret else text
        return text


@contextlib.contextmanager
def _given(lines: bytes) -> Iterator[int]:
    """Hold lines in memory as a file to be read from its beginning: nobody has to take them."""
    descriptor = os.memfd_create("fence", os.MFD_CLOEXEC)
    try:
        os.write(descriptor, lines)
        os.lseek(descriptor, 0, os.SEEK_SET)
        yield descriptor
    finally:
        os.close(descriptor)


class _Output:
    """The end of what a program says. Its own end is not waited for: a child may hold it open."""

    def __init__(self) -> None:
        self._outlet, self.inlet = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(self._outlet, False)
        self._said = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.get_running_loop().remove_reader(self._outlet)
        for descriptor in {self._outlet, self.inlet} - {-1}:
            os.close(descriptor)

    def listen(self) -> None:
        """The program has its end now."""
        os.close(self.inlet)
        self.inlet = -1
        asyncio.get_running_loop().add_reader(self._outlet, self._take)

    def last_line(self) -> str:
        """What it said last, up to now."""
        self._take()
        return self._said.decode(errors="replace").strip().rpartition("\n")[2]

    def _take(self) -> None:
        try:
            piece = os.read(self._outlet, PIPE_BYTES)
        except BlockingIOError:
            return
        if not piece:
            asyncio.get_running_loop().remove_reader(self._outlet)
        self._said = (self._said + piece)[-OUTPUT_BYTES_MAX:]


def read_secret(path: Path) -> str:
    """Read the first line of a file that nobody but its owner may read.

    Raises: FenceNotUsable (MIR-221).
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        raise FenceNotUsable(what=path, observed=system_said(error)) from error
    with os.fdopen(descriptor, "rb") as file:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode) or found.st_mode & 0o077:
            raise FenceNotUsable(what=path, observed=say("fence.readable"))
        content = file.read(SECRET_BYTES_MAX)
    return content.decode(errors="replace").partition("\n")[0]

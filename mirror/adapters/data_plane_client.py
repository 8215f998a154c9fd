"""The data plane of one module, as its control plane reaches it: a process and a socket.

The process is started in a session of its own and outlives this one; after a restart it is found
again by its socket. Its death is seen through a pidfd, at once. Decides nothing: one that does not
answer in time is killed, because nobody can say what it still would do.
"""

import asyncio
import contextlib
import os
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from mirror.errors import (
    EXIT_CONFIG_REFUSED,
    DataPlaneNotStarted,
    DataPlaneSilent,
    LocalMessageRefused,
    MirrorError,
)
from mirror.wire.local import Decoder, Message, encode, raise_if_error, request

CHUNK_BYTES_MAX = 65_536
START_S = 60.0  # it reads its whole index, from a disk that may try for long before it gives up
START_POLL_S = 0.02
END_S = 5.0
CALL_S = 10.0
# What may take longer: syncing what is dirty, or unmounting a busy directory.
CALL_S_OF = {
    "freeze": 12.0,
    "gate": 12.0,
    "hello": 3.0,
    "status": 3.0,
    "settle": 60.0,
    "drain": 60.0,
    "unserve": 30.0,
    "serve": 30.0,
    "go_alone": 30.0,
    "lead": 15.0,
    "stop": 60.0,
}


class DataPlaneClient:
    """One data plane. Used by one event loop.

    config: what the process is started with. address: its socket. log: where its stderr goes.
    on_event(message): an event of the data plane. on_lost(sentence): its process is gone; once.
    """

    def __init__(
        self,
        module: str,
        config: Path,
        address: Path,
        log: Path,
        *,
        on_event: Callable[[Message], None],
        on_lost: Callable[[str], None],
    ) -> None:
        self._module = module
        self._config = config
        self._socket = address
        self._log = log
        self._on_event = on_event
        self._on_lost = on_lost
        self._writer: asyncio.StreamWriter | None = None
        self._reader_task: asyncio.Task[None] | None = None
        self._waiting: dict[int, asyncio.Future[Message]] = {}
        self._last_id = 0
        self._pid = 0
        self._pidfd = -1
        self._gone = asyncio.Event()
        self._ending = False

    @property
    def pid(self) -> int:
        """Process id of the living data plane, 0 when there is none."""
        return self._pid

    async def attach(self) -> Message | None:
        """Connect to a data plane that runs; its `hello`, None when none runs.

        Raises: DataPlaneSilent (MIR-402) when it does not answer in time: it is killed then, but
        nobody had it yet, so it was not lost.
        """
        if self._writer is not None:
            return await self.call("hello", {})
        try:
            reader, writer = await asyncio.open_unix_connection(str(self._socket))
        except OSError:
            return None
        self._writer = writer
        self._reader_task = asyncio.create_task(self._read(reader), name="data-plane")
        self._ending = True
        try:
            self._watch(_pid_behind(writer))
            return await self.call("hello", {})
        except MirrorError:
            self.kill()
            await self.wait_gone()
            raise
        finally:
            self._ending = False

    async def ensure(self) -> None:
        """Start the process unless it runs, and be connected.

        Raises: DataPlaneNotStarted (MIR-403), DataPlaneSilent (MIR-402).
        """
        if self._writer is not None and not self._gone.is_set():
            return
        if await self.attach() is not None:
            return
        process = await asyncio.to_thread(self._spawn)
        deadline = asyncio.get_running_loop().time() + START_S
        while await self.attach() is None:
            if process.poll() is not None:
                raise self._not_started(_why(process.returncode, self._log))
            if asyncio.get_running_loop().time() > deadline:
                process.kill()
                raise self._not_started(f"no answer within {START_S:.0f} s")
            await asyncio.sleep(START_POLL_S)

    async def call(self, verb: str, fields: Mapping[str, Any]) -> Message:
        """One request and its reply.

        Raises: LocalCallFailed with the data plane's own words; DataPlaneSilent (MIR-402) when it
        is not there or does not answer in time: it is killed then, and on_lost follows.
        """
        if self._writer is None:
            raise self._silent(verb, "it does not run")
        self._last_id += 1
        number = self._last_id
        answer: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        self._waiting[number] = answer
        timeout_s = CALL_S_OF.get(verb, CALL_S)
        try:
            self._writer.write(encode(request(number, verb, **fields)))
            async with asyncio.timeout(timeout_s):
                return raise_if_error(await answer)
        except TimeoutError as error:
            self.kill()
            raise self._silent(verb, f"no answer within {timeout_s:.0f} s") from error
        except OSError as error:
            raise self._silent(verb, str(error)) from error
        finally:
            self._waiting.pop(number, None)

    async def end(self) -> None:
        """Have it unmount and exit; kill it when it does not. One that is gone is done."""
        self._ending = True
        try:
            if self._writer is not None and not self._gone.is_set():
                try:
                    await self.call("stop", {})
                except MirrorError:
                    self.kill()  # half stopped, it would be found and used again
                await self._wait_gone()
        finally:
            await self._forget()
            self._ending = False

    async def wait_gone(self) -> None:
        """Wait until the process of a data plane that was lost is no more."""
        await self._wait_gone()
        await self._forget()

    def kill(self) -> None:
        """End the process now."""
        if self._pidfd >= 0:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)

    async def detach(self) -> None:
        """Leave it running: this control plane ends."""
        self._ending = True
        await self._forget()

    async def _wait_gone(self) -> None:
        if self._pidfd < 0:
            return
        for last in (False, True):
            try:
                async with asyncio.timeout(END_S):
                    await self._gone.wait()
                return
            except TimeoutError as error:
                if last:
                    raise self._silent("stop", "it does not die") from error
                self.kill()

    def _spawn(self) -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-m", "mirror.daemon.data_plane", "--config", str(self._config)]
        with self._log.open("ab") as log:
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # the end of this process is none of its business
            )

    def _watch(self, pid: int) -> None:
        self._pid = pid
        self._gone.clear()
        try:
            self._pidfd = os.pidfd_open(pid)
        except ProcessLookupError:
            self._died()
            return
        asyncio.get_running_loop().add_reader(self._pidfd, self._died)

    def _died(self) -> None:
        if self._pidfd >= 0:
            asyncio.get_running_loop().remove_reader(self._pidfd)
            os.close(self._pidfd)
            self._pidfd = -1
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self._pid, os.WNOHANG)
        self._pid = 0
        if self._gone.is_set():
            return
        self._gone.set()
        self._break("its process ended")
        if not self._ending:
            self._on_lost(f"data plane lost: {self._module}: its process ended")

    async def _read(self, reader: asyncio.StreamReader) -> None:
        decoder = Decoder()
        try:
            while chunk := await reader.read(CHUNK_BYTES_MAX):
                for message in decoder.feed(chunk):
                    self._take(message)
        except (OSError, LocalMessageRefused):
            pass
        self._break("the connection ended")
        # A data plane without a control connection cannot be told to freeze: it may not live on.
        if not self._ending:
            self.kill()

    def _take(self, message: Message) -> None:
        if "event" in message:
            self._on_event(message)
            return
        answer = self._waiting.get(int(message.get("id", 0)))
        if answer is not None and not answer.done():
            answer.set_result(message)

    def _break(self, why: str) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None
        for answer in self._waiting.values():
            if not answer.done():
                answer.set_exception(self._silent("answer", why))

    async def _forget(self) -> None:
        self._break("ended")
        if self._reader_task is not None:
            self._reader_task.cancel()
            await asyncio.gather(self._reader_task, return_exceptions=True)
            self._reader_task = None
        if self._pidfd >= 0:
            asyncio.get_running_loop().remove_reader(self._pidfd)
            os.close(self._pidfd)
            self._pidfd = -1
        self._gone.clear()

    def _silent(self, verb: str, observed: str) -> DataPlaneSilent:
        return DataPlaneSilent(module=self._module, verb=verb, observed=observed)

    def _not_started(self, observed: str) -> DataPlaneNotStarted:
        return DataPlaneNotStarted(module=self._module, observed=observed, log=self._log)


def _pid_behind(writer: asyncio.StreamWriter) -> int:
    """Who listens there, by the kernel's word: it may not be able to say so itself."""
    connection = writer.get_extra_info("socket")
    held = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    return int(struct.unpack("3i", held)[0])


def _why(code: int, log: Path) -> str:
    """What a data plane that ended at once has to say."""
    if code != EXIT_CONFIG_REFUSED:
        return f"it ended with {code}"
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    return lines[-1] if lines else "it refuses its configuration"

"""The asking end of the local protocol, for what runs in asyncio: one call, one answer."""

import asyncio
from pathlib import Path
from typing import Any

from mirror.adapters.local_client import CHUNK_BYTES_MAX, unreachable
from mirror.errors import NoAnswerInTime, NodeNotReachable
from mirror.vocabulary.said import say
from mirror.wire.local import Decoder, Message, encode, raise_if_error, request


class LocalCalls:
    """One connection, opened when needed, one call at a time; made anew after any failure."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._decoder = Decoder()
        self._last_id = 0
        self._turn = asyncio.Lock()

    async def call(self, do: str, /, *, answer_s: float, **fields: Any) -> Message:
        """Ask and wait for the reply, answer_s at most; events are passed over.

        Raises: NodeNotReachable (MIR-302), NoAnswerInTime (MIR-817), LocalMessageRefused
        (MIR-301), LocalCallFailed with the words of the other end when it says no.
        """
        async with self._turn:
            try:
                async with asyncio.timeout(answer_s):
                    message = await self._exchange_anew(do, fields)
            except BaseException as error:
                # The late reply of a call that was given up would answer the next one.
                self.close()
                if isinstance(error, TimeoutError):
                    raise NoAnswerInTime(
                        what=say("node.asked", do=do),
                        waited_s=f"{answer_s:g}",
                        remedy=say("do.may_follow"),
                    ) from error
                if isinstance(error, OSError):
                    raise unreachable(self._path, error) from error
                raise
            return raise_if_error(message)

    def close(self) -> None:
        """Close; the next call connects again."""
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None

    async def _exchange_anew(self, do: str, fields: dict[str, Any]) -> Message:
        """Exchange; a connection kept from before, which the other end has left, is made anew."""
        if self._streams is not None and self._streams[0].at_eof():
            self.close()
        return await self._exchange(do, fields)

    async def _exchange(self, do: str, fields: dict[str, Any]) -> Message:
        if self._streams is None:
            self._streams = await asyncio.open_unix_connection(str(self._path))
            self._decoder = Decoder()
        reader, writer = self._streams
        self._last_id += 1
        writer.write(encode(request(self._last_id, do, **fields)))
        await writer.drain()
        while chunk := await reader.read(CHUNK_BYTES_MAX):
            for message in self._decoder.feed(chunk):
                if message.get("id") == self._last_id and "event" not in message:
                    return message
        raise NodeNotReachable(socket=self._path, observed=say("node.closed"))


async def call_once(path: Path, do: str, /, *, answer_s: float, **fields: Any) -> Message:
    """One call over a connection of its own, so that slow ones do not wait for each other.

    Raises: as `LocalCalls.call`.
    """
    calls = LocalCalls(path)
    try:
        return await calls.call(do, answer_s=answer_s, **fields)
    finally:
        calls.close()

"""Events of a local server as an asynchronous stream."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from mirror.adapters.local_client import CHUNK_BYTES_MAX, unreachable
from mirror.wire.local import Decoder, Message, encode, raise_if_error, request


async def stream_events(path: Path, do: str, /, **fields: Any) -> AsyncIterator[Message]:
    """Ask once (`do` subscribes), then yield every event; ends when the other end closes.

    Raises: NodeNotReachable (MIR-302), LocalCallFailed, LocalMessageRefused (MIR-301).
    """
    try:
        reader, writer = await asyncio.open_unix_connection(str(path))
    except OSError as error:
        raise unreachable(path, error) from error
    decoder = Decoder()
    try:
        writer.write(encode(request(1, do, **fields)))
        await writer.drain()
        while chunk := await reader.read(CHUNK_BYTES_MAX):
            for message in decoder.feed(chunk):
                if "event" in raise_if_error(message):
                    yield message
    finally:
        writer.close()

"""A small client of PostgreSQL's protocol 3.0, for measuring: every wait has our own bound.

libpq cannot give up a connection attempt in less than two seconds, nor a reply at all; an outage
of one second could not be measured with it. Only simple queries and `trust` authentication: the
lab's network is closed. Knows nothing of ledgers.
"""

import asyncio
import struct
from dataclasses import dataclass, field
from typing import Self

_PROTOCOL_3_0 = 196608
_AUTHENTICATION_OK = 0
# A row of the ledger is below 10 KiB; what is longer did not come from PostgreSQL.
_MESSAGE_BYTES_MAX = 16 * 1024 * 1024

_INT32 = struct.Struct("!i")


class ServerRefused(Exception):
    """The server answered with an error. fatal: it also ends the connection."""

    def __init__(self, severity: str, sqlstate: str, text: str) -> None:
        super().__init__(f"{severity} {sqlstate}: {text}")
        self.fatal = severity != "ERROR"
        self.sqlstate = sqlstate


class ConnectionLost(Exception):
    """No answer in time, or a broken connection: what was in flight may have happened or not."""


Row = tuple[bytes | None, ...]


@dataclass(slots=True)
class PostgresConnection:
    """One connection; one query at a time. Use `connect`, and `close` at the end."""

    _reader: asyncio.StreamReader
    _writer: asyncio.StreamWriter
    _closed: bool = field(default=False)

    @classmethod
    async def connect(
        cls, host: str, port: int, *, connect_timeout_s: float, reply_timeout_s: float
    ) -> Self:
        """Connect as `postgres` to the database of that name.

        Raises: ConnectionLost (nobody there in time), ServerRefused (starting up, shutting down).
        """
        try:
            async with asyncio.timeout(connect_timeout_s):
                reader, writer = await asyncio.open_connection(host, port)
        except (OSError, TimeoutError) as error:
            raise ConnectionLost(str(error) or "no answer to connect") from error
        connection = cls(reader, writer)
        parameters = b"user\0postgres\0database\0postgres\0application_name\0ledger\0\0"
        startup = _INT32.pack(_PROTOCOL_3_0) + parameters
        try:
            await connection._exchange(_INT32.pack(len(startup) + 4) + startup, reply_timeout_s)
        except BaseException:
            connection.close()
            raise
        return connection

    async def query(self, statement: str, *, reply_timeout_s: float) -> list[Row]:
        """Run one statement in a transaction of its own; return its rows, in text form.

        When this returns, the server has said that the transaction is committed.
        Raises: ServerRefused (nothing happened, unless `fatal`), ConnectionLost (nobody knows).
        """
        text = statement.encode() + b"\0"
        return await self._exchange(b"Q" + _INT32.pack(len(text) + 4) + text, reply_timeout_s)

    def close(self) -> None:
        """Drop the connection at once, without a word: the server may be gone. May be repeated."""
        if not self._closed:
            self._closed = True
            self._writer.transport.abort()

    async def _exchange(self, request: bytes, reply_timeout_s: float) -> list[Row]:
        try:
            async with asyncio.timeout(reply_timeout_s):
                self._writer.write(request)
                return await self._read_until_ready()
        except (OSError, EOFError, TimeoutError) as error:
            raise ConnectionLost(str(error) or "no reply in time") from error

    async def _read_until_ready(self) -> list[Row]:
        rows: list[Row] = []
        refusal: ServerRefused | None = None
        while True:
            kind, body = await self._read_message()
            if kind == b"Z":
                if refusal is not None:
                    raise refusal
                return rows
            if kind == b"D":
                rows.append(_row(body))
            elif kind == b"E":
                refusal = _refusal(body)
                if refusal.fatal:  # the server closes, nothing more will come
                    raise refusal
            elif kind == b"R" and _INT32.unpack_from(body)[0] != _AUTHENTICATION_OK:
                raise ServerRefused("FATAL", "28000", "pg_hba.conf does not trust this client")

    async def _read_message(self) -> tuple[bytes, bytes]:
        head = await self._reader.readexactly(5)
        size_bytes: int = _INT32.unpack_from(head, 1)[0]
        if not 4 <= size_bytes <= _MESSAGE_BYTES_MAX:
            raise ConnectionLost(f"not PostgreSQL: a message of {size_bytes} bytes")
        return head[:1], await self._reader.readexactly(size_bytes - 4)


def _row(body: bytes) -> Row:
    count: int = struct.unpack_from("!h", body)[0]
    at = 2
    values: list[bytes | None] = []
    for _ in range(count):
        size_bytes: int = _INT32.unpack_from(body, at)[0]
        at += 4
        if size_bytes < 0:
            values.append(None)
            continue
        values.append(body[at : at + size_bytes])
        at += size_bytes
    return tuple(values)


def _refusal(body: bytes) -> ServerRefused:
    fields = {part[:1]: part[1:].decode(errors="replace") for part in body.split(b"\0") if part}
    # V is the severity that is never translated.
    return ServerRefused(fields.get(b"V", "FATAL"), fields.get(b"C", "?"), fields.get(b"M", "?"))

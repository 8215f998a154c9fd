"""The client of the demo: keeps account of every transaction that a database acknowledged.

    python -m mirror.adapters.lab.ledger run --host VIP --book FILE
    python -m mirror.adapters.lab.ledger verify --host VIP --book FILE

`run` goes on until its standard input ends; the exit code of `verify` is 1 if something is lost.
Both write events as JSON lines to standard output. Times: `monotonic_ms` never jumps and is the
same clock in every host of a lab; `wall_us` is microseconds since 1970, as in the module logs.
"""

import argparse
import asyncio
import contextlib
import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

from mirror.adapters.lab.ledger_book import (
    Book,
    Entry,
    Key,
    Outcome,
    Verdict,
    digest_of,
    judge,
    payloads,
    read_book,
)
from mirror.adapters.lab.postgres_client import ConnectionLost, PostgresConnection, ServerRefused

_CONNECT_TIMEOUT_S = 0.2
# Longer than any commit on a loaded machine, shorter than the shortest takeover.
_REPLY_TIMEOUT_S = 1.0
_RETRY_S = 0.05
_PROGRESS_S = 0.2
# A gap below this is a slow commit, not an outage worth an event of its own.
_GAP_MS_MIN = 250.0
_VERIFY_ROWS = 500
_VERIFY_TIMEOUT_S = 30.0

_CREATE = """
DROP TABLE IF EXISTS ledger;
CREATE TABLE ledger (worker int, seq bigint, payload text NOT NULL, PRIMARY KEY (worker, seq))
"""


def _now_ms() -> float:
    return time.monotonic_ns() / 1e6


def tell(event: str, **facts: object) -> None:
    """Write one event to standard output."""
    stamp = {"monotonic_ms": round(_now_ms(), 3), "wall_us": time.time_ns() // 1000}
    sys.stdout.write(json.dumps({"event": event, **stamp, **facts}) + "\n")
    sys.stdout.flush()


@dataclass(slots=True)
class Gaps:
    """Times without any acknowledged transaction, of all workers together, in milliseconds."""

    last_ms: float | None = None
    longest_ms: float = 0.0
    _reported_ms: float = 0.0

    def acknowledged(self) -> None:
        """Note that a transaction was acknowledged now; tell if that ends an outage."""
        now_ms = _now_ms()
        if self.last_ms is not None:
            gap_ms = now_ms - self.last_ms
            self.longest_ms = max(self.longest_ms, gap_ms)
            self._reported_ms = max(self._reported_ms, gap_ms)
            if gap_ms >= _GAP_MS_MIN:
                tell("outage", from_ms=round(self.last_ms, 3), ms=round(gap_ms, 1))
        self.last_ms = now_ms

    def take_longest_ms(self) -> float:
        """The longest since this was asked before, the one that still lasts included."""
        lasting_ms = 0.0 if self.last_ms is None else _now_ms() - self.last_ms
        longest_ms = max(self._reported_ms, lasting_ms)
        self._reported_ms = 0.0
        return longest_ms


@dataclass(slots=True)
class Ledger:
    """Workers that insert rows, each in its own transaction, until `stop` is set."""

    host: str
    port: int
    book: Book
    seed: int
    pause_s: float
    stop: asyncio.Event
    gaps: Gaps = field(default_factory=Gaps)

    async def run(self, workers: int) -> None:
        """Create the table, then work until told to stop; what is in flight then is finished."""
        connection = await self._connect()
        if connection is None:
            return
        for statement in _CREATE.split(";"):
            await connection.query(statement, reply_timeout_s=_VERIFY_TIMEOUT_S)
        connection.close()
        tell("started", workers=workers)
        async with asyncio.TaskGroup() as group:
            progress = group.create_task(self._report())
            tasks = [group.create_task(self._work(number)) for number in range(workers)]
            await asyncio.wait(tasks)
            progress.cancel()
        tell("summary", **self._facts(), longest_gap_ms=round(self.gaps.longest_ms, 1))

    def _facts(self) -> dict[str, int]:
        return {str(outcome): count for outcome, count in self.book.counts.items()}

    async def _report(self) -> None:
        while True:
            tell("progress", **self._facts(), gap_ms=round(self.gaps.take_longest_ms(), 1))
            await asyncio.sleep(_PROGRESS_S)

    async def _connect(self) -> PostgresConnection | None:
        """Try until a connection is there; None when told to stop first."""
        while not self.stop.is_set():
            with contextlib.suppress(ConnectionLost, ServerRefused):
                return await PostgresConnection.connect(
                    self.host,
                    self.port,
                    connect_timeout_s=_CONNECT_TIMEOUT_S,
                    reply_timeout_s=_REPLY_TIMEOUT_S,
                )
            await asyncio.sleep(_RETRY_S)
        return None

    async def _work(self, worker: int) -> None:
        rows = enumerate(payloads(self.seed, worker), start=1)
        while not self.stop.is_set():
            connection = await self._connect()
            if connection is None:
                return
            try:
                await self._insert_rows(connection, worker, rows)
            except (ConnectionLost, ServerRefused) as error:
                tell("parted", worker=worker, why=str(error))
            finally:
                connection.close()

    async def _insert_rows(
        self, connection: PostgresConnection, worker: int, rows: Iterator[tuple[int, str]]
    ) -> None:
        """Insert until stopped. Raises what ended the connection, its row noted."""
        # Said aloud: an acknowledged transaction is a durable one, whatever the server's default.
        await connection.query("SET synchronous_commit = on", reply_timeout_s=_REPLY_TIMEOUT_S)
        while not self.stop.is_set():
            seq, payload = next(rows)
            outcome = Outcome.AMBIGUOUS
            try:
                await connection.query(
                    f"INSERT INTO ledger VALUES ({worker}, {seq}, '{payload}')",  # noqa: S608
                    reply_timeout_s=_REPLY_TIMEOUT_S,
                )
                outcome = Outcome.ACKNOWLEDGED
                self.gaps.acknowledged()
            except ServerRefused as error:
                if error.fatal:  # it may have been after the commit
                    raise
                outcome = Outcome.REFUSED
                tell("refused", worker=worker, why=str(error))
                await asyncio.sleep(_RETRY_S)
            finally:
                self.book.note(Entry(outcome, worker, seq, digest_of(payload)))
            if self.pause_s:
                await asyncio.sleep(self.pause_s)


async def read_rows(host: str, port: int) -> dict[Key, str]:
    """Read the whole table back, row by row in the order of its key; digests of the payloads."""
    connection = await PostgresConnection.connect(
        host, port, connect_timeout_s=_VERIFY_TIMEOUT_S, reply_timeout_s=_VERIFY_TIMEOUT_S
    )
    digests: dict[Key, str] = {}
    last: Key = (-1, -1)
    try:
        while True:
            rows = await connection.query(
                f"SELECT worker, seq, payload FROM ledger WHERE (worker, seq) > {last}"  # noqa: S608
                f" ORDER BY worker, seq LIMIT {_VERIFY_ROWS}",
                reply_timeout_s=_VERIFY_TIMEOUT_S,
            )
            for worker, seq, payload in rows:
                assert worker is not None
                assert seq is not None
                assert payload is not None
                last = (int(worker), int(seq))
                digests[last] = digest_of(payload.decode())
            if len(rows) < _VERIFY_ROWS:
                return digests
    finally:
        connection.close()


async def _run(options: argparse.Namespace) -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)

    def standard_input_readable() -> None:
        if not os.read(0, 4096):
            loop.remove_reader(0)
            stop.set()

    loop.add_reader(0, standard_input_readable)
    book = Book(options.book)
    ledger = Ledger(options.host, options.port, book, options.seed, options.pause_ms / 1000, stop)
    try:
        await ledger.run(options.workers)
    finally:
        book.close()
    return 0


async def _verify(options: argparse.Namespace) -> int:
    entries = list(read_book(options.book))  # first: what is acknowledged now must be found below
    rows = await read_rows(options.host, options.port)
    verdict: Verdict = judge(entries, rows, running=options.running)
    tell("verdict", **asdict(verdict), good=verdict.good)
    return 0 if verdict.good else 1


def main() -> None:
    """Parse the command line, run, exit."""
    parser = argparse.ArgumentParser(prog="ledger", description=__doc__.split("\n", 1)[0])
    parser.add_argument("mode", choices=("run", "verify"))
    parser.add_argument("--host", required=True)
    parser.add_argument("--port", type=int, default=5432)
    parser.add_argument("--book", type=Path, required=True)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--pause-ms", type=float, default=0.0)
    parser.add_argument("--running", action="store_true", help="verify beside a `run`")
    options = parser.parse_args()
    sys.exit(asyncio.run(_run(options) if options.mode == "run" else _verify(options)))


if __name__ == "__main__":
    main()

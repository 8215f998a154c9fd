"""The log of one module: SQLite, written by a thread of its own so that nobody waits for a disk.

Lines are SafeKit's, `| 2021-08-06 08:40:20.909224 | heart | E | Local state ALONE Ready`; beside
the text are structured fields (row, cause, generation) for machines. What cannot be written is
counted and still goes to the trace and to syslog: a full disk must not silence the node.
"""

import asyncio
import contextlib
import json
import sqlite3
import threading
from collections import deque
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import structlog

from mirror.adapters import clock
from mirror.adapters.durable import journal_mode, make_directory
from mirror.adapters.journal import say

LEVELS = "CEUSIWD"  # Critical, Event, User, Script; and in the verbose log Info, Warning, Debug
SHOWN_LEVELS = "CEUS"
ENTRIES_MAX = 100_000  # about 20 MB; the oldest go first
QUEUE_MAX = 10_000
BUSY_S = 5.0  # waited for another process that holds the database

_PRUNE_EVERY = 1_000
_SCHEMA = """
CREATE TABLE IF NOT EXISTS log(
    id INTEGER PRIMARY KEY,
    time_us INTEGER NOT NULL,
    level TEXT NOT NULL,
    source TEXT NOT NULL,
    text TEXT NOT NULL,
    fields TEXT NOT NULL
)
"""


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One line. time_us: wall time, for people only. level: one of LEVELS."""

    time_us: int
    level: str
    source: str
    text: str
    fields: Mapping[str, Any] = field(default_factory=dict)

    @property
    def line(self) -> str:
        """As SafeKit prints it."""
        return f"| {clock.wall_text(self.time_us)} | {self.source} | {self.level} | {self.text}"


# None ends what is followed.
_Follower = tuple[asyncio.AbstractEventLoop, asyncio.Queue[LogEntry | None]]


class ModuleLog:
    """The log of one module. `append` may be called from any thread, the rest from the loop."""

    def __init__(self, path: Path, module: str) -> None:
        self._path = path
        self._module = module
        self._waiting: deque[LogEntry] = deque()
        self._changed = threading.Condition()  # guards the fields from _waiting to _ended
        self._written_count = 0
        self._appended_count = 0
        self._stopping = False
        self._ended = False
        self._lost_count = 0
        self._followers: set[_Follower] = set()
        self._trace = structlog.get_logger().bind(module=module)
        self._thread = threading.Thread(target=self._run, name=f"log-{module}", daemon=True)
        self._thread.start()

    @property
    def lost_count(self) -> int:
        """Entries that could not be written: a full disk, or too many at once."""
        return self._lost_count

    def append(self, level: str, source: str, text: str, **fields: Any) -> None:
        """Add a line; returns at once. fields: JSON values, anything else as its text."""
        assert level in LEVELS
        entry = LogEntry(clock.wall_us(), level, source, text, fields)
        with self._changed:
            if self._stopping or len(self._waiting) >= QUEUE_MAX:
                self._lost_count += 1
                return
            self._waiting.append(entry)
            self._appended_count += 1
            self._changed.notify_all()

    async def flush(self) -> None:
        """Wait until everything appended before is written, or counted as lost."""
        await asyncio.to_thread(self._wait_written)

    async def last(self, count: int, levels: str = SHOWN_LEVELS) -> list[LogEntry]:
        """The newest entries of these levels, oldest first."""
        await self.flush()
        return await asyncio.to_thread(read_last, self._path, count, levels)

    async def follow(self) -> AsyncIterator[LogEntry]:
        """Every entry from now on, as it is written; a slow reader loses the oldest ones.

        Ends when the log is closed.
        """
        queue: asyncio.Queue[LogEntry | None] = asyncio.Queue(QUEUE_MAX)
        follower = (asyncio.get_running_loop(), queue)
        self._followers.add(follower)
        try:
            with self._changed:
                if self._ended:
                    return
            while (entry := await queue.get()) is not None:
                yield entry
        finally:
            self._followers.discard(follower)

    async def clear(self) -> None:
        """Forget every line written before; what is appended meanwhile may stay."""
        await self.flush()
        await asyncio.to_thread(_clear, self._path)

    def close(self) -> None:
        """Write what waits and end the thread. Blocks while the disk does."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        self._thread.join()

    def _wait_written(self) -> None:
        with self._changed:
            wanted = self._appended_count
            self._changed.wait_for(
                lambda: self._written_count >= wanted or not self._thread.is_alive()
            )

    # --- below: the thread ---

    def _run(self) -> None:
        database: sqlite3.Connection | None = None
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._stopping)
                batch = list(self._waiting)
                self._waiting.clear()
                if not batch:
                    break
            for entry in batch:
                self._say(entry)
            database = self._write(database, batch)
            with self._changed:
                self._written_count += len(batch)
                self._changed.notify_all()
            self._tell_followers(batch)
        with self._changed:
            self._ended = True
        self._tell_followers([None])
        if database is not None:
            with contextlib.suppress(sqlite3.Error):
                database.close()

    def _say(self, entry: LogEntry) -> None:
        say(self._module, entry.level, entry.source, entry.text, entry.fields)
        fields = {key: value for key, value in entry.fields.items() if key != "event"}
        report = self._trace.warning if entry.level in "CW" else self._trace.info
        with contextlib.suppress(OSError, ValueError):  # a closed or full stderr
            report(entry.text, **{"source": entry.source, "log": entry.level, **fields})

    def _write(
        self, database: sqlite3.Connection | None, batch: Sequence[LogEntry]
    ) -> sqlite3.Connection | None:
        """Write, opening the database if need be. Returns: it, or None to open it anew next time.

        A database that is no database is put aside, not deleted: it may tell what happened.
        """
        for retry in (True, False):
            try:
                database = database or _open(self._path)
                _insert(database, batch)
                return database
            except (sqlite3.Error, OSError) as error:
                if database is not None:
                    database.close()
                    database = None
                damaged = getattr(error, "sqlite_errorcode", 0) in {
                    sqlite3.SQLITE_NOTADB,
                    sqlite3.SQLITE_CORRUPT,
                }
                if not (retry and damaged and _put_aside(self._path)):
                    break
        self._lost_count += len(batch)
        return None

    def _tell_followers(self, batch: Sequence[LogEntry | None]) -> None:
        for loop, queue in tuple(self._followers):
            with contextlib.suppress(RuntimeError):  # that loop is closed
                loop.call_soon_threadsafe(_put_newest, queue, batch)


def read_last(path: Path, count: int, levels: str = SHOWN_LEVELS) -> list[LogEntry]:
    """The newest entries, oldest first, also while no node runs. [] when there is no log.

    Raises: sqlite3.Error when the file is no log.
    """
    if not path.exists():
        return []
    query = (
        "SELECT time_us, level, source, text, fields FROM log"
        " WHERE instr(?, level) > 0 ORDER BY id DESC LIMIT ?"
    )
    with contextlib.closing(sqlite3.connect(path, timeout=BUSY_S)) as database:
        rows = database.execute(query, (levels, count)).fetchall()
    return [
        LogEntry(time_us, level, source, text, json.loads(fields))
        for time_us, level, source, text, fields in reversed(rows)
    ]


def _clear(path: Path) -> None:
    if path.exists():
        with contextlib.closing(sqlite3.connect(path, timeout=BUSY_S)) as database, database:
            database.execute("DELETE FROM log")


def _open(path: Path) -> sqlite3.Connection:
    make_directory(path.parent)
    database = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None)
    try:
        database.execute(f"PRAGMA journal_mode={journal_mode(path)}")
        # A power loss may cost the last lines, never the database.
        database.execute("PRAGMA synchronous=NORMAL")
        database.execute(_SCHEMA)
        path.chmod(0o640)
    except BaseException:
        database.close()
        raise
    return database


def _insert(database: sqlite3.Connection, batch: Sequence[LogEntry]) -> None:
    with _transaction(database):
        last_id = 0
        for entry in batch:
            last_id = (
                database.execute(
                    "INSERT INTO log(time_us, level, source, text, fields) VALUES (?, ?, ?, ?, ?)",
                    (
                        entry.time_us,
                        entry.level,
                        entry.source,
                        entry.text,
                        json.dumps(dict(entry.fields), default=str),
                    ),
                ).lastrowid
                or 0
            )
        if last_id % _PRUNE_EVERY < len(batch):
            database.execute("DELETE FROM log WHERE id <= ?", (last_id - ENTRIES_MAX,))


@contextlib.contextmanager
def _transaction(database: sqlite3.Connection) -> Iterator[None]:
    database.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        with contextlib.suppress(sqlite3.Error):
            database.execute("ROLLBACK")
        raise
    database.execute("COMMIT")


def _put_aside(path: Path) -> bool:
    try:
        path.replace(path.with_suffix(".damaged"))
    except OSError:
        return False
    for suffix in ("-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    return True


def _put_newest(queue: asyncio.Queue[LogEntry | None], batch: Sequence[LogEntry | None]) -> None:
    for entry in batch:
        if queue.full():
            queue.get_nowait()
        queue.put_nowait(entry)

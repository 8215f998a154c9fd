"""SAFEVAR/console/console.db: one SQLite file, durable, used by the console and the command line.

Every change is on disk on return (synchronous=FULL): an audit that a power loss erases is none.
Blocking: callers on an event loop use `asyncio.to_thread`.
"""

import contextlib
import errno
import os
import sqlite3
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

from mirror.adapters.durable import journal_mode, make_directory
from mirror.errors import ConsoleDatabaseFailed

DATABASE = "console/console.db"  # beneath SAFEVAR
BUSY_TIMEOUT_S = 10.0
_SCHEMA = """
CREATE TABLE IF NOT EXISTS users(
    name TEXT PRIMARY KEY, role TEXT NOT NULL, password TEXT NOT NULL,
    created_us INTEGER NOT NULL, changed_us INTEGER NOT NULL
);
-- A user that was removed stays known, so that the other node does not bring it back.
CREATE TABLE IF NOT EXISTS removed_users(name TEXT PRIMARY KEY, changed_us INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS sessions(
    hash BLOB PRIMARY KEY, name TEXT NOT NULL, csrf TEXT NOT NULL,
    created_us INTEGER NOT NULL, seen_us INTEGER NOT NULL, origin TEXT NOT NULL,
    role TEXT NOT NULL DEFAULT ''
);
CREATE TABLE IF NOT EXISTS tokens(
    id INTEGER PRIMARY KEY, hash BLOB NOT NULL UNIQUE, label TEXT NOT NULL, role TEXT NOT NULL,
    created_us INTEGER NOT NULL, created_by TEXT NOT NULL, expires_us INTEGER NOT NULL,
    used_us INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS links(
    hash BLOB PRIMARY KEY, purpose TEXT NOT NULL, name TEXT NOT NULL, role TEXT NOT NULL,
    expires_us INTEGER NOT NULL, since_us INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE IF NOT EXISTS audit(
    id INTEGER PRIMARY KEY AUTOINCREMENT, time_us INTEGER NOT NULL, name TEXT NOT NULL,
    role TEXT NOT NULL, origin TEXT NOT NULL, via TEXT NOT NULL, module TEXT NOT NULL,
    what TEXT NOT NULL, detail TEXT NOT NULL, result TEXT NOT NULL, status INTEGER NOT NULL,
    duration_ms INTEGER NOT NULL, said TEXT NOT NULL DEFAULT ''
);
-- When an earlier console was last alive, and when the one after it began: a host that lost its
-- power wrote no last line in its logs.
CREATE TABLE IF NOT EXISTS gaps(alive_us INTEGER NOT NULL, begun_us INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS notices(
    id INTEGER PRIMARY KEY AUTOINCREMENT, time_us INTEGER NOT NULL, kind TEXT NOT NULL,
    service TEXT NOT NULL, node TEXT NOT NULL, up INTEGER NOT NULL, reason TEXT NOT NULL,
    said TEXT NOT NULL DEFAULT ''
);
CREATE TABLE IF NOT EXISTS settings(name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""


class Database:
    """One connection, for any thread, one at a time."""

    def __init__(self, safevar: Path) -> None:
        """Open, and make what is missing. Raises: ConsoleDatabaseFailed (MIR-815)."""
        self._path = safevar / DATABASE
        self._lock = threading.Lock()
        try:
            make_directory(self._path.parent)
            self._connection = sqlite3.connect(
                self._path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
            )
            # Hashes of passwords and sessions: for root only, before anything is in it.
            self._path.chmod(0o600)
            self._connection.execute(f"PRAGMA journal_mode={journal_mode(self._path)}")
            self._connection.execute("PRAGMA synchronous=FULL")
            self._connection.executescript(_SCHEMA)
            self._complete()
        except (sqlite3.Error, OSError) as error:
            raise self._failed(error) from error

    def _complete(self) -> None:
        """Add what an earlier version's file lacks. Raises: sqlite3.Error."""
        text = "TEXT NOT NULL DEFAULT ''"
        for table, column, kind in (
            ("sessions", "role", text),
            ("audit", "said", text),
            ("notices", "said", text),
            ("links", "since_us", "INTEGER NOT NULL DEFAULT 0"),
        ):
            rows = self._connection.execute(f"PRAGMA table_info({table})")
            if column not in {row[1] for row in rows}:
                self._connection.execute(f"ALTER TABLE {table} ADD COLUMN {column} {kind}")

    def __enter__(self) -> Self:
        """Use as a context manager to close it."""
        return self

    def __exit__(self, *_exception: object) -> None:
        """Close, whatever happened."""
        self.close()

    def close(self) -> None:
        """Close; nothing is lost, everything is on disk already."""
        with self._lock:
            self._connection.close()

    def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        """Read. Raises: ConsoleDatabaseFailed (MIR-815)."""
        with self._guarded() as connection:
            return connection.execute(query, values).fetchall()

    def one(self, query: str, *values: Any) -> tuple[Any, ...] | None:
        """Read the first row, None when there is none. Raises: ConsoleDatabaseFailed."""
        found = self.rows(query, *values)
        return found[0] if found else None

    def change(self, statement: str, *values: Any) -> int:
        """Change, on disk on return; the number of rows changed. Raises: ConsoleDatabaseFailed."""
        with self._guarded() as connection:
            return connection.execute(statement, values).rowcount

    def add(self, statement: str, *values: Any) -> int:
        """Insert, on disk on return; the id of the new row. Raises: ConsoleDatabaseFailed."""
        with self._guarded() as connection:
            return connection.execute(statement, values).lastrowid or 0

    @contextlib.contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Several changes, all or none. Raises: ConsoleDatabaseFailed (MIR-815)."""
        with self._guarded() as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
            except BaseException:
                connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")

    @contextlib.contextmanager
    def _guarded(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            try:
                yield self._connection
            except sqlite3.Error as error:
                raise self._failed(error) from error

    def _failed(self, error: Exception) -> ConsoleDatabaseFailed:
        why = _why_no_room(self._path.parent)
        full = f"{why}: nothing is changed that cannot be recorded"
        return ConsoleDatabaseFailed(file=self._path, observed=full if why else str(error))


def _why_no_room(directory: Path) -> str:
    """Tell why nothing more fits there; "" when something does. SQLite has many words for that."""
    try:
        if os.statvfs(directory).f_bavail == 0:
            return "the disk is full"
        with tempfile.TemporaryFile(dir=directory, buffering=0) as probe:
            probe.write(bytes(4096))
    except OSError as error:
        if error.errno == errno.EDQUOT:
            return "the quota is exceeded"
    return ""

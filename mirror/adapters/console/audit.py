"""The audit: who asked for what, from where, and what came of it. Never a secret in it.

A request is noted before it is done and completed afterwards, so that what was interrupted by a
crash has left its mark too (status 0). Blocking: use `asyncio.to_thread`.
"""

from dataclasses import dataclass

from mirror.adapters import clock
from mirror.adapters.console.database import Database
from mirror.vocabulary.said import Said, kept

ENTRIES_MAX = 100_000
PRUNE_EVERY = 1_000
DETAIL_LETTERS_MAX = 2_000
PENDING = "not finished"


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One request. origin: an address, or "this host". via: session, token, peer, command line.

    status: of HTTP, 0 when it did not finish. duration_ms: until the answer began. said: the parts
    of `result`, as said.kept wrote them.
    """

    id: int
    time_us: int
    name: str
    role: str
    origin: str
    via: str
    module: str
    what: str
    detail: str
    result: str
    status: int
    duration_ms: int
    said: str


class Audit:
    """The audit in one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(
        self, *, name: str, role: str, origin: str, via: str, module: str, what: str, detail: str
    ) -> int:
        """Note what was asked, on disk on return; its number for `end`."""
        number = self._database.add(
            "INSERT INTO audit(time_us, name, role, origin, via, module, what, detail, result,"
            " status, duration_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 0)",
            *(clock.wall_us(), name, role, origin, via, module, what),
            *(detail[:DETAIL_LETTERS_MAX], PENDING),
        )
        if number % PRUNE_EVERY == 0:
            self._database.change("DELETE FROM audit WHERE id <= ?", number - ENTRIES_MAX)
        return number

    def end(self, number: int, *, result: Said, status: int, duration_ms: int) -> None:
        """Note what came of it."""
        self._database.change(
            "UPDATE audit SET result = ?, said = ?, status = ?, duration_ms = ? WHERE id = ?",
            *(result[:DETAIL_LETTERS_MAX], kept(result), status, duration_ms, number),
        )

    def last(self, count: int, *, before: int | None = None, module: str = "") -> list[AuditEntry]:
        """The newest entries, newest first. before: those with a lower number than this."""
        rows = self._database.rows(
            "SELECT id, time_us, name, role, origin, via, module, what, detail, result, status,"
            " duration_ms, said FROM audit WHERE id < ? AND (? = '' OR module = ?)"
            " ORDER BY id DESC LIMIT ?",
            *(before or 2**62, module, module, count),
        )
        return [AuditEntry(*row) for row in rows]

"""What was told, for the feed, and where to tell it. Blocking: use `asyncio.to_thread`."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from mirror.adapters.console.database import Database
from mirror.adapters.notify.settings import NotifySettings, from_map, to_map
from mirror.vocabulary.said import kept

KEPT_MAX = 500
_SETTINGS = "notifications"


class Told(Protocol):
    """What is kept of a notice."""

    @property
    def kind(self) -> str: ...
    @property
    def service(self) -> str: ...
    @property
    def node(self) -> str: ...
    @property
    def up(self) -> bool: ...
    @property
    def reason(self) -> str: ...


@dataclass(frozen=True, slots=True)
class KeptNotice:
    """A notice that was told. said: the parts of `reason`, as said.kept wrote them."""

    id: int
    time_us: int
    kind: str
    service: str
    node: str
    up: bool
    reason: str
    said: str


class Notifications:
    """The notices and the settings in one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, notices: Iterable[tuple[int, Told]]) -> None:
        """Keep some, with their times; the oldest go first."""
        with self._database.transaction() as connection:
            connection.executemany(
                "INSERT INTO notices(time_us, kind, service, node, up, reason, said)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                [
                    (
                        *(when, one.kind, one.service, one.node),
                        *(int(one.up), str(one.reason), kept(one.reason)),
                    )
                    for when, one in notices
                ],
            )
            connection.execute(
                "DELETE FROM notices WHERE id <= (SELECT max(id) FROM notices) - ?", (KEPT_MAX,)
            )

    def last(self, count: int) -> list[KeptNotice]:
        """The newest ones, newest first."""
        rows = self._database.rows(
            "SELECT id, time_us, kind, service, node, up, reason, said FROM notices"
            " ORDER BY id DESC LIMIT ?",
            count,
        )
        return [
            KeptNotice(number, when, kind, service, node, bool(up), reason, said)
            for number, when, kind, service, node, up, reason, said in rows
        ]

    def settings(self) -> NotifySettings:
        """Where to tell it."""
        row = self._database.one("SELECT value FROM settings WHERE name = ?", _SETTINGS)
        return from_map(json.loads(row[0])) if row else NotifySettings()

    def save(self, settings: NotifySettings) -> None:
        """Change where to tell it."""
        self._database.change(
            "INSERT OR REPLACE INTO settings VALUES (?, ?)",
            *(_SETTINGS, json.dumps(to_map(settings))),
        )

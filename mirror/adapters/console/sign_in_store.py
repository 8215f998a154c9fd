"""Who else's word is taken, in the database; the same on both nodes. Blocking."""

import json
from dataclasses import replace

from mirror.adapters import clock
from mirror.adapters.console.database import Database
from mirror.adapters.signin.settings import SignInSettings, from_map, to_map

_NAME = "sign-in"


class SignInStore:
    """The settings in one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def read(self) -> SignInSettings:
        """As they stand."""
        row = self._database.one("SELECT value FROM settings WHERE name = ?", _NAME)
        return from_map(json.loads(row[0])) if row else SignInSettings()

    def save(self, settings: SignInSettings) -> None:
        """Change them, now."""
        self._write(replace(settings, changed_us=clock.wall_us()))

    def merge(self, theirs: SignInSettings) -> bool:
        """Take those of the other node when they are newer; whether they were."""
        if theirs.changed_us <= self.read().changed_us:
            return False
        self._write(theirs)
        return True

    def _write(self, settings: SignInSettings) -> None:
        self._database.change(
            "INSERT OR REPLACE INTO settings VALUES (?, ?)", _NAME, json.dumps(to_map(settings))
        )

"""Small settings of the console on this node. Blocking: use `asyncio.to_thread`."""

import secrets

from mirror.adapters.console.database import Database

_MARK = "mark"
_READY_PROBE = "ready_probe "  # and the name of the module


class Settings:
    """The settings in one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def mark(self) -> str:
        """A random word that tells this console from others on the same host name."""
        self._database.change(
            "INSERT OR IGNORE INTO settings VALUES (?, ?)", _MARK, secrets.token_hex(4)
        )
        return self._value(_MARK)

    def ready_probe(self, module: str) -> bool:
        """Whether other hosts may ask if the module is ready (ready.txt). Off unless set."""
        return self._value(_READY_PROBE + module) == "on"

    def set_ready_probe(self, module: str, *, on: bool) -> None:
        """Switch ready.txt for other hosts on or off."""
        self._database.change(
            "INSERT OR REPLACE INTO settings VALUES (?, ?)",
            *(_READY_PROBE + module, "on" if on else "off"),
        )

    def _value(self, name: str) -> str:
        row = self._database.one("SELECT value FROM settings WHERE name = ?", name)
        return str(row[0]) if row else ""

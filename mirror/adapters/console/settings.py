"""Small settings of the console on this node. Blocking: use `asyncio.to_thread`."""

import secrets

from mirror.adapters import clock
from mirror.adapters.console.database import Database

_MARK = "mark"
_ALIVE = "alive_us"
GAPS_MAX = 1000
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

    def begin_run(self) -> None:
        """Keep when the run before this one was last alive; GAPS_MAX are kept."""
        alive_us = self._value(_ALIVE)
        now_us = clock.wall_us()
        if alive_us:
            self._database.change("INSERT INTO gaps VALUES (?, ?)", int(alive_us), now_us)
            self._database.change(
                "DELETE FROM gaps WHERE rowid <= (SELECT max(rowid) FROM gaps) - ?", GAPS_MAX
            )
        self.note_alive()

    def note_alive(self) -> None:
        """Note that this console is alive now."""
        self._database.change(
            "INSERT OR REPLACE INTO settings VALUES (?, ?)", _ALIVE, str(clock.wall_us())
        )

    def alive_before(self, time_us: int) -> int:
        """When an earlier run of this console was last alive before `time_us`; 0: never."""
        row = self._database.one("SELECT max(alive_us) FROM gaps WHERE alive_us < ?", time_us)
        return int(row[0]) if row and row[0] else 0

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

"""Users of the console: a name, a role, a password hashed with argon2id.

Both nodes hold the same users: each row has the time of its change, and the newer one wins
(`export`, `merge`). Blocking, and a password takes tens of milliseconds: use `asyncio.to_thread`.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from mirror.adapters import clock
from mirror.adapters.console.database import Database
from mirror.adapters.console.roles import Role
from mirror.errors import PasswordRefused, UserRefused
from mirror.vocabulary.said import Said, say

PASSWORD_LENGTH_MIN = 8
PASSWORD_BYTES_MAX = 1024
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")
# The second choice of RFC 9106 in memory, kept small: a node's memory is for its application.
_HASHER = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
_OF_NOBODY = _HASHER.hash("the time an unknown name takes is that of a known one")


@dataclass(frozen=True, slots=True)
class User:
    """A user, without the password."""

    name: str
    role: Role
    created_us: int
    changed_us: int


class Users:
    """The users in one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self) -> list[User]:
        """Every user, by name."""
        rows = self._database.rows(
            "SELECT name, role, created_us, changed_us FROM users ORDER BY name"
        )
        return [User(name, Role(role), created, changed) for name, role, created, changed in rows]

    def of(self, name: str) -> User | None:
        """Find a user, or None."""
        return next((user for user in self.all() if user.name == name), None)

    def any(self) -> bool:
        """Tell whether there is a user at all; before that, only a one-time link lets in."""
        return self._database.one("SELECT 1 FROM users LIMIT 1") is not None

    def put(self, name: str, role: Role, password: str | None) -> None:
        """Add a user, or change role and password of one. password None: kept as it is.

        What was printed for the user before, a link with a role of then, is worth nothing.
        Raises: UserRefused (MIR-814), PasswordRefused (MIR-813).
        """
        if not _NAME.fullmatch(name):
            raise UserRefused(
                name=repr(name[:64]),
                observed=say("seen.wrong_letter"),
                remedy=say("do.letters"),
            )
        existing = self.of(name)
        if existing is not None and existing.role is Role.ADMIN and role is not Role.ADMIN:
            self._refuse_last_admin(name)
        now_us = clock.wall_us()
        if password is None:
            if existing is None:
                raise PasswordRefused(observed=say("seen.no_password"), remedy=say("do.give_one"))
            with self._database.transaction() as connection:
                connection.execute(
                    "UPDATE users SET role = ?, changed_us = ? WHERE name = ?",
                    (role, now_us, name),
                )
                connection.execute("DELETE FROM links WHERE name = ?", (name,))
            return
        check_password(name, password)
        hashed = _HASHER.hash(password)
        with self._database.transaction() as connection:
            connection.execute(
                "INSERT INTO users(name, role, password, created_us, changed_us)"
                " VALUES (?, ?, ?, ?, ?) ON CONFLICT(name) DO UPDATE"
                " SET role = excluded.role, password = excluded.password,"
                " changed_us = excluded.changed_us",
                (name, role, hashed, now_us, now_us),
            )
            connection.execute("DELETE FROM links WHERE name = ?", (name,))

    def remove(self, name: str) -> None:
        """Remove a user, its sessions and its links. Raises: UserRefused (MIR-814)."""
        if self.of(name) is None:
            raise UserRefused(
                name=repr(name), observed=say("seen.no_user"), remedy=say("do.existing")
            )
        self._refuse_last_admin(name)
        with self._database.transaction() as connection:
            connection.execute("DELETE FROM users WHERE name = ?", (name,))
            connection.execute("DELETE FROM sessions WHERE name = ?", (name,))
            connection.execute("DELETE FROM links WHERE name = ?", (name,))
            connection.execute(
                "INSERT OR REPLACE INTO removed_users VALUES (?, ?)", (name, clock.wall_us())
            )

    def verify(self, name: str, password: str) -> User | None:
        """Give the user of this name and password, None when one of them is wrong.

        It takes as long whether the name exists or not.
        """
        row = self._database.one("SELECT password FROM users WHERE name = ?", name)
        hashed = str(row[0]) if row else _OF_NOBODY
        try:
            _HASHER.verify(hashed, password[:PASSWORD_BYTES_MAX])
        except (VerificationError, InvalidHashError):
            return None
        return self.of(name) if row else None

    def export(self) -> list[dict[str, Any]]:
        """All users with their hashes, and the removed ones, for the other node only."""
        rows = self._database.rows(
            "SELECT name, role, password, created_us, changed_us FROM users"
            " UNION ALL SELECT name, '', '', 0, changed_us FROM removed_users"
        )
        names = ("name", "role", "password", "created_us", "changed_us")
        return [dict(zip(names, row, strict=True)) for row in rows]

    def merge(self, theirs: Iterable[Mapping[str, Any]]) -> int:
        """Take over what the other node changed later than this one; how many rows that were.

        theirs: what `export` gave there, already checked for its types.
        """
        count = 0
        with self._database.transaction() as connection:
            for row in theirs:
                name, changed_us = str(row["name"]), int(row["changed_us"])
                known = connection.execute(
                    "SELECT max(changed_us) FROM (SELECT changed_us FROM users WHERE name = ?"
                    " UNION ALL SELECT changed_us FROM removed_users WHERE name = ?)",
                    (name, name),
                ).fetchone()[0]
                if known is not None and known >= changed_us:
                    continue
                count += 1
                connection.execute("DELETE FROM users WHERE name = ?", (name,))
                connection.execute("DELETE FROM removed_users WHERE name = ?", (name,))
                # Its role or password changed: whoever is signed in by the old ones is out.
                connection.execute("DELETE FROM sessions WHERE name = ?", (name,))
                # Nor does a link that this node printed before it knew of the user set it anew.
                connection.execute("DELETE FROM links WHERE name = ?", (name,))
                if row["role"]:
                    values = (name, Role(row["role"]), row["password"], row["created_us"])
                    connection.execute(
                        "INSERT INTO users VALUES (?, ?, ?, ?, ?)", (*values, changed_us)
                    )
                else:
                    connection.execute(
                        "INSERT INTO removed_users VALUES (?, ?)", (name, changed_us)
                    )
        return count

    def give_way(self) -> None:
        """Count as older than any other: this node joins a cluster, whose users are right."""
        self._database.change("UPDATE users SET changed_us = 1")
        self._database.change("DELETE FROM removed_users")

    def _refuse_last_admin(self, name: str) -> None:
        admins = [user.name for user in self.all() if user.role is Role.ADMIN]
        if admins == [name]:
            raise UserRefused(
                name=name, observed=say("seen.last_admin"), remedy=say("do.another_admin")
            )


def check_password(name: str, password: str) -> None:
    """Raise PasswordRefused (MIR-813) for one that is too easy; the sentence never repeats it."""
    wrong = Said()
    if len(password) < PASSWORD_LENGTH_MIN:
        wrong = say("seen.password_short", letters=PASSWORD_LENGTH_MIN)
    elif len(password.encode()) > PASSWORD_BYTES_MAX:
        wrong = say("seen.password_long", bytes=PASSWORD_BYTES_MAX)
    elif name.casefold() in password.casefold():
        wrong = say("seen.password_name")
    elif len(set(password)) < 4:
        wrong = say("seen.password_plain")
    if wrong:
        raise PasswordRefused(observed=wrong, remedy=say("do.longer"))

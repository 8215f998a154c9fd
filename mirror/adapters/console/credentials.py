"""What proves who somebody is after the password: sessions, bearer tokens, one-time links.

Only hashes are kept, so that a copy of the database lets nobody in. The secrets are random and
long, so a plain SHA-256 is enough. Blocking: use `asyncio.to_thread`.
"""

import hashlib
import secrets
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum

from mirror.adapters import clock
from mirror.adapters.console.database import Database
from mirror.adapters.console.roles import Role
from mirror.errors import ConsoleDatabaseFailed

SECRET_BYTES = 32
TOKEN_PREFIX = "mirror_"  # noqa: S105 - a mark by which leaked tokens are found, no secret
US_PER_S = 1_000_000
IDLE_US = 8 * 3600 * US_PER_S  # SafeKit's idle logout
SESSION_US = 7 * 24 * 3600 * US_PER_S
# What somebody else said of a person is asked for anew each day.
EXTERNAL_SESSION_US = 12 * 3600 * US_PER_S
# A session is noted as alive this often, not at each request: each note is a write to the disk.
SEEN_EVERY_US = 60 * US_PER_S
SESSIONS_PER_USER_MAX = 32


class Purpose(StrEnum):
    """What a one-time link is for."""

    PASSWORD = "password"  # noqa: S105 - to set one
    TICKET = "ticket"  # to go on with the other node without signing in again


@dataclass(frozen=True, slots=True)
class SessionRow:
    """A session that is valid now. csrf: what unsafe requests of it must repeat.

    role: of who signed in by somebody else's word; None: that of the user of this name.
    since_us: when the person signed in, on whichever node.
    """

    name: str
    csrf: str
    expires_us: int
    role: Role | None = None
    since_us: int = 0


@dataclass(frozen=True, slots=True)
class Token:
    """A bearer token, without its secret. used_us: 0 when never."""

    id: int
    label: str
    role: Role
    created_us: int
    created_by: str
    expires_us: int
    used_us: int


@dataclass(frozen=True, slots=True)
class Link:
    """What a one-time link was made for. since_us: of a ticket, as in SessionRow."""

    purpose: Purpose
    name: str
    role: Role
    since_us: int = 0


class Credentials:
    """Sessions, tokens and links in one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    # --- sessions ---

    def open_session(
        self, name: str, origin: str, role: Role | None = None, since_us: int = 0
    ) -> tuple[str, SessionRow]:
        """Begin a session: its secret, for the cookie, and what is known of it.

        role: given when it is no user of ours. since_us: when the person signed in; 0: now.
        """
        secret, csrf, now_us = new_secret(), new_secret(), clock.wall_us()
        since_us = min(since_us or now_us, now_us)
        with self._database.transaction() as connection:
            connection.execute(
                "DELETE FROM sessions WHERE seen_us < ? OR created_us < ?",
                (now_us - IDLE_US, now_us - SESSION_US),
            )
            connection.execute(
                "DELETE FROM sessions WHERE hash IN (SELECT hash FROM sessions WHERE name = ?"
                " ORDER BY seen_us DESC LIMIT -1 OFFSET ?)",
                (name, SESSIONS_PER_USER_MAX - 1),
            )
            connection.execute(
                "INSERT INTO sessions VALUES (?, ?, ?, ?, ?, ?, ?)",
                (hash_of(secret), name, csrf, since_us, now_us, origin, role or ""),
            )
        return secret, SessionRow(name, csrf, _end_us(since_us, now_us, role), role, since_us)

    def session(self, secret: str, *, active: bool) -> SessionRow | None:
        """Find a session that has not ended. active: this is a person's doing, which keeps it."""
        now_us, key = clock.wall_us(), hash_of(secret)
        row = self._database.one(
            "SELECT name, csrf, created_us, seen_us, role FROM sessions WHERE hash = ?", key
        )
        if row is None:
            return None
        name, csrf, created_us, seen_us, role = row
        expires_us = _end_us(created_us, seen_us, role)
        if now_us > expires_us:
            self._note("DELETE FROM sessions WHERE hash = ?", key)
            return None
        if active and now_us - seen_us > SEEN_EVERY_US:
            self._note("UPDATE sessions SET seen_us = ? WHERE hash = ?", now_us, key)
        return SessionRow(name, csrf, expires_us, Role(role) if role else None, created_us)

    def _note(self, statement: str, *values: object) -> None:
        """Keep what is good to know: a disk that is full does not keep people from looking."""
        with suppress(ConsoleDatabaseFailed):
            self._database.change(statement, *values)

    def close_session(self, secret: str) -> None:
        """End one session."""
        self._database.change("DELETE FROM sessions WHERE hash = ?", hash_of(secret))

    def close_sessions_of(self, name: str) -> None:
        """End every session of a user, as when the password changes."""
        self._database.change("DELETE FROM sessions WHERE name = ?", name)

    def close_external_sessions(self) -> None:
        """End every session that began by somebody else's word, as when that is configured.

        And the tickets for more of them.
        """
        with self._database.transaction() as connection:
            connection.execute("DELETE FROM sessions WHERE role != ''")
            connection.execute(
                "DELETE FROM links WHERE purpose = ? AND instr(name, ':')", (Purpose.TICKET,)
            )

    # --- bearer tokens ---

    def make_token(self, label: str, role: Role, days: int, by: str) -> tuple[str, Token]:
        """Make a token; its secret is given here and never again."""
        secret, now_us = TOKEN_PREFIX + new_secret(), clock.wall_us()
        expires_us = now_us + days * 24 * 3600 * US_PER_S
        number = self._database.add(
            "INSERT INTO tokens(hash, label, role, created_us, created_by, expires_us, used_us)"
            " VALUES (?, ?, ?, ?, ?, ?, 0)",
            *(hash_of(secret), label, role, now_us, by, expires_us),
        )
        return secret, Token(number, label, role, now_us, by, expires_us, 0)

    def tokens(self) -> list[Token]:
        """Every token, expired ones included, oldest first."""
        rows = self._database.rows(
            "SELECT id, label, role, created_us, created_by, expires_us, used_us FROM tokens"
            " ORDER BY id"
        )
        return [Token(row[0], row[1], Role(row[2]), *row[3:]) for row in rows]

    def token(self, secret: str) -> Token | None:
        """Find a token that has not expired, and note that it was used."""
        now_us, key = clock.wall_us(), hash_of(secret)
        row = self._database.one(
            "SELECT id, label, role, created_us, created_by, expires_us, used_us FROM tokens"
            " WHERE hash = ? AND expires_us > ?",
            *(key, now_us),
        )
        if row is None:
            return None
        if now_us - row[6] > SEEN_EVERY_US:
            self._note("UPDATE tokens SET used_us = ? WHERE hash = ?", now_us, key)
        return Token(row[0], row[1], Role(row[2]), *row[3:])

    def revoke_token(self, number: int) -> bool:
        """Make a token worthless; False when there is none of this number."""
        return self._database.change("DELETE FROM tokens WHERE id = ?", number) > 0

    # --- one-time links ---

    def make_link(
        self, purpose: Purpose, name: str, role: Role, valid_s: int, since_us: int = 0
    ) -> str:
        """Make a secret that works once. An older one to set that user's password ends.

        since_us: of a ticket, when the person signed in.
        """
        secret, now_us = new_secret(), clock.wall_us()
        with self._database.transaction() as connection:
            connection.execute(
                "DELETE FROM links WHERE expires_us < ? OR (purpose = ? AND name = ? AND ? = ?)",
                (now_us, purpose, name, purpose, Purpose.PASSWORD),
            )
            connection.execute(
                "INSERT INTO links(hash, purpose, name, role, expires_us, since_us)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                (hash_of(secret), purpose, name, role, now_us + valid_s * US_PER_S, since_us),
            )
        return secret

    def link(self, secret: str, purpose: Purpose) -> Link | None:
        """Look at a link that still works, without using it up."""
        row = self._database.one(
            "SELECT name, role, since_us FROM links"
            " WHERE hash = ? AND purpose = ? AND expires_us > ?",
            *(hash_of(secret), purpose, clock.wall_us()),
        )
        return None if row is None else Link(purpose, row[0], Role(row[1]), row[2])

    def use_link(self, secret: str, purpose: Purpose) -> Link | None:
        """Use a link up; None when it was used before, expired, or never made."""
        found = self.link(secret, purpose)
        # The deletion decides who was first when two come with the same link.
        used = self._database.change("DELETE FROM links WHERE hash = ?", hash_of(secret))
        return found if used else None


def _end_us(since_us: int, seen_us: int, role: str | None) -> int:
    """When a session ends: idle, or at its longest, which is shorter by somebody else's word."""
    return min(seen_us + IDLE_US, since_us + (EXTERNAL_SESSION_US if role else SESSION_US))


def new_secret() -> str:
    """Random text for a cookie, a token or a link."""
    return secrets.token_urlsafe(SECRET_BYTES)


def hash_of(secret: str) -> bytes:
    """What is kept of a secret."""
    return hashlib.sha256(secret.encode()).digest()

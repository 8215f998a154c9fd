"""The first password: a one-time link, printed when the node starts and has no user yet."""

import sys

from mirror.adapters.console.credentials import Credentials, Purpose
from mirror.adapters.console.roles import Role
from mirror.adapters.console.users import Users

FIRST_USER = "admin"
FIRST_LINK_S = 24 * 3600
PATH = "/#/link/"  # after the #, so that it is in no log of a server and no Referer


def print_first_link(users: Users, credentials: Credentials, url: str) -> None:
    """Print a link when there is no user. It is the one secret that is meant to be printed."""
    if users.any():
        return
    secret = credentials.make_link(Purpose.PASSWORD, FIRST_USER, Role.ADMIN, FIRST_LINK_S)
    print(  # noqa: T201 - to the journal, or the terminal, of who starts the node
        f"mirror console: no user yet. Set the password of {FIRST_USER} within 24 hours at\n"
        f"  {url}{PATH}{secret}\n"
        "`mirror console link` on this node prints another one.",
        file=sys.stderr,
        flush=True,
    )

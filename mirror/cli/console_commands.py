"""console link, token, tokens, revoke, users: who may use the console and the API of this node.

The commands write what the console reads; they need root, and work while the console is down.
"""

from dataclasses import asdict
from datetime import UTC, datetime

import click

from mirror.adapters.console.audit import Audit
from mirror.adapters.console.credentials import US_PER_S, Credentials, Purpose, Token
from mirror.adapters.console.database import Database
from mirror.adapters.console.roles import Role
from mirror.adapters.console.users import Users
from mirror.cli.cluster_commands import node_name
from mirror.cli.configure import read_cluster
from mirror.cli.options import SectionedGroup, common, pass_session
from mirror.cli.session import Session
from mirror.config.cluster import addresses_of
from mirror.config.layout import CONSOLE_HTTP_PORT, CONSOLE_HTTPS_PORT
from mirror.errors import MirrorError, NotFoundHere
from mirror.vocabulary.said import Said, say

FIRST_USER = "admin"
LINK_HOURS = 24
ROLES = click.Choice([str(role) for role in Role], case_sensitive=False)


FROM_ELSEWHERE = (
    "which answers on this server alone until the cluster has its certificates; from another\n"
    f"machine: ssh -L {CONSOLE_HTTP_PORT}:localhost:{CONSOLE_HTTP_PORT} root@THIS_SERVER"
)


@click.group(cls=SectionedGroup)
def console() -> None:
    """Let people and programs use the console: links, users, tokens."""


@console.command()
@click.option("--user", "name", default=FIRST_USER, show_default=True, help="Whose password.")
@click.option("--role", type=ROLES, help="Role of a new user; Admin if none is given.")
@click.option(
    "--hours",
    type=click.IntRange(1, 168),
    default=LINK_HOURS,
    show_default=True,
    help="How long it is good.",
)
@common
@pass_session
def link(session: Session, *, name: str, role: str | None, hours: int) -> None:
    """Print a one-time link with which a user sets a password, and is made when new."""
    with _database(session) as database:
        existing = Users(database).of(name)
        wanted = Role(role) if role else existing.role if existing else Role.ADMIN
        secret = Credentials(database).make_link(Purpose.PASSWORD, name, wanted, hours * 3600)
        _note(database, "make a one-time link", f"{name} {wanted}")
    places = _places(session)
    urls = [f"{place}/#/link/{secret}" for place in places]
    session.report(
        {"user": name, "role": wanted, "urls": urls, "hours": hours},
        f"within {hours} hours, {name} ({wanted}) sets a password at\n"
        + "\n".join(f"  {url}" for url in urls)
        + (f"\n{FROM_ELSEWHERE}" if len(places) == 1 else ""),
    )


@console.command()
@click.argument("label")
@click.option(
    "--role",
    type=ROLES,
    default=str(Role.MONITOR),
    show_default=True,
    help="What the program may do.",
)
@click.option(
    "--days",
    type=click.IntRange(1, 3650),
    default=365,
    show_default=True,
    help="How long it is good.",
)
@common
@pass_session
def token(session: Session, *, label: str, role: str, days: int) -> None:
    """Make a bearer token for a program, and print it this once."""
    with _database(session) as database:
        secret, made = Credentials(database).make_token(label, Role(role), days, "command line")
        _note(database, "make a bearer token", f"{label} {role}")
    session.report({"token": secret, **asdict(made)}, secret)


@console.command(name="tokens")
@common
@pass_session
def list_tokens(session: Session) -> None:
    """List the bearer tokens, without their secrets."""
    with _database(session) as database:
        found = Credentials(database).tokens()
    lines = [_token_line(one) for one in found] or ["no token"]
    session.report({"tokens": [asdict(one) for one in found]}, "\n".join(lines))


@console.command()
@click.argument("number", type=int)
@common
@pass_session
def revoke(session: Session, *, number: int) -> None:
    """Make the token of this NUMBER worthless, now."""
    with _database(session) as database:
        if not Credentials(database).revoke_token(number):
            raise NotFoundHere(
                what=say("web.token", number=number),
                observed=say("console.no_token"),
                remedy=say("do.list_tokens"),
            )
        _note(database, "revoke a bearer token", str(number))
    session.report({"id": number}, f"token {number} is revoked")


@console.command(name="users")
@common
@pass_session
def list_users(session: Session) -> None:
    """List the users of the console; both nodes have the same."""
    with _database(session) as database:
        found = Users(database).all()
    lines = [f"{one.name}  {one.role}" for one in found] or ["no user: `console link` makes one"]
    session.report({"users": [asdict(one) for one in found]}, "\n".join(lines))


def _database(session: Session) -> Database:
    return Database(session.layout.safevar)


def _note(database: Database, what: str, detail: str) -> None:
    """Leave a mark in the audit: who is root can do this, and it is seen."""
    audit = Audit(database)
    number = audit.begin(
        name="root",
        role=Role.ADMIN,
        origin="this host",
        via="command line",
        module="",
        what=what,
        detail=detail,
    )
    audit.end(number, result=Said("done"), status=200, duration_ms=0)


def _places(session: Session) -> list[str]:
    """Where a browser finds the console: on this host, and by HTTPS once it is in a cluster."""
    places = [f"http://localhost:{CONSOLE_HTTP_PORT}"]
    try:
        cluster, name = read_cluster(session.layout), node_name(session)
    except MirrorError:
        return places
    if name is not None and session.layout.node_certificate.is_file():
        hosts = (f"[{one}]" if ":" in one else one for one in addresses_of(cluster, name))
        places += [f"https://{host}:{CONSOLE_HTTPS_PORT}" for host in hosts]
    return places


def _token_line(one: Token) -> str:
    until = datetime.fromtimestamp(one.expires_us / US_PER_S, tz=UTC)
    return f"{one.id}  {one.label}  {one.role}  until {until:%Y-%m-%d}"

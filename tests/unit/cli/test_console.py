"""`mirror console`: who may use the console; what the commands make, the console accepts."""

from mirror.adapters.console.audit import Audit
from mirror.adapters.console.credentials import Credentials, Purpose
from mirror.adapters.console.database import Database
from mirror.adapters.console.roles import Role
from mirror.config.layout import Layout

from .conftest import Run


def test_a_link_for_the_first_user(mirror: Run, layout: Layout) -> None:
    value = mirror("console", "link", "--json").json
    assert (value["user"], value["role"]) == ("admin", "Admin")
    (url,) = value["urls"]
    place, _, secret = url.partition("/#/link/")
    assert place == "http://localhost:9010"
    with Database(layout.safevar) as database:
        found = Credentials(database).use_link(secret, Purpose.PASSWORD)
        assert found is not None
        assert (found.name, found.role) == ("admin", Role.ADMIN)
        entry = Audit(database).last(1)[0]
    assert (entry.name, entry.via, entry.what) == ("root", "command line", "make a one-time link")
    assert secret not in str(entry)
    assert "ssh -L 9010:localhost:9010" in mirror("console", "link").out


def test_a_token_is_made_listed_and_revoked(mirror: Run, layout: Layout) -> None:
    secret = mirror("console", "token", "prometheus", "--days", "30").out.strip()
    with Database(layout.safevar) as database:
        made = Credentials(database).token(secret)
        assert made is not None
        assert (made.label, made.role) == ("prometheus", Role.MONITOR)
    listed = mirror("console", "tokens").out
    assert "prometheus  Monitor  until " in listed
    assert secret not in listed
    assert mirror("console", "revoke", "1").code == 0
    with Database(layout.safevar) as database:
        assert Credentials(database).token(secret) is None
    assert mirror("console", "revoke", "1").code == 1


def test_the_database_is_for_root_only(mirror: Run, layout: Layout) -> None:
    assert "console link" in mirror("console", "users").out
    file = layout.safevar / "console/console.db"
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o777 == 0o700

"""Every route with no, wrong and lesser credentials: nothing is done, nothing leaks."""

import json
import re
import time
from collections.abc import Iterator, Mapping
from typing import Any

import httpx
import pytest

from mirror.adapters.console.roles import Role
from mirror.web.identity import Access
from mirror.web.routes import ROUTES
from mirror.web.table import Row

from .world import START_S, Browser, Node, audited

PARAMETERS = {
    "module": "web",
    "name": "somebody",
    "number": "7",
    "path": "bin/start_prim",
    "file": "prometheus-rules.yml",
    "kept": "web.000001.safe",
}
PROTECTED = [row for row in ROUTES if row.access.role is not None]
LESSER = [
    (row, role)
    for row in PROTECTED
    for role in Role
    if row.access.role is not None and not role.covers(row.access.role)
]


def path_of(row: Row) -> str:
    return re.sub(r"\{(\w+)(:path)?\}", lambda found: PARAMETERS[found[1]], row.path)


def name_of(value: object) -> str:
    return f"{value.method} {value.path}" if isinstance(value, Row) else str(value)


def words_of(facts: Mapping[str, Any]) -> Iterator[str]:
    """All that facts tell, those of sentences among them too."""
    for fact in facts.values():
        if isinstance(fact, Mapping):
            yield fact["text"]
            yield from words_of(fact["facts"])
        else:
            yield str(fact)


def assert_refused(answer: httpx.Response, status: int, code: str) -> None:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["code"] == code
    assert set(problem) == {"type", "title", "status", "detail", "code", "errors", "facts"}
    told = problem["detail"]
    assert all(word in told for word in words_of(problem["facts"])), told
    assert problem["errors"] == [], "what is in a body is not looked at before who sent it"


@pytest.mark.parametrize("row", PROTECTED, ids=name_of)
def test_nobody_and_a_wrong_token(node: Node, row: Row) -> None:
    for headers in (
        {},
        {"authorization": "Bearer mirror_wrong"},
        {"authorization": "Basic YWRtaW46YWRtaW4="},
        {"cookie": "mirror-00000000=wrong; __Host-mirror-00000000=wrong"},
        {"x-mirror-caller": "Admin admin", "x-forwarded-for": "127.0.0.1"},
    ):
        answer = httpx.request(
            row.method,
            node.url + path_of(row),
            headers=headers,
            content=b"{ no json",
            timeout=START_S,
        )
        assert_refused(answer, 401, "MIR-801")
        assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("end", ["%0A", "%0D%0A", "%00", "/", "/.", "%2F..%2Fusers"])
def test_a_path_that_is_nearly_one_of_ours_reaches_no_route(node: Node, end: str) -> None:
    """The framework finds routes by a rule of its own: `/users%0A` is `/users` there."""
    for row in ROUTES:
        status = node.status_of(row.method, path_of(row) + end)
        assert status in {401, 403, 404}, (row.method, row.path)


@pytest.fixture(scope="module")
def machines(node: Node) -> dict[Role, Browser]:
    return {role: node.machine(node.token(role)) for role in Role}


@pytest.mark.parametrize(("row", "role"), LESSER, ids=name_of)
def test_a_lesser_role(machines: dict[Role, Browser], row: Row, role: Role) -> None:
    answer = machines[role].send(row.method, path_of(row), {"verb": 7})
    assert_refused(answer, 403, "MIR-802")
    assert f"your role is {role}" in answer.json()["detail"]


@pytest.mark.parametrize("row", [row for row in PROTECTED if row.changes], ids=name_of)
def test_a_cookie_alone_changes_nothing(node: Node, admin_cookie: str, row: Row) -> None:
    headers = {"cookie": admin_cookie}
    answer = httpx.request(
        row.method, node.url + path_of(row), headers=headers, json={}, timeout=START_S
    )
    assert_refused(answer, 403, "MIR-805")


@pytest.fixture(scope="module")
def admin_cookie(node: Node) -> str:
    (cookie,) = node.browser(Role.ADMIN).http.cookies.jar
    return f"{cookie.name}={cookie.value}"


@pytest.mark.parametrize("row", [row for row in ROUTES if row.access is Access.PEER], ids=name_of)
def test_what_is_for_nodes_is_for_nobody_else(machines: dict[Role, Browser], row: Row) -> None:
    assert_refused(machines[Role.ADMIN].send(row.method, row.path, {}), 403, "MIR-802")


def test_an_expired_and_a_revoked_token(node: Node, admin: Browser) -> None:
    made = admin.post("/api/v1/tokens", label="short", role="Admin", days=1).json()
    machine = node.machine(made["secret"])
    assert machine.get("/api/v1/tokens").status_code == 200
    assert admin.delete(f"/api/v1/tokens/{made['token']['id']}").status_code == 200
    assert_refused(machine.get("/api/v1/tokens"), 401, "MIR-801")
    assert made["secret"] not in admin.get("/api/v1/tokens").text


def test_the_last_admin_stays(node: Node, admin: Browser) -> None:
    for answer in (
        admin.delete("/api/v1/users/admin"),
        admin.put("/api/v1/users/admin", role="Monitor"),
    ):
        assert (answer.status_code, answer.json()["code"]) == (409, "MIR-814")


def test_a_lowered_role_counts_at_once(node: Node, admin: Browser) -> None:
    admin.put("/api/v1/users/temp", role="Admin", password="correct horse battery")
    temp = node.browser()
    temp.sign_in("temp", "correct horse battery")
    assert temp.get("/api/v1/users").status_code == 200
    admin.put("/api/v1/users/temp", role="Monitor")
    assert temp.get("/api/v1/users").status_code in {401, 403}
    admin.delete("/api/v1/users/temp")


def test_what_a_page_asks_by_itself_is_not_in_the_audit(node: Node, admin: Browser) -> None:
    admin.post("/api/v1/modules/web/commands", verb="stop")
    assert admin.post("/api/v1/userconfig/check", xml="<safe/>").status_code == 200
    admin.post("/api/v1/modules/web/whatif", verb="stop")
    assert admin.post("/api/v1/tickets").status_code == 200
    assert audited(admin, 1)[0]["what"] == "command to a module"


def test_what_is_long_is_counted_in_the_audit(node: Node, admin: Browser) -> None:
    text = "x" * 300
    admin.post("/api/v1/modules/web/commands", verb=text)
    (entry,) = audited(admin, 1)
    assert json.loads(entry["detail"])["verb"] == {
        "code": "audit.letters",
        "facts": {"letters": 300},
        "text": "(300 letters)",
    }


def test_the_audit_has_who_what_and_how_it_ended_and_no_secret(
    node: Node, admin: Browser, monitor: Browser
) -> None:
    admin.put("/api/v1/users/nora", role="Monitor", password="correct horse battery")
    monitor.post("/api/v1/modules/web/commands", verb="stop")
    admin.put("/api/v1/users/nora", role="Monitor", password="nora")
    admin.delete("/api/v1/users/nora")
    entries = audited(admin, 3)
    assert [(one["what"], one["status"]) for one in entries] == [
        ("remove a user", 200),
        ("add or change a user", 422),
        ("add or change a user", 200),
    ]
    assert entries[1]["result"].startswith("password refused: ")
    assert entries[2]["detail"] == '{"name": "nora", "role": "Monitor", "password": "(not kept)"}'
    assert (entries[2]["name"], entries[2]["origin"], entries[2]["via"]) == (
        "admin",
        "127.0.0.1",
        "session",
    )
    whole = admin.json("/api/v1/audit", count=1000)
    assert "correct horse battery" not in str(whole)
    page = admin.json("/api/v1/audit", count=2, before=entries[0]["id"])
    assert [one["id"] for one in page["entries"]] == [entries[1]["id"], entries[2]["id"]]


def test_the_audit_keeps_no_secret_that_is_sent_within_something(
    node: Node, admin: Browser
) -> None:
    admin.put("/api/v1/notifications", mail={"server": "h", "password": "plover"})
    admin.put("/api/v1/notifications", webhook={"url": "http://h", "secret": "plover"})
    admin.put("/api/v1/sign-in", ldap={"url": "ldaps://h", "bind_password": "plover"})
    entries = audited(admin, 3)
    assert {one["what"] for one in entries} == {
        "change where notifications go",
        "change who else's word is taken",
    }
    assert "plover" not in str(entries)
    assert str(entries).count("(not kept)") == 3
    admin.put("/api/v1/notifications")


def test_what_was_broken_off_is_in_the_audit(node: Node, admin: Browser) -> None:
    entry: dict[str, Any] = {}
    headers = {"x-csrf-token": admin.csrf, "content-type": "application/zip"}

    def half() -> Any:
        yield b"PK"
        raise ConnectionAbortedError

    with pytest.raises(ConnectionAbortedError):
        admin.http.put("/api/v1/modules/torn/package", content=half(), headers=headers)
    deadline = time.monotonic() + START_S
    while "broke off after" not in entry.get("result", ""):
        entry = admin.json("/api/v1/audit", count=1)["entries"][0]
        assert time.monotonic() < deadline, entry.get("result")
    assert (entry["what"], entry["status"]) == ("upload a module", 422)


def test_the_table_names_each_route_once() -> None:
    keys = [(row.method, row.path) for row in ROUTES]
    assert len(keys) == len(set(keys))
    names = [row.function.__name__ for row in ROUTES]
    assert len(names) == len(set(names))

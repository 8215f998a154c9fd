"""Signing in: by password, by a one-time link; what keeps a session, what ends it."""

import re
from pathlib import Path

import httpx
import pytest

from mirror.adapters.console.credentials import IDLE_US, US_PER_S
from mirror.adapters.console.database import Database
from mirror.adapters.console.roles import Role

from .world import PASSWORDS, Browser, Node


def test_who_is_signed_in(node: Node, monitor: Browser) -> None:
    stranger = node.browser().json("/api/v1/session")
    assert stranger == {
        "signed_in": False,
        "name": "",
        "role": None,
        "via": "nobody",
        "csrf": "",
        "expires_us": 0,
        "first_start": False,
        "node": "this",
        "ways": ["password"],
        "oidc_label": "",
    }
    known = monitor.json("/api/v1/session")
    assert (known["name"], known["role"], known["via"]) == ("monitor", "Monitor", "session")
    assert known["csrf"] == monitor.csrf


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(node: Node) -> None:
    browser = node.browser()
    answer = browser.sign_in("admin", PASSWORDS[Role.ADMIN])
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert "Path=/" in cookie
    assert browser.csrf not in cookie


@pytest.mark.parametrize(("name", "password"), [("admin", "wrong"), ("nobody", "wrong")])
def test_a_wrong_name_looks_like_a_wrong_password(node: Node, name: str, password: str) -> None:
    answer = node.browser().sign_in(name, password)
    assert answer.status_code == 401
    problem = answer.json()
    assert problem["code"] == "MIR-803"
    assert problem["detail"].replace(name, "X") == (
        "sign-in refused: 'X': name or password is wrong; `mirror console link` helps (MIR-803)"
    )


def test_a_session_ends_where_it_is_ended(node: Node) -> None:
    browser = node.browser(Role.ADMIN)
    cookies = dict(browser.http.cookies)
    assert browser.get("/api/v1/users").status_code == 200
    assert browser.delete("/api/v1/session").json()["signed_in"] is False
    stolen = httpx.get(f"{node.url}/api/v1/users", cookies=cookies, timeout=60)
    assert stolen.status_code == 401


def test_an_unsafe_request_needs_the_token_of_the_session(node: Node, admin: Browser) -> None:
    good, admin.csrf = admin.csrf, "wrong"
    answer = admin.put("/api/v1/users/eve", role="Admin", password="correct horse battery")
    assert (answer.status_code, answer.json()["code"]) == (403, "MIR-805")
    admin.csrf = good
    assert "eve" not in str(admin.json("/api/v1/users"))


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
)
def test_a_page_of_another_site_is_refused(
    node: Node, admin: Browser, headers: dict[str, str]
) -> None:
    body = {"name": "admin", "password": PASSWORDS[Role.ADMIN]}
    answer = httpx.post(f"{node.url}/api/v1/session", json=body, headers=headers, timeout=60)
    assert (answer.status_code, answer.json()["code"]) == (403, "MIR-805")
    known = {**headers, "x-csrf-token": admin.csrf}
    assert admin.http.delete("/api/v1/session", headers=known).status_code == 403
    # A browser that was given a token as a password, for the feed, sends it to everything here.
    auth = httpx.BasicAuth("feed", node.token(Role.ADMIN))
    by_itself = httpx.post(
        f"{node.url}/api/v1/cluster/leave", headers=headers, auth=auth, timeout=60
    )
    assert (by_itself.status_code, by_itself.json()["code"]) == (403, "MIR-805")


def test_a_one_time_link_sets_the_password_once(node: Node) -> None:
    link = node.link("olga", Role.CONTROL)
    browser = node.browser()
    easy = browser.post("/api/v1/session/link", link=link, password="olga1234")
    assert (easy.status_code, easy.json()["code"]) == (422, "MIR-813")
    done = browser.post("/api/v1/session/link", link=link, password="correct horse battery")
    assert (done.status_code, done.json()["role"]) == (200, "Control")
    again = browser.post("/api/v1/session/link", link=link, password="correct horse battery")
    assert (again.status_code, again.json()["code"]) == (403, "MIR-812")
    assert node.browser().sign_in("olga", "correct horse battery").status_code == 200


def test_a_link_ends_the_one_before_and_its_time(node: Node) -> None:
    older, newer = node.link("ines", Role.MONITOR), node.link("ines", Role.MONITOR)
    late = node.link("late", Role.MONITOR, valid_s=0)
    browser = node.browser()
    for link in (older, late, "never made"):
        answer = browser.post("/api/v1/session/link", link=link, password="correct horse battery")
        assert answer.status_code == 403
    answer = browser.post("/api/v1/session/link", link=newer, password="correct horse battery")
    assert answer.status_code == 200


def test_a_changed_password_ends_other_sessions(node: Node, admin: Browser) -> None:
    admin.put("/api/v1/users/paul", role="Monitor", password="first of passwords")
    here, elsewhere = node.browser(), node.browser()
    for browser in (here, elsewhere):
        assert browser.sign_in("paul", "first of passwords").status_code == 200
    wrong = here.put("/api/v1/session/password", old="no", new="second of passwords")
    assert wrong.status_code == 401
    done = here.put(
        "/api/v1/session/password", old="first of passwords", new="second of passwords"
    )
    assert done.status_code == 200
    assert here.json("/api/v1/session")["signed_in"] is True
    assert elsewhere.json("/api/v1/session")["signed_in"] is False
    assert node.browser().sign_in("paul", "first of passwords").status_code == 401


def test_what_was_printed_for_a_user_ends_with_the_user(node: Node, admin: Browser) -> None:
    """A link makes its user: who was removed would come back, with the role of before."""
    for change in ("remove", "lower", "new password"):
        admin.put("/api/v1/users/rita", role="Admin", password="first of passwords")
        link = node.link("rita", Role.ADMIN)
        match change:
            case "remove":
                done = admin.delete("/api/v1/users/rita")
            case "lower":
                done = admin.put("/api/v1/users/rita", role="Monitor")
            case _:
                done = admin.put("/api/v1/users/rita", role="Admin", password="second of them")
        assert done.status_code == 200
        used = node.browser().post("/api/v1/session/link", link=link, password="third of them all")
        assert (used.status_code, used.json().get("code")) == (403, "MIR-812"), change
    admin.delete("/api/v1/users/rita")


def test_a_ticket_ends_with_the_password(node: Node, admin: Browser) -> None:
    admin.put("/api/v1/users/rolf", role="Monitor", password="first of passwords")
    stolen = node.browser()
    stolen.sign_in("rolf", "first of passwords")
    ticket = stolen.post("/api/v1/tickets").json()["ticket"]
    owner = node.browser()
    owner.sign_in("rolf", "first of passwords")
    owner.put("/api/v1/session/password", old="first of passwords", new="second of passwords")
    assert node.browser().post("/api/v1/session/ticket", ticket=ticket).status_code == 403


def test_the_first_start_prints_a_link_that_works(tmp_path: Path) -> None:
    fresh = Node(tmp_path).start()
    try:
        browser = fresh.browser()
        assert browser.json("/api/v1/session")["first_start"] is True
        found = re.search(rf"{fresh.url}/#/link/(\S+)", fresh.log)
        assert found is not None, fresh.log
        answer = browser.post(
            "/api/v1/session/link", link=found[1], password="correct horse battery"
        )
        assert (answer.json()["name"], answer.json()["role"]) == ("admin", "Admin")
        assert browser.json("/api/v1/session")["first_start"] is False
    finally:
        assert fresh.stop() == 0


def test_passwords_are_not_guessed_for_long(tmp_path: Path) -> None:
    guarded = Node(tmp_path).make().start()
    try:
        browser = guarded.browser()
        answers = [browser.sign_in("admin", f"guess {number}") for number in range(12)]
        codes = [answer.status_code for answer in answers]
        assert codes[:5] == [401] * 5
        assert 429 in codes[5:]
        refused = answers[codes.index(429)]
        assert int(refused.headers["retry-after"]) >= 1
        assert refused.json()["code"] == "MIR-804"
    finally:
        assert guarded.stop() == 0


def test_an_idle_session_ends_although_its_page_is_open(node: Node) -> None:
    """What a page asks by itself is nobody's doing; what a person does keeps the session."""
    browser = node.browser(Role.MONITOR)

    def idle_for(seconds: int) -> None:
        with Database(node.layout.safevar) as database:
            aged = "UPDATE sessions SET seen_us = seen_us - ? WHERE name = 'monitor'"
            database.change(aged, seconds * US_PER_S)

    idle_for(IDLE_US // US_PER_S - 120)
    assert browser.get("/api/v1/packages").status_code == 200
    idle_for(IDLE_US // US_PER_S - 120)
    for asked_by_itself in ("cluster", "modules/web/availability", "modules/web/resources"):
        assert browser.get(f"/api/v1/{asked_by_itself}").status_code in {200, 404, 503}
    idle_for(180)
    assert browser.get("/api/v1/packages").status_code == 401


def test_a_session_outlives_a_restart_of_the_console(tmp_path: Path) -> None:
    restarted = Node(tmp_path).make().start()
    browser = restarted.browser(Role.MONITOR)
    cookies = dict(browser.http.cookies)
    restarted.stop()
    restarted.start()
    try:
        answer = httpx.get(f"{restarted.url}/api/v1/session", cookies=cookies, timeout=60)
        assert answer.json()["name"] == "monitor"
    finally:
        assert restarted.stop() == 0

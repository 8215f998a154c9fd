"""Signing in by somebody else's word: a real slapd, and a provider that tells right and wrong."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from mirror.adapters.console.roles import Role
from mirror.adapters.pki import create_cluster, issue_node
from mirror.adapters.signin.jwt import claims_of

from .conftest import Pair
from .provider import (
    CLIENT,
    NORA,
    SEARCHER,
    SEARCHER_PASSWORD,
    SECRET,
    Provider,
    provider,
    slapd,
)
from .world import PASSWORDS, START_S, Browser, Node, audited

SETTINGS = "/api/v1/sign-in"
PEOPLE = "ou=people,dc=example,dc=org"
OPERATORS = "cn=operators,ou=groups,dc=example,dc=org"


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str, str]]:
    """ldap and ldaps address of a directory, and the authority of its certificate."""
    root: Path = tmp_path_factory.mktemp("slapd")
    create_cluster(root / "pki")
    files = issue_node(root / "pki", "ldap", ["127.0.0.1"], root / "pki")
    with slapd(root, files.node_certificate, files.node_key, files.ca_certificate) as urls:
        yield *urls, files.ca_certificate.read_text()


def ldap_settings(url: str, **more: Any) -> dict[str, Any]:
    return {
        "url": url,
        "bind_dn": SEARCHER,
        "bind_password": SEARCHER_PASSWORD,
        "base_dn": PEOPLE,
        "group_base_dn": "ou=groups,dc=example,dc=org",
        "roles": {"control": [OPERATORS]},
    } | more


def save(admin: Browser, **body: Any) -> dict[str, Any]:
    answer = admin.put(SETTINGS, **body)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def test_who_is_in_a_group_of_the_directory_has_its_role(
    node: Node, admin: Browser, directory: tuple[str, str, str]
) -> None:
    plain, _, _ = directory
    saved = save(admin, ldap=ldap_settings(plain))
    assert (saved["ldap_password_set"], SEARCHER_PASSWORD in json.dumps(saved)) == (True, False)
    nora = node.browser()
    assert nora.json("/api/v1/session")["ways"] == ["password", "ldap"]
    answer = nora.sign_in("nora", NORA)
    assert answer.status_code == 200, answer.text
    assert (answer.json()["name"], answer.json()["role"]) == ("ldap:nora", "Control")
    assert nora.get("/api/v1/modules").status_code == 200
    assert nora.get("/api/v1/users").status_code == 403
    ticket = nora.post("/api/v1/tickets").json()["ticket"]
    again = node.browser()
    assert again.post("/api/v1/session/ticket", ticket=ticket).json()["role"] == "Control"
    (entry,) = audited(admin, 1)
    assert NORA not in json.dumps(entry)


@pytest.mark.parametrize(
    ("name", "password"),
    [
        ("nora", "wrong"),
        ("otto", NORA),  # in no group that has a role
        ("nobody", NORA),
        ("*", NORA),
        ("nora)(uid=*", NORA),
        ("admin", NORA),  # a user of ours
    ],
)
def test_others_are_refused(
    node: Node, admin: Browser, directory: tuple[str, str, str], name: str, password: str
) -> None:
    save(admin, ldap=ldap_settings(directory[0]))
    tried = admin.post(f"{SETTINGS}/ldap/try", name=name, password=password)
    if tried.status_code == 200:
        assert tried.json()["role"] is None
    answer = node.browser().sign_in(name, password)
    assert answer.status_code in {401, 429}, answer.text


def test_the_directory_is_asked_by_tls_when_it_is_told_to(
    admin: Browser, directory: tuple[str, str, str]
) -> None:
    plain, tls, authority = directory
    for ldap in (
        ldap_settings(tls, ca=authority),
        ldap_settings(plain, ca=authority, starttls=True),
    ):
        save(admin, ldap=ldap)
        tried = admin.post(f"{SETTINGS}/ldap/try", name="nora", password=NORA)
        assert tried.json()["role"] == "Control", tried.text
    for ldap in (
        ldap_settings(tls),
        ldap_settings(tls.replace("127.0.0.1", "127.0.0.2"), ca=authority),
        ldap_settings(plain.replace("127.0.0.1", "127.0.0.2"), ca=authority, starttls=True),
    ):
        save(admin, ldap=ldap)
        distrusted = admin.post(f"{SETTINGS}/ldap/try", name="nora", password=NORA)
        assert (distrusted.status_code, distrusted.json()["code"]) == (409, "MIR-821")
        assert distrusted.json()["facts"]["observed"]["code"] == "why.certificate"


def test_new_settings_end_tickets_too(node: Node, admin: Browser) -> None:
    nora = node.external("ldap:nora", Role.ADMIN, ago_s=60)
    ticket = nora.post("/api/v1/tickets").json()["ticket"]
    save(admin)
    assert nora.json("/api/v1/session")["signed_in"] is False
    assert node.browser().post("/api/v1/session/ticket", ticket=ticket).status_code == 403


def test_a_directory_that_is_down_leaves_our_own_users(node: Node, admin: Browser) -> None:
    save(admin, ldap=ldap_settings("ldap://127.0.0.1:1"))
    answer = node.browser().sign_in("nora", NORA)
    assert (answer.status_code, answer.json()["code"]) == (409, "MIR-821")
    assert answer.json()["facts"]["observed"]["code"] == "why.refused"
    assert NORA not in answer.text
    assert node.browser().sign_in("monitor", PASSWORDS[Role.MONITOR]).status_code == 200


def test_passwords_do_not_travel_in_the_open(admin: Browser) -> None:
    answer = admin.put(SETTINGS, ldap=ldap_settings("ldap://ldap.example.org:389"))
    assert answer.status_code == 422
    assert "use ldaps, or StartTLS" in answer.json()["detail"]
    answer = admin.put(SETTINGS, oidc={"issuer": "http://id.example.org", "client_id": "x"})
    assert "it is not HTTPS" in answer.json()["detail"]


# --- OpenID Connect ---


@pytest.fixture(scope="module")
def idp() -> Iterator[Provider]:
    with provider() as made:
        yield made


@pytest.fixture
def registered(admin: Browser, idp: Provider) -> Iterator[Provider]:
    idp.claims, idp.algorithm = {"preferred_username": "nora", "groups": ["ops"]}, "RS256"
    oidc = {"issuer": idp.issuer, "client_id": CLIENT, "client_secret": SECRET, "label": "Us"}
    saved = save(admin, oidc=oidc | {"roles": {"admin": ["OPS"]}})
    assert SECRET not in json.dumps(saved)
    yield idp
    save(admin)


def come_back(browser: Browser, idp: Provider) -> httpx.Response:
    """What a browser does: to the provider, which agrees, and back."""
    begun = browser.get("/api/v1/session/oidc/start")
    assert begun.status_code == 303, begun.text
    agreed = httpx.get(begun.headers["location"], timeout=60)
    where = urlsplit(agreed.headers["location"])
    assert where.path == "/api/v1/session/oidc/callback"
    return browser.http.get(f"{where.path}?{where.query}")


@pytest.mark.parametrize("algorithm", ["RS256", "ES256"])
def test_a_browser_is_signed_in_by_the_provider(
    node: Node, admin: Browser, registered: Provider, algorithm: str
) -> None:
    registered.algorithm = algorithm
    nora = node.browser()
    shown = nora.json("/api/v1/session")
    assert (shown["ways"], shown["oidc_label"]) == (["password", "oidc"], "Us")
    answer = come_back(nora, registered)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    session = nora.json("/api/v1/session")
    assert (session["name"], session["role"], session["via"]) == (
        "oidc:nora",
        "Admin",
        "session",
    )
    assert nora.get("/api/v1/users").status_code == 200
    (entry,) = audited(admin, 1)
    assert (entry["what"], entry["name"], entry["result"]) == (
        "sign in at the provider",
        "oidc:nora",
        "done",
    )


@pytest.mark.parametrize(
    ("claims", "algorithm", "word"),
    [
        ({"groups": ["others"]}, "RS256", "no-role"),
        ({"aud": "somebody else"}, "RS256", "MIR-821"),
        ({"aud": [CLIENT, "other"]}, "RS256", "MIR-821"),
        ({"iss": "https://evil.example.org"}, "RS256", "MIR-821"),
        ({"exp": 1}, "RS256", "MIR-821"),
        ({"nonce": "another"}, "RS256", "MIR-821"),
        ({}, "none", "MIR-821"),
        ({}, "HS256", "MIR-821"),
    ],
)
def test_a_token_that_is_not_for_us_lets_nobody_in(
    node: Node, registered: Provider, claims: dict[str, Any], algorithm: str, word: str
) -> None:
    registered.claims |= claims
    registered.algorithm = algorithm
    browser = node.browser()
    answer = come_back(browser, registered)
    assert answer.headers["location"] == f"/#/sign-in/failed/{word}"
    assert browser.json("/api/v1/session")["signed_in"] is False


def test_a_foreign_or_used_answer_lets_nobody_in(node: Node, registered: Provider) -> None:
    mine, other = node.browser(), node.browser()
    begun = mine.get("/api/v1/session/oidc/start")
    query = parse_qs(urlsplit(begun.headers["location"]).query)
    assert query["code_challenge_method"] == ["S256"]
    back = urlsplit(httpx.get(begun.headers["location"], timeout=60).headers["location"])
    stolen = other.http.get(f"{back.path}?{back.query}")
    assert stolen.headers["location"].endswith("MIR-821"), "another browser has not the cookie"
    used = mine.http.get(f"{back.path}?{back.query}")
    assert used.headers["location"].endswith("MIR-821"), "a state is good once"
    assert SECRET not in node.log


def test_a_token_by_a_key_we_do_not_know(idp: Provider) -> None:
    token = idp.signed({"iss": idp.issuer, "aud": CLIENT, "exp": 10, "nonce": "n"})
    given: dict[str, Any] = {"issuer": idp.issuer, "audience": CLIENT, "nonce": "n", "now_s": 0}
    idp.algorithm = "RS256"
    token = idp.signed({"iss": idp.issuer, "aud": CLIENT, "exp": 10, "nonce": "n"})
    assert claims_of(token, idp.keys, **given)["aud"] == CLIENT
    strange = Provider(issuer=idp.issuer)
    with pytest.raises(ValueError, match="signed by nobody"):
        claims_of(token, strange.keys, **given)
    for torn in ("", "a.b", "a.b.c", token[:-5] + "xxxxx", "!." + token):
        with pytest.raises(ValueError, match="ID token"):
            claims_of(torn, idp.keys, **given)


@pytest.mark.parametrize("authority", ["nonsense", "-----BEGIN CERTIFICATE-----\nx", "é"])
def test_an_authority_that_is_none_is_refused_at_its_field(admin: Browser, authority: str) -> None:
    ldap = {"url": "ldaps://127.0.0.1", "base_dn": PEOPLE, "ca": authority}
    oidc = {"issuer": "https://127.0.0.1", "client_id": "x", "ca": authority}
    for part, body in (("ldap", {"ldap": ldap}), ("oidc", {"oidc": oidc})):
        answer = admin.put(SETTINGS, **body)
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, f"{part}.ca")


def test_both_nodes_have_the_same_settings(pair: Pair) -> None:
    admin = pair.n1.browser(Role.ADMIN)
    save(admin, ldap=ldap_settings("ldaps://ldap.example.org"))
    other = pair.n2.browser(Role.ADMIN)
    end = time.monotonic() + START_S
    while (found := other.json(SETTINGS))["targets"]["ldap"]["url"] == "":
        assert time.monotonic() < end
        time.sleep(0.1)
    assert found["ldap_password_set"] is True
    assert admin.get("/api/v1/peer/sign-in").status_code == 403, "no Admin reads secrets"
    save(admin)

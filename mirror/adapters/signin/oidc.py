"""Signing in at an OpenID Connect provider: authorization code with PKCE and a nonce.

The browser goes to the provider and comes back with a code; this node asks the provider what the
code is worth. What was begun is in memory, bounded, for minutes. Used by one event loop.
"""

import base64
import hashlib
import hmac
import secrets
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import httpx

from mirror.adapters import clock
from mirror.adapters.console.roles import Role
from mirror.adapters.failures import cited, failure_of
from mirror.adapters.signin.jwt import claims_of
from mirror.adapters.signin.settings import OidcSettings
from mirror.adapters.signin.trust import context_of
from mirror.errors import SignInServiceFailed
from mirror.vocabulary.said import Misread, Said, say

ANSWER_S = 10.0
BEGUN_MAX = 500
BEGUN_FOR_MS = 10 * 60 * 1000
DISCOVERY = "/.well-known/openid-configuration"
MS_PER_S, US_PER_S = 1000, 1_000_000
NAME_LETTERS_MAX = 64


@dataclass(frozen=True, slots=True)
class Begun:
    """One sign-in that is under way."""

    nonce: str = field(repr=False)
    verifier: str = field(repr=False)
    redirect: str
    begun_ms: int


class OidcFlows:
    """The sign-ins that are under way."""

    def __init__(self) -> None:
        self._begun: OrderedDict[str, Begun] = OrderedDict()
        # issuer, what it says of itself, when (boot clock): not asked at each click.
        self._known: tuple[str, dict[str, Any], int] = ("", {}, 0)

    async def begin(self, settings: OidcSettings, redirect: str) -> tuple[str, str]:
        """Begin one: its state, for a cookie, and where the browser goes.

        Raises: SignInServiceFailed (MIR-821).
        """
        async with _client(settings) as client:
            described = await self._described(client, settings)
        state = secrets.token_urlsafe(24)
        begun = Begun(
            nonce=secrets.token_urlsafe(24),
            verifier=secrets.token_urlsafe(48),
            redirect=redirect,
            begun_ms=clock.boottime_ms(),
        )
        self._begun[state] = begun
        while len(self._begun) > BEGUN_MAX:
            self._begun.popitem(last=False)
        challenge = hashlib.sha256(begun.verifier.encode()).digest()
        asked = {
            "response_type": "code",
            "client_id": settings.client_id,
            "redirect_uri": redirect,
            "scope": settings.scopes,
            "state": state,
            "nonce": begun.nonce,
            "code_challenge": base64.urlsafe_b64encode(challenge).decode().rstrip("="),
            "code_challenge_method": "S256",
        }
        where = str(described["authorization_endpoint"])
        return state, where + ("&" if "?" in where else "?") + urlencode(asked)

    async def end(
        self, settings: OidcSettings, *, state: str, cookie: str, code: str
    ) -> tuple[str, Role | None]:
        """Who came back: name and role, None when no group of theirs has one.

        Raises: SignInServiceFailed (MIR-821).
        """
        begun = self._begun.pop(state, None)
        fresh = begun is not None and clock.boottime_ms() - begun.begun_ms < BEGUN_FOR_MS
        if begun is None or not fresh or not hmac.compare_digest(state, cookie):
            raise _failed(settings, say("oidc.not_begun"))
        async with _client(settings) as client:
            described = await self._described(client, settings)
            token = await _id_token(client, settings, described, begun, code)
            keys = (await _json(client, settings, str(described["jwks_uri"]))).get("keys")
        try:
            claims = claims_of(
                token,
                [one for one in keys if isinstance(one, dict)] if isinstance(keys, list) else [],
                issuer=settings.issuer,
                audience=settings.client_id,
                nonce=begun.nonce,
                now_s=clock.wall_us() // US_PER_S,
            )
        except Misread as error:
            raise _failed(settings, error.observed) from error
        name = str(claims.get(settings.name_claim) or claims.get("sub") or "")
        shown = "".join(letter for letter in name if letter.isprintable())[:NAME_LETTERS_MAX]
        groups = claims.get(settings.groups_claim) or ()
        named = [groups] if isinstance(groups, str) else list(groups)
        return shown, settings.roles.role_of(str(one) for one in named)

    async def _described(
        self, client: httpx.AsyncClient, settings: OidcSettings
    ) -> dict[str, Any]:
        issuer, described, known_ms = self._known
        now_ms = clock.boottime_ms()
        if issuer != settings.issuer or now_ms - known_ms > BEGUN_FOR_MS:
            described = await _described(client, settings)
            self._known = (settings.issuer, described, now_ms)
        return described


async def _described(client: httpx.AsyncClient, settings: OidcSettings) -> dict[str, Any]:
    found = await _json(client, settings, settings.issuer.rstrip("/") + DISCOVERY)
    if found.get("issuer") != settings.issuer:
        raise _failed(settings, say("oidc.issuer"))
    for name in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
        if not str(found.get(name, "")).startswith(("https://", "http://")):
            raise _failed(settings, say("oidc.lacks", name=name))
    return found


async def _id_token(
    client: httpx.AsyncClient,
    settings: OidcSettings,
    described: Mapping[str, Any],
    begun: Begun,
    code: str,
) -> str:
    asked = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": begun.redirect,
        "client_id": settings.client_id,
        "code_verifier": begun.verifier,
    }
    secret = (settings.client_id, settings.client_secret) if settings.client_secret else None
    try:
        answer = await client.post(
            str(described["token_endpoint"]),
            data=asked,
            auth=httpx.BasicAuth(*secret) if secret else httpx.USE_CLIENT_DEFAULT,
        )
        values = answer.json()
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        raise _failed(settings, failure_of(error)) from error
    token = values.get("id_token") if isinstance(values, dict) else None
    if answer.status_code != 200 or not isinstance(token, str):
        # Its words, never ours: an answer to a refused request repeats no secret.
        why = values.get("error") if isinstance(values, dict) else None
        observed = cited(str(why)) if why else say("http.answers", status=answer.status_code)
        raise _failed(settings, say("oidc.no_token", observed=observed))
    return token


async def _json(client: httpx.AsyncClient, settings: OidcSettings, url: str) -> dict[str, Any]:
    try:
        answer = await client.get(url)
        answer.raise_for_status()
        found = answer.json()
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        raise _failed(settings, failure_of(error)) from error
    if not isinstance(found, dict):
        raise _failed(settings, say("http.not_understood", url=url))
    return found


def _client(settings: OidcSettings) -> httpx.AsyncClient:
    try:
        context = context_of(settings.ca) if settings.ca else True
    except Misread as error:
        raise _failed(settings, error.observed) from error
    return httpx.AsyncClient(timeout=ANSWER_S, trust_env=False, verify=context)


def _failed(settings: OidcSettings, observed: Said) -> SignInServiceFailed:
    return SignInServiceFailed(service=settings.issuer, observed=observed)

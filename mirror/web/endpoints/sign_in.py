"""Signing in by somebody else's word: going to the provider and back, and the settings of it."""

import asyncio

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from mirror.adapters.console.roles import Role
from mirror.adapters.signin.settings import (
    OIDC,
    LdapSettings,
    OidcSettings,
    RoleMap,
    SignInSettings,
    to_map,
)
from mirror.adapters.signin.trust import context_of
from mirror.errors import InputRefused, MirrorError, NotFoundHere, SignInServiceFailed
from mirror.vocabulary.said import Misread, Said, said_of, say
from mirror.web.console import Console, Here
from mirror.web.endpoints.session import ldap_role, open_session
from mirror.web.gate import cookie_name
from mirror.web.models.said import told
from mirror.web.models.security import (
    LdapTarget,
    OidcTarget,
    RoleGroups,
    SignInTargets,
    SignInView,
    TriedLdap,
    TryLdap,
)
from mirror.web.transport import is_loopback_name

CALLBACK = "/api/v1/session/oidc/callback"
STATE_COOKIE_S = 600
# The page says what each means; a sentence in an address could be anybody's.
FAILED_PAGE = "/#/sign-in/failed/"
NO_ROLE = "no-role"
PARAMETER_LETTERS_MAX = 4000


async def read_sign_in(console: Here, request: Request) -> SignInView:
    """Who else's word is taken, without secrets."""
    settings = await asyncio.to_thread(console.sign_in_store.read)
    found, provider = settings.ldap, settings.oidc
    return SignInView(
        targets=SignInTargets(
            ldap=LdapTarget(
                url=found.url,
                starttls=found.starttls,
                ca=found.ca,
                bind_dn=found.bind_dn,
                base_dn=found.base_dn,
                user_filter=found.user_filter,
                group_base_dn=found.group_base_dn,
                roles=_shown(found.roles),
            ),
            oidc=OidcTarget(
                issuer=provider.issuer,
                client_id=provider.client_id,
                scopes=provider.scopes,
                name_claim=provider.name_claim,
                groups_claim=provider.groups_claim,
                ca=provider.ca,
                label=provider.label,
                roles=_shown(provider.roles),
            ),
        ),
        ldap_password_set=bool(found.bind_password),
        oidc_secret_set=bool(provider.client_secret),
        redirect=_redirect(request),
    )


async def save_sign_in(console: Here, request: Request, body: SignInTargets) -> SignInView:
    """Change it, on both nodes; whoever signed in so must do it again. Null secrets stay."""
    _refuse_plain_text(body)
    _refuse_no_certificate(body)
    before = await asyncio.to_thread(console.sign_in_store.read)
    given, provider = body.ldap, body.oidc
    password, secret = given.bind_password, provider.client_secret
    settings = SignInSettings(
        ldap=LdapSettings(
            **given.model_dump(exclude={"roles", "bind_password"}),
            bind_password=before.ldap.bind_password if password is None else password,
            roles=_kept(given.roles),
        ),
        oidc=OidcSettings(
            **provider.model_dump(exclude={"roles", "client_secret"}),
            client_secret=before.oidc.client_secret if secret is None else secret,
            roles=_kept(provider.roles),
        ),
    )
    await asyncio.to_thread(console.sign_in_store.save, settings)
    await asyncio.to_thread(console.credentials.close_external_sessions)
    await console.user_sync.tell()
    return await read_sign_in(console, request)


async def try_ldap(console: Here, body: TryLdap) -> TriedLdap:
    """Ask the directory about a name and password, as at a sign-in. Nobody is signed in."""
    keys = (f"name {body.name}",)
    console.attempts.check(say("tried.directory"), *keys)
    console.attempts.failed(*keys)
    role = await ldap_role(console, body.name, body.password)
    if role is None:
        sentence = say("ldap.refused")
        return TriedLdap(role=None, sentence=sentence, said=told(sentence))
    console.attempts.succeeded(*keys)
    sentence = say("ldap.role", name=body.name, role=str(role))
    return TriedLdap(role=role, sentence=sentence, said=told(sentence))


async def oidc_start(console: Here, request: Request) -> Response:
    """Send the browser to the provider."""
    settings = (await asyncio.to_thread(console.sign_in_store.read)).oidc
    if not settings.issuer:
        raise NotFoundHere(
            what="OpenID Connect", observed=say("seen.not_set_up"), remedy=say("do.by_password")
        )
    try:
        state, where = await console.oidc.begin(settings, _redirect(request))
    except SignInServiceFailed as error:
        return _back(error.code)
    answer = RedirectResponse(where, status_code=303)
    answer.set_cookie(
        _state_cookie(console, request),
        state,
        max_age=STATE_COOKIE_S,
        secure=request.scope["scheme"] == "https",
        httponly=True,
        samesite="lax",  # the provider's page leads back here
    )
    return answer


async def oidc_callback(
    console: Here, request: Request, state: str = "", code: str = "", error: str = ""
) -> Response:
    """The browser comes back from the provider; it is signed in, or told why not."""
    settings = (await asyncio.to_thread(console.sign_in_store.read)).oidc
    cookie = request.cookies.get(_state_cookie(console, request), "")
    name, role, failed = "", None, Said()
    try:
        if error or not settings.issuer or len(state) + len(code) > PARAMETER_LETTERS_MAX:
            raise SignInServiceFailed(
                service=settings.issuer or "OpenID Connect",
                observed=say("seen.provider_refused" if error else "seen.not_set_up_here"),
            )
        name, role = await console.oidc.end(settings, state=state, cookie=cookie, code=code)
    except MirrorError as refused:
        failed = said_of(refused)
    shown = f"{OIDC}:{name}" if name else ""
    await _note(console, request, shown, role, failed)
    if failed or role is None:
        return _back(SignInServiceFailed.code if failed else NO_ROLE)
    answer = RedirectResponse("/", status_code=303)
    await open_session(console, request, answer, shown, role)
    answer.delete_cookie(_state_cookie(console, request))
    return answer


async def sign_in_for_peer(console: Here) -> dict[str, object]:
    """The settings with their secrets, for the other node only."""
    return to_map(await asyncio.to_thread(console.sign_in_store.read))


def _refuse_plain_text(body: SignInTargets) -> None:
    """Passwords do not travel in the open: TLS, or the same host. Raises: InputRefused."""
    given = body.ldap
    host = given.url.partition("://")[2].rpartition(":")[0] or given.url.partition("://")[2]
    if given.url.startswith("ldap://") and not (given.starttls or is_loopback_name(host)):
        raise InputRefused(
            what="ldap.url",
            observed=say("seen.readable"),
            remedy=say("do.ldaps"),
        )
    issuer = body.oidc.issuer
    host = issuer.partition("://")[2].partition("/")[0].rpartition(":")[0]
    if issuer.startswith("http://") and not is_loopback_name(host):
        raise InputRefused(
            what="oidc.issuer", observed=say("seen.no_https"), remedy=say("do.https")
        )
    if given.url and not given.base_dn:
        raise InputRefused(
            what="ldap.base_dn", observed=say("seen.empty"), remedy=say("do.people")
        )
    if issuer and not body.oidc.client_id:
        raise InputRefused(
            what="oidc.client_id", observed=say("seen.empty"), remedy=say("do.register")
        )


def _refuse_no_certificate(body: SignInTargets) -> None:
    """An authority that is none is told when it is typed, not when somebody signs in."""
    for field, authority in (("ldap.ca", body.ldap.ca), ("oidc.ca", body.oidc.ca)):
        if not authority:
            continue
        try:
            context_of(authority)
        except Misread as error:
            raise InputRefused(
                what=field, observed=say("seen.no_certificate"), remedy=say("do.pem")
            ) from error


async def _note(
    console: Console, request: Request, name: str, role: Role | None, failed: Said
) -> None:
    """A sign-in changes something although it is a GET: it is in the audit too."""
    number = await asyncio.to_thread(
        console.audit.begin,
        name=name,
        role=str(role or ""),
        origin=request.client.host if request.client else "",
        via=OIDC,
        module="",
        what="sign in at the provider",
        detail="",
    )
    result = failed or Said("done" if role else "no role")
    status = 200 if result == "done" else 403
    await asyncio.to_thread(console.audit.end, number, result=result, status=status, duration_ms=0)


def _redirect(request: Request) -> str:
    return f"{request.scope['scheme']}://{request.headers.get('host', '')}{CALLBACK}"


def _back(word: str) -> Response:
    return RedirectResponse(f"{FAILED_PAGE}{word}", status_code=303)


def _state_cookie(console: Console, request: Request) -> str:
    return f"{cookie_name(console, request.scope)}-oidc"


def _shown(roles: RoleMap) -> RoleGroups:
    return RoleGroups(
        admin=list(roles.admin),
        control=list(roles.control),
        monitor=list(roles.monitor),
        everybody=roles.everybody,  # type: ignore[arg-type]  # checked when it was saved
    )


def _kept(roles: RoleGroups) -> RoleMap:
    return RoleMap(
        admin=tuple(roles.admin),
        control=tuple(roles.control),
        monitor=tuple(roles.monitor),
        everybody=roles.everybody,
    )

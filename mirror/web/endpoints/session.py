"""Signing in and out: passwords, one-time links, tickets of the other node."""

import asyncio

from starlette.requests import Request
from starlette.responses import Response

from mirror.adapters import clock
from mirror.adapters.console.credentials import IDLE_US, US_PER_S, Purpose
from mirror.adapters.console.roles import Role
from mirror.adapters.console.users import check_password
from mirror.adapters.signin import ldap
from mirror.adapters.signin.settings import LDAP, OIDC, is_external
from mirror.errors import OneTimeLinkRefused, SignInNeeded, SignInRefused
from mirror.vocabulary.said import say
from mirror.web.console import Console, Here, Who
from mirror.web.gate import cookie_name
from mirror.web.identity import Caller, Via
from mirror.web.models.security import (
    NewPassword,
    Session,
    SignIn,
    Ticket,
    UseLink,
    UseTicket,
)

TICKET_S = 15 * 60


async def read_session(console: Here, caller: Who) -> Session:
    """Who is signed in, and the token that unsafe requests must repeat. Asked by every page."""
    return await _session(console, caller)


async def sign_in(console: Here, request: Request, response: Response, body: SignIn) -> Session:
    """Sign in by name and password; the session comes as a cookie."""
    origin = _origin(request)
    keys = (f"origin {origin}", f"name {body.name}")
    console.attempts.check(say("tried.sign_in", name=body.name), *keys)
    # Counted before it is tried: a thousand tries at once are a thousand tries.
    console.attempts.failed(*keys)
    user = await asyncio.to_thread(console.users.verify, body.name, body.password)
    if user is not None:
        console.attempts.succeeded(*keys)
        return await open_session(console, request, response, user.name)
    # A user of ours is never somebody else's: the directory is asked for other names only.
    if await asyncio.to_thread(console.users.of, body.name) is not None:
        raise SignInRefused(name=repr(body.name))
    role = await ldap_role(console, body.name, body.password)
    if role is None:
        raise SignInRefused(name=repr(body.name))
    console.attempts.succeeded(*keys)
    return await open_session(console, request, response, f"{LDAP}:{body.name}", role)


async def ldap_role(console: Console, name: str, password: str) -> Role | None:
    """What the LDAP directory says; None also when there is none. Raises: SignInServiceFailed."""
    settings = (await asyncio.to_thread(console.sign_in_store.read)).ldap
    if not settings.url:
        return None
    return await asyncio.to_thread(ldap.verify, settings, name, password)


async def sign_out(console: Here, caller: Who, request: Request, response: Response) -> Session:
    """End the session."""
    if caller.secret:
        await asyncio.to_thread(console.credentials.close_session, caller.secret)
    response.delete_cookie(
        cookie_name(console, request.scope),
        secure=request.scope["scheme"] == "https",
        httponly=True,
        samesite="strict",
    )
    return await _session(console, Caller("", None, Via.NOBODY, caller.origin))


async def use_link(console: Here, request: Request, response: Response, body: UseLink) -> Session:
    """Set a password by a one-time link, and sign in with it."""
    _count_try(console, request, say("web.link"))
    credentials = console.credentials
    link = await asyncio.to_thread(credentials.link, body.link, Purpose.PASSWORD)
    if link is None:
        raise _refused(say("web.link"))
    # A password that is refused does not use the link up.
    check_password(link.name, body.password)
    used = await asyncio.to_thread(credentials.use_link, body.link, Purpose.PASSWORD)
    if used is None:
        raise _refused(say("web.link"))
    await asyncio.to_thread(credentials.close_sessions_of, link.name)
    await asyncio.to_thread(console.users.put, link.name, link.role, body.password)
    _succeeded(console, request)
    await console.user_sync.tell()
    return await open_session(console, request, response, link.name)


async def use_ticket(
    console: Here, request: Request, response: Response, body: UseTicket
) -> Session:
    """Go on here, signed in on the other node before it stopped answering, and no longer."""
    _count_try(console, request, say("web.ticket"))
    link = await asyncio.to_thread(console.credentials.use_link, body.ticket, Purpose.TICKET)
    if link is None:
        raise _refused(say("web.ticket"))
    external = is_external(link.name)
    if not external and await asyncio.to_thread(console.users.of, link.name) is None:
        raise _refused(say("web.ticket"))
    _succeeded(console, request)
    role = link.role if external else None
    return await open_session(console, request, response, link.name, role, link.since_us)


async def make_ticket(console: Here, caller: Who) -> Ticket:
    """Make a one-time ticket for oneself. A page asks the other node for one, in good time."""
    if caller.via is Via.TOKEN or caller.role is None or not caller.name:
        raise SignInNeeded(what="ticket", observed=say("seen.tokens_have_none"))
    external = is_external(caller.name)
    if not external and await asyncio.to_thread(console.users.of, caller.name) is None:
        raise SignInNeeded(what="ticket", observed=say("seen.stranger"))
    make, who = console.credentials.make_link, (caller.name, caller.role)
    secret = await asyncio.to_thread(make, Purpose.TICKET, *who, TICKET_S, caller.since_us)
    return Ticket(ticket=secret, expires_us=clock.wall_us() + TICKET_S * US_PER_S)


async def change_password(
    console: Here, caller: Who, request: Request, response: Response, body: NewPassword
) -> Session:
    """Change one's own password; every other session of the user ends."""
    keys = (f"origin {caller.origin}", f"name {caller.name}")
    console.attempts.check(say("tried.password"), *keys)
    console.attempts.failed(*keys)
    user = await asyncio.to_thread(console.users.verify, caller.name, body.old)
    if user is None:
        raise SignInRefused(name=repr(caller.name))
    console.attempts.succeeded(*keys)
    await asyncio.to_thread(console.users.put, user.name, user.role, body.new)
    await asyncio.to_thread(console.credentials.close_sessions_of, user.name)
    await console.user_sync.tell()
    return await open_session(console, request, response, user.name)


async def open_session(
    console: Console,
    request: Request,
    response: Response,
    name: str,
    role: Role | None = None,
    since_us: int = 0,
) -> Session:
    """Open a session, set its cookie, say who it is. An earlier one of this browser ends.

    role: given when it is no user of ours. since_us: when it began on another node; 0: now.
    """
    origin = _origin(request)
    cookie = cookie_name(console, request.scope)
    if earlier := request.cookies.get(cookie):
        await asyncio.to_thread(console.credentials.close_session, earlier)
    opening = console.credentials.open_session
    secret, row = await asyncio.to_thread(opening, name, origin, role, since_us)
    response.set_cookie(
        cookie,
        secret,
        max_age=IDLE_US
        // US_PER_S
        * 21,  # the server ends it; the cookie only must not be shorter
        secure=request.scope["scheme"] == "https",
        httponly=True,
        samesite="strict",
    )
    if role is None:
        user = await asyncio.to_thread(console.users.of, name)
        role = user.role if user else Role.MONITOR
    caller = Caller(name, role, Via.SESSION, origin, row.csrf, secret, row.expires_us)
    return await _session(console, caller)


async def _session(console: Console, caller: Caller) -> Session:
    settings = await asyncio.to_thread(console.sign_in_store.read)
    offered = {"password": True, LDAP: bool(settings.ldap.url), OIDC: bool(settings.oidc.issuer)}
    return Session(
        ways=[way for way, is_offered in offered.items() if is_offered],
        oidc_label=settings.oidc.label,
        signed_in=caller.role is not None,
        name=caller.name,
        role=caller.role,
        via=caller.via,
        csrf=caller.csrf,
        expires_us=caller.expires_us,
        first_start=not await asyncio.to_thread(console.users.any),
        node=console.membership.shown_node,
    )


def _origin(request: Request) -> str:
    return request.client.host if request.client else ""


def _count_try(console: Console, request: Request, what: str) -> None:
    key = f"origin {_origin(request)}"
    console.attempts.check(what, key)
    console.attempts.failed(key)


def _succeeded(console: Console, request: Request) -> None:
    console.attempts.succeeded(f"origin {_origin(request)}")


def _refused(what: str) -> OneTimeLinkRefused:
    return OneTimeLinkRefused(what=what, observed=say("seen.used_link"))

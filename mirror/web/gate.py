"""The second gate: who asks, whether they may, and what is remembered of it.

It finds the row of the request in the table of routes; what the table does not name reaches
pages and never a route, for the framework finds routes by rules of its own. Then the caller, the
right, the proof that a page of ours asks; it notes what changes something; and it sends on what
is meant for the other node. Nothing of a body is parsed before that.
"""

import asyncio
import base64
import hmac
import json
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any
from urllib.parse import unquote

import structlog
from starlette.datastructures import Headers
from starlette.requests import cookie_parser
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mirror.adapters import clock
from mirror.errors import (
    MirrorError,
    NotFoundHere,
    RequestForged,
    RequestTooLarge,
    RoleTooLow,
    SignInNeeded,
)
from mirror.vocabulary.said import Said, parts_of, say
from mirror.web.console import Console
from mirror.web.forward import forward
from mirror.web.identity import NOBODY, Access, Caller, Via
from mirror.web.peers import CALLER_HEADER, read_caller
from mirror.web.problems import PROBLEM_TYPE, response_of
from mirror.web.table import Kind, Row, find

CSRF_HEADER = "x-csrf-token"
_NODES = re.compile(r"/api/v1/nodes/([^/]+)(/.*)")
# By a part of their name, at any depth: `bind_password` of a directory, `secret` of a webhook.
_SECRET_FIELDS = frozenset({"old", "new", "link", "ticket", "key"})
_SECRET_PARTS = ("password", "secret", "token")
# Scripts and configurations hold passwords of applications: their length says enough.
_CONTENT_FIELDS = frozenset({"xml", "content"})
_DETAIL_VALUE_MAX = 120
# What others take for another path: the framework, with a newline at its end; with steps back, the
# client that sends it on, and the other node's routes for nodes alone would be reached.
_MISLEADING = re.compile(r"[\x00-\x1f\x7f]|/\.{1,2}(?:/|\Z)")
log = structlog.get_logger()


class Gate:
    """ASGI middleware around the routes. pages: what answers where no row of the table does."""

    def __init__(
        self, app: ASGIApp, *, pages: ASGIApp, rows: Callable[[], Sequence[Row]], console: Console
    ) -> None:
        self._app = app
        self._pages = pages
        self._rows = rows
        self._console = console

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let through, send on, or refuse."""
        node, path = self._target(scope["path"])
        found = find(self._rows(), scope["method"], path)
        elsewhere = bool(node) and node not in {self._console.membership.shown_node, "this"}
        try:
            if _MISLEADING.search(scope["path"]) or (found is None and elsewhere):
                raise NotFoundHere(
                    what=path[:200], observed=say("seen.no_path"), remedy=say("do.openapi")
                )
            if found is None:
                await self._pages(scope, receive, send)
                return
            row, parameters = found
            if node and row.access in {Access.PUBLIC, Access.PEER}:
                raise NotFoundHere(
                    what=path, observed=say("seen.not_through"), remedy=say("do.ask_itself")
                )
            caller = await self._admit(scope, row, path)
            body = await self._body(scope, receive, row)
        except MirrorError as error:
            await response_of(error)(scope, receive, send)
            return
        scope = {**scope, "path": path, "raw_path": path.encode(), "mirror.caller": caller}
        if row.method == "GET":
            scope["method"] = "GET"  # HEAD is answered as GET; the server leaves the body out
        where = node if elsewhere else ""
        run = self._forwarding(node) if elsewhere else self._app
        inner = receive if body is None else _replaying(body, receive)
        if not row.audited:
            await run(scope, inner, send)
            return
        await self._audited(run, scope, inner, send, (row, parameters, body, where))

    def _target(self, path: str) -> tuple[str, str]:
        """The node meant ("" when none is named), and the path there."""
        found = _NODES.fullmatch(path)
        return (unquote(found[1]), f"/api/v1{found[2]}") if found else ("", path)

    def _forwarding(self, node: str) -> ASGIApp:
        async def run(scope: Scope, receive: Receive, send: Send) -> None:
            try:
                await forward(self._console, node, scope, receive, send)
            except MirrorError as error:
                await response_of(error)(scope, receive, send)

        return run

    # --- who and whether ---

    async def _admit(self, scope: Scope, row: Row, path: str) -> Caller:
        """Raise what speaks against the request, or give who asks."""
        headers = Headers(scope=scope)
        what = f"{row.method} {path}"
        caller = await self._caller(scope, headers, row)
        if row.changes and caller.via is not Via.PEER:
            # A token too: given as a password (Basic), a browser sends it along by itself.
            self._refuse_foreign_page(headers, scope, what)
            needs_token = bool(caller.csrf) and row.access is not Access.PUBLIC
            if needs_token and not hmac.compare_digest(
                headers.get(CSRF_HEADER, "").encode(), caller.csrf.encode()
            ):
                raise RequestForged(what=what, observed=say("seen.no_csrf"))
        if row.access is Access.PUBLIC:
            return caller
        if row.access is Access.PEER:
            if caller.via is Via.PEER:
                return caller
            raise RoleTooLow(what=what, role=caller.role or "none", needed=say("web.certificate"))
        if caller.role is None:
            raise SignInNeeded(what=what, observed=say("seen.nobody"))
        needed = row.access.role
        assert needed is not None
        if not caller.role.covers(needed):
            raise RoleTooLow(what=what, role=caller.role, needed=needed)
        return caller

    async def _caller(self, scope: Scope, headers: Headers, row: Row) -> Caller:
        """Who asks: the other node, a machine with a token, a person with a session, nobody."""
        client = scope.get("client")
        origin = str(client[0]) if client else ""
        peer = scope.get("mirror.peer", "")
        if peer and CALLER_HEADER in headers and peer in self._nodes():
            with suppress(ValueError):
                name, role, since_us = read_caller(headers[CALLER_HEADER])
                origin = f"node {peer}"
                return Caller(name, role, Via.PEER, origin=origin, since_us=since_us)
        scheme, _, secret = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "basic":
            secret = _basic_password(secret)
        if scheme.lower() in {"bearer", "basic"}:
            token = await asyncio.to_thread(self._console.credentials.token, secret.strip())
            if token is None:
                raise SignInNeeded(what=say("web.bearer"), observed=say("seen.bad_token"))
            return Caller(
                name=f"token {token.label}",
                role=token.role,
                via=Via.TOKEN,
                origin=origin,
                secret=secret.strip(),
            )
        secret = cookie_parser(headers.get("cookie", "")).get(
            cookie_name(self._console, scope), ""
        )
        if secret:
            caller = await asyncio.to_thread(
                self._session, secret, origin, active=row.kind is not Kind.WATCH
            )
            if caller is not None:
                return caller
        return replace(NOBODY, origin=origin)

    def _session(self, secret: str, origin: str, *, active: bool) -> Caller | None:
        session = self._console.credentials.session(secret, active=active)
        if session is None:
            return None
        role = session.role
        if role is None:
            user = self._console.users.of(session.name)
            if user is None:
                return None
            role = user.role
        return Caller(
            name=session.name,
            role=role,
            via=Via.SESSION,
            origin=origin,
            csrf=session.csrf,
            secret=secret,
            expires_us=session.expires_us,
            since_us=session.since_us,
        )

    def _nodes(self) -> tuple[str, ...]:
        """Nodes of the cluster as it is now: one that was removed has a certificate still."""
        cluster = self._console.membership.cluster
        return cluster.node_names if cluster else ()

    def _refuse_foreign_page(self, headers: Headers, scope: Scope, what: str) -> None:
        """Browsers say which site a request comes from; programs do not, and need not."""
        site, origin = headers.get("sec-fetch-site", ""), headers.get("origin", "")
        expected = f"{scope['scheme']}://{headers.get('host', '')}"
        if site not in {"", "same-origin", "none"} or origin not in {"", expected}:
            raise RequestForged(what=what, observed=say("seen.foreign"))

    # --- bodies ---

    async def _body(self, scope: Scope, receive: Receive, row: Row) -> bytes | None:
        """Read the whole body, which is short; None when it is a file that is read as it comes.

        Raises: RequestTooLarge (MIR-816).
        """
        announced = Headers(scope=scope).get("content-length", "0")
        length = int(announced) if announced.isascii() and announced.isdecimal() else 0
        if length > row.bytes_max:
            raise RequestTooLarge(what=scope["path"], bytes_max=row.bytes_max)
        if not row.changes or row.kind is Kind.UPLOAD:
            return None
        body = bytearray()
        more = True
        while more:
            message = await receive()
            if message["type"] != "http.request":
                break
            body += message.get("body", b"")
            more = message.get("more_body", False)
            if len(body) > row.bytes_max:
                raise RequestTooLarge(what=scope["path"], bytes_max=row.bytes_max)
        return bytes(body)

    # --- what is remembered ---

    async def _audited(
        self,
        run: ASGIApp,
        scope: Scope,
        receive: Receive,
        send: Send,
        asked: tuple[Row, Mapping[str, str], bytes | None, str],
    ) -> None:
        """Note the request, run it, note what came of it; tell every page of it."""
        row, parameters, body, where = asked
        caller: Caller = scope["mirror.caller"]
        audit, begun_ms = self._console.audit, clock.monotonic_ms()
        what = f"{row.what} on {where}" if where else row.what
        facts = {
            "name": caller.name,
            "role": str(caller.role or ""),
            "origin": caller.origin,
            "via": str(caller.via),
            "module": parameters.get("module", ""),
            "what": what,
            "detail": detail_of(parameters, body),
        }
        try:
            number = await asyncio.to_thread(audit.begin, **facts)
        except MirrorError as error:  # what cannot be recorded is not done
            await response_of(error)(scope, receive, send)
            return
        seen = _Seen(send)
        try:
            await run(scope, receive, seen)
        finally:
            result, status = seen.result()
            try:
                await asyncio.to_thread(
                    audit.end,
                    number,
                    result=result,
                    status=status,
                    duration_ms=clock.monotonic_ms() - begun_ms,
                )
            except MirrorError as error:  # that it was begun is recorded, and it is answered
                log.warning("audit not completed", what=what, result=result, error=str(error))
            told = {name: facts[name] for name in ("name", "origin", "module", "what")}
            node = self._console.membership.shown_node
            self._console.ring.publish(
                "audit", node=node, time_us=clock.wall_us(), result=result, status=status, **told
            )


class _Seen:
    """Passes the answer on, and keeps its status and the sentence of a problem."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._status = 0
        self._is_problem = False
        self._problem = b""

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._status = message["status"]
            kind = Headers(raw=message["headers"]).get("content-type", "")
            self._is_problem = kind.startswith(PROBLEM_TYPE)
        elif message["type"] == "http.response.body" and self._is_problem:
            self._problem += message.get("body", b"")
        await self._send(message)

    def result(self) -> tuple[Said, int]:
        """The result in words, and the status; 0 when there was no answer."""
        if not self._status:
            return Said("broken off"), 0
        if not self._is_problem:
            return Said("done"), self._status
        with suppress(ValueError, KeyError, TypeError):
            one = json.loads(self._problem)
            return Said(str(one["detail"]), str(one["code"]), one["facts"]), self._status
        return Said("refused"), self._status


def _basic_password(text: str) -> str:
    """The password of `Authorization: Basic`: feed readers know no other way to give a token."""
    try:
        return base64.b64decode(text.strip(), validate=True).decode().partition(":")[2]
    except ValueError:
        return ""


def _replaying(body: bytes, receive: Receive) -> Receive:
    """Give a body that was read already, then what really comes (the end of the connection)."""
    waiting = [body]

    async def replay() -> Message:
        if waiting:
            return {"type": "http.request", "body": waiting.pop(), "more_body": False}
        return await receive()

    return replay


def cookie_name(console: Console, scope: Scope) -> str:
    """Name of the session's cookie: two consoles on one host (a lab) do not share it."""
    prefix = "__Host-" if scope["scheme"] == "https" else ""
    return f"{prefix}mirror-{console.cookie_mark}"


def detail_of(parameters: Mapping[str, str], body: bytes | None) -> str:
    """What was sent, for the audit: short, and without secrets."""
    shown: dict[str, Any] = {name: value for name, value in parameters.items() if name != "module"}
    with suppress(ValueError):
        sent = json.loads(body or b"{}")
        if isinstance(sent, dict):
            shown |= {str(name): _shown(str(name), value) for name, value in sent.items()}
    return json.dumps(shown, ensure_ascii=False) if shown else ""


def _shown(name: str, value: object) -> object:
    if value and (name in _SECRET_FIELDS or any(part in name for part in _SECRET_PARTS)):
        return "(not kept)"
    if isinstance(value, dict):
        value = {str(inner): _shown(str(inner), one) for inner, one in value.items()}
    text = value if isinstance(value, str) else json.dumps(value)
    if name in _CONTENT_FIELDS or len(text) > _DETAIL_VALUE_MAX:
        return parts_of(say("audit.letters", letters=len(text)))
    return value

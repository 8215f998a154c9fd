"""Puts the application together: transport, compression, gate, routes, front end."""

from collections.abc import Callable
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware.gzip import GZipMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mirror.errors import MirrorError
from mirror.web.console import Console
from mirror.web.gate import Gate
from mirror.web.identity import Access
from mirror.web.openapi import document, problem_responses
from mirror.web.problems import on_fault, on_http_error, on_invalid_request, on_mirror_error
from mirror.web.routes import ROUTES, V1
from mirror.web.static_files import StaticFiles
from mirror.web.transport import Transport

COMPRESSED_BYTES_MIN = 1024
# Their answers hold the CSRF token beside what was sent: compressed, lengths would tell of it.
NEVER_COMPRESSED = f"{V1}/session"


def build_app(console: Console, *, has_https: Callable[[], bool]) -> ASGIApp:
    """Build the whole application around one console."""
    routes = build_routes(console)
    gate = Gate(routes, pages=StaticFiles(), rows=lambda: ROUTES, console=console)
    counted = _Counted(_Compressed(gate), console)
    return Transport(counted, https_port=console.https_port, has_https=has_https)


def build_routes(console: Console | None) -> FastAPI:
    """Build the routes alone; without a console, to describe them."""
    app = FastAPI(
        title="mirror",
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        # What a node does is told where this project says, by no variable of the environment.
        telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
    )
    app.state.console = console
    for row in ROUTES:
        app.add_api_route(
            row.path,
            row.function,
            methods=[row.method],
            summary=row.what[0].upper() + row.what[1:],
            tags=[row.function.__module__.rpartition(".")[2]],
            operation_id=row.function.__name__,
            responses=problem_responses(row),
            include_in_schema=True,
        )
    app.add_exception_handler(MirrorError, on_mirror_error)
    app.add_exception_handler(RequestValidationError, on_invalid_request)
    app.add_exception_handler(HTTPException, on_http_error)
    app.add_exception_handler(Exception, on_fault)

    def described() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = document(app)
        return app.openapi_schema

    app.openapi = described  # type: ignore[method-assign]  # as the framework's manual says
    assert all(row.access in Access for row in ROUTES)
    return app


class _Compressed:
    """Compresses answers, except those that must not be."""

    def __init__(self, app: ASGIApp) -> None:
        self._plain = app
        self._compressed = GZipMiddleware(app, minimum_size=COMPRESSED_BYTES_MIN, compresslevel=5)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_plain = scope["path"].startswith(NEVER_COMPRESSED)
        await (self._plain if is_plain else self._compressed)(scope, receive, send)


class _Counted:
    """Counts answers by method and status, for /metrics."""

    def __init__(self, app: ASGIApp, console: Console) -> None:
        self._app = app
        self._console = console

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def counting(message: Message) -> None:
            if message["type"] == "http.response.start":
                # Whatever word a client sends as its method becomes no label of ours.
                method = scope["method"] if scope["method"] in METHODS else "other"
                self._console.answered[method, message["status"]] += 1
            await send(message)

        await self._app(scope, receive, counting)


METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"})

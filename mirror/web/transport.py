"""The first gate: by which way a request came. Plain HTTP is for this host alone (design 13).

To other hosts, plain HTTP answers two things: the readiness of modules, for load balancers, and a
redirection to HTTPS. On this host the name in the request must be one of loopback, so that a page
of a stranger's site cannot reach the console by a name that it points here.
"""

import ipaddress
import re
from collections.abc import Callable

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mirror.web.problems import TITLES, Problem, answer

READY_PATH = re.compile(r"/var/modules/[A-Za-z][A-Za-z0-9_-]*/ready\.txt")
_HOST = re.compile(r"(?P<name>[A-Za-z0-9.-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::\d{1,5})?")
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
    " font-src 'self'; connect-src 'self'; manifest-src 'self'; worker-src 'self';"
    " form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
)
SECURITY_HEADERS = {
    "content-security-policy": CONTENT_SECURITY_POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}


class Transport:
    """ASGI middleware. has_https: whether HTTPS is served now; https_port: where."""

    def __init__(self, app: ASGIApp, *, https_port: int, has_https: Callable[[], bool]) -> None:
        self._app = app
        self._https_port = https_port
        self._has_https = has_https

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let through, redirect or refuse; every answer leaves with the security headers."""
        if scope["type"] != "http":
            return  # no WebSockets here: the server then closes the connection

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in SECURITY_HEADERS.items():
                    headers.setdefault(name, value)
                headers.setdefault("cache-control", "no-store")
            await send(message)

        refused = self._refusal(scope)
        await (refused or self._app)(scope, receive, send_with_headers)

    def _refusal(self, scope: Scope) -> Response | None:
        if scope["scheme"] == "https":
            return None
        host = Headers(scope=scope).get("host", "")
        named = _HOST.fullmatch(host)
        if not is_loopback(scope):
            if READY_PATH.fullmatch(scope["path"]):
                return None
            return self._elsewhere(named["name"] if named else "", scope)
        if named is None or not is_loopback_name(named["name"]):
            return answer(
                Problem(
                    type="urn:mirror:MIR-805",
                    title=TITLES[421],
                    status=421,
                    detail=f"request refused: host {host[:100]!r}: plain HTTP answers for"
                    " localhost only; open http://localhost, or HTTPS (MIR-805)",
                    code="MIR-805",
                )
            )
        return None

    def _elsewhere(self, name: str, scope: Scope) -> Response:
        if not self._has_https() or not name:
            return answer(
                Problem(
                    type="urn:mirror:MIR-802",
                    title=TITLES[403],
                    status=403,
                    detail="not allowed: plain HTTP from another host: the console answers there"
                    " by HTTPS, once this node is in a cluster; until then use `ssh -L"
                    " 9010:localhost:9010` to this node and http://localhost:9010 (MIR-802)",
                    code="MIR-802",
                )
            )
        path = scope.get("raw_path", b"/").decode("latin-1")
        query = scope["query_string"].decode("latin-1")
        where = f"https://{name}:{self._https_port}{path}" + (f"?{query}" if query else "")
        return Response(status_code=308, headers={"location": where})


def is_loopback(scope: Scope) -> bool:
    """Tell whether the request was made on this host."""
    client = scope.get("client")
    if not client:
        return False
    return _is_loopback_address(client[0])


def _is_loopback_address(text: str) -> bool:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return bool((mapped or address).is_loopback)


def is_loopback_name(name: str) -> bool:
    """Tell whether a name of a host can only mean this one."""
    lower = name.strip("[]").lower().rstrip(".")
    return lower == "localhost" or lower.endswith(".localhost") or _is_loopback_address(lower)

"""The front end: files of mirror/web/static, kept in memory, compressed once.

What has a hash in its name never changes, so browsers keep it for a year; the rest they ask for
again, and get 304. A path that is no file is a page of the application, which is index.html.
Before the front end is built, there is one page, which says how.
"""

import gzip
import hashlib
import mimetypes
import re
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from mirror.errors import InputRefused, NotFoundHere
from mirror.vocabulary.said import say
from mirror.web.problems import response_of

INDEX = "index.html"
COMPRESSIBLE = re.compile(r"text/|application/(javascript|json|manifest|wasm)|image/svg")
HASHED = re.compile(r"[.-][A-Za-z0-9_-]{8,}\.[a-z0-9.]+$")
FOR_EVER = "public, max-age=31536000, immutable"
ASK_AGAIN = "no-cache"
# Not the front end's: a mistyped path of these is an error, not a page.
OTHERS = ("/api/", "/var/", "/metrics")
TYPES = {
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".svg": "image/svg+xml",
    ".json": "application/json",
    ".webmanifest": "application/manifest+json",
    ".woff2": "font/woff2",
}
NOT_BUILT = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>mirror</title>
<meta name="viewport" content="width=device-width, initial-scale=1"></head><body>
<h1>mirror</h1>
<p>This node runs. Its pages are not built yet: in the source tree, <code>make console</code>
builds them, then load this page again.</p>
<p>Meanwhile: <code>mirror state</code> on the command line, or <a href="/api/v1/openapi.json">the
API</a>.</p>
</body></html>
"""


@dataclass(frozen=True, slots=True)
class File:
    """One file, ready to be sent. compressed: empty when that would not be shorter."""

    content: bytes
    compressed: bytes
    media_type: str
    etag: str
    cache: str


class StaticFiles:
    """An ASGI application for everything that no route has."""

    def __init__(self, root: Traversable | None = None) -> None:
        root = resources.files("mirror.web") / "static" if root is None else root
        self._files = {path: _file(path, one) for path, one in _walk(root, "")}
        self._index = self._files.get(f"/{INDEX}") or _made("/x.html", NOT_BUILT.encode())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        await self._answer(scope)(scope, receive, send)

    def _answer(self, scope: Scope) -> Response:
        path, method = scope["path"], scope["method"]
        if path.startswith(OTHERS):
            return response_of(
                NotFoundHere(
                    what=f"{method} {path[:200]}",
                    observed=say("seen.no_route"),
                    remedy=say("do.openapi"),
                )
            )
        if method not in {"GET", "HEAD"}:
            refused = InputRefused(
                what=f"{method} {path[:200]}",
                observed=say("seen.read_only"),
                remedy=say("do.use_get"),
            )
            return response_of(refused)
        file = self._files.get(path)
        if file is None:
            # A missing script must be an error: a page in its place would be run.
            if "." in path.rpartition("/")[2]:
                return response_of(
                    NotFoundHere(
                        what=path[:200], observed=say("seen.no_file"), remedy=say("do.load_again")
                    )
                )
            file = self._index
        return _response(file, Headers(scope=scope))


def _response(file: File, asked: Headers) -> Response:
    headers = {"cache-control": file.cache, "etag": file.etag, "vary": "accept-encoding"}
    if file.etag in asked.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    content = file.content
    if file.compressed and "gzip" in asked.get("accept-encoding", ""):
        content = file.compressed
        headers["content-encoding"] = "gzip"
    return Response(content, media_type=file.media_type, headers=headers)


def _walk(root: Traversable, prefix: str) -> list[tuple[str, Traversable]]:
    if not root.is_dir():
        return []
    found = []
    for one in root.iterdir():
        path = f"{prefix}/{one.name}"
        found += _walk(one, path) if one.is_dir() else [(path, one)]
    return found


def _file(path: str, one: Traversable) -> File:
    return _made(path, one.read_bytes())


def _made(path: str, content: bytes) -> File:
    suffix = "." + path.rpartition(".")[2]
    media_type = TYPES.get(suffix) or mimetypes.guess_type(path)[0] or "application/octet-stream"
    compressed = b""
    if COMPRESSIBLE.match(media_type):
        compressed = gzip.compress(content, 9, mtime=0)
    hashed = HASHED.search(path.rpartition("/")[2]) is not None
    return File(
        content=content,
        compressed=compressed if len(compressed) < len(content) else b"",
        media_type=media_type,
        etag=f'"{hashlib.sha256(content).hexdigest()[:24]}"',
        cache=FOR_EVER if hashed else ASK_AGAIN,
    )

"""For machines: figures for Prometheus, the OpenAPI document."""

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from mirror.web.console import Here
from mirror.web.metrics import CONTENT_TYPE, metrics_text


async def read_metrics(console: Here) -> Response:
    """Figures of both nodes in Prometheus' text format."""
    text = metrics_text(console.watcher.nodes.values(), console.answered, console.streams)
    return Response(text, media_type=CONTENT_TYPE)


async def read_openapi(request: Request) -> Response:
    """The OpenAPI document of what this console can do."""
    document: dict[str, Any] = request.app.openapi()
    return JSONResponse(document)

"""For machines: figures for Prometheus, the OpenAPI document."""

import asyncio
from importlib import resources
from typing import Annotated, Any, Literal

from fastapi import Path
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from mirror.web.about_certificates import certificates_of
from mirror.web.console import Here
from mirror.web.metrics import CONTENT_TYPE, Counts, metrics_text

FILE_TYPE = "application/octet-stream"


async def read_metrics(console: Here) -> Response:
    """Figures of both nodes in Prometheus' text format."""
    await console.watcher.look_for_machine()
    certificates = await asyncio.to_thread(certificates_of, console.cluster)
    counts = Counts(console.answered, console.streams, console.notifier.sent)
    text = metrics_text(console.watcher.nodes.values(), certificates, counts)
    return Response(text, media_type=CONTENT_TYPE)


async def read_operations_file(
    file: Annotated[Literal["grafana-dashboard.json", "prometheus-rules.yml"], Path()],
) -> Response:
    """The Grafana dashboard, or the alert rules for Prometheus, that come with the program."""
    content = (resources.files("mirror.web") / "operations" / file).read_bytes()
    name = f'attachment; filename="mirror-{file}"'
    return Response(content, media_type=FILE_TYPE, headers={"content-disposition": name})


async def read_openapi(request: Request) -> Response:
    """The OpenAPI document of what this console can do."""
    document: dict[str, Any] = request.app.openapi()
    return JSONResponse(document)

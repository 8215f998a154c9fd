"""The OpenAPI 3.1 document: what the framework finds, and what only the table of routes knows."""

from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from mirror.web.identity import Access
from mirror.web.problems import PROBLEM_TYPE, TITLES, Problem
from mirror.web.routes import ROUTES, V1
from mirror.web.table import Kind, Row

API_VERSION = "1.0.0"
DESCRIPTION = """\
Everything that the command line can do, on this node, or through it on the other one.

**Who may.** `x-role` of each operation: `public`, `Monitor`, `Control`, `Admin`, or `peer` (a
certificate of the cluster). A browser signs in at `POST /api/v1/session`, and repeats the `csrf`
of the answer as `X-CSRF-Token` with everything but GET. A machine sends `Authorization: Bearer`.

**The other node.** Put `/api/v1/nodes/{node}` before the rest of any path of `/api/v1`.

**Errors** are RFC 9457 problems with a stable `code`, the sentence of the command line as
`detail`, and `errors` by field or by line.

**Times** are microseconds since 1970 (`_us`), lengths of time milliseconds (`_ms`)."""
RAW_ANSWERS: Mapping[str, tuple[str, str]] = {
    "follow_events": ("text/event-stream", "Events, for ever"),
    "oidc_start": ("text/plain", "Never: it redirects"),
    "oidc_callback": ("text/plain", "Never: it redirects"),
    "read_feed": ("application/atom+xml", "The feed"),
    "read_metrics": ("text/plain", "Figures"),
    "download_package": ("application/zip", "The package"),
    "take_snapshot": ("application/zip", "The snapshot"),
    "download_authority": ("application/x-x509-ca-cert", "The certificate"),
    "read_operations_file": ("application/octet-stream", "The file"),
    "read_openapi": ("application/json", "The document"),
}
METHODS = ("get", "post", "put", "delete")


def problem_responses(row: Row) -> dict[int | str, dict[str, Any]]:
    """The errors that a route may answer with."""
    statuses = {404, 409, 413, 422, 500, 503, 504, 421, 403}
    if row.access is not Access.PUBLIC:
        statuses |= {401}
    if row.function.__name__ in {
        "sign_in",
        "use_link",
        "use_ticket",
        "change_password",
        "oidc_start",
        "try_ldap",
    }:
        statuses |= {401, 429}
    if row.changes:
        statuses |= {412, 415, 428, 502, 400}
    return {status: _problem(status) for status in sorted(statuses)}


def _problem(status: int) -> dict[str, Any]:
    return {"description": TITLES.get(status, "Not understood"), "model": Problem}


def document(app: FastAPI) -> dict[str, Any]:
    """Build the document, once; the framework keeps it."""
    built = get_openapi(
        title="mirror",
        version=API_VERSION,
        openapi_version="3.1.0",
        description=DESCRIPTION,
        routes=app.routes,
    )
    built["components"]["securitySchemes"] = {
        "session": {
            "type": "apiKey",
            "in": "cookie",
            "name": "mirror-session",
            "description": "The cookie of `POST /api/v1/session`; its name ends in a mark of the"
            " node, and begins with `__Host-` on HTTPS.",
        },
        "bearer": {"type": "http", "scheme": "bearer"},
    }
    for row in ROUTES:
        _complete(built["paths"][row.path.replace(":path", "")][row.method.lower()], row)
    built["paths"][f"{V1}/nodes/{{node}}/{{path}}"] = _through_the_node()
    return built


def _complete(operation: dict[str, Any], row: Row) -> None:
    operation["x-role"] = str(row.access)
    if row.access.role is not None:
        operation["security"] = [{"session": []}, {"bearer": []}]
    # The framework's own shape of a refused request is not what is answered here.
    for status, answer in operation["responses"].items():
        if int(status) >= 400:
            schema = {"$ref": "#/components/schemas/Problem"}
            answer["content"] = {PROBLEM_TYPE: {"schema": schema}}
    name = row.function.__name__
    if name in RAW_ANSWERS:
        kind, description = RAW_ANSWERS[name]
        operation["responses"]["200"] = {
            "description": description,
            "content": {kind: {"schema": {"type": "string"} if "json" not in kind else {}}},
        }
    if name in {"oidc_start", "oidc_callback"}:
        operation["responses"]["303"] = {"description": "Go on there"}
        operation["responses"].pop("200", None)
    if name == "read_ready":
        operation["responses"]["200"] = {"description": "It serves here"}
        operation["responses"]["404"] = {"description": "It does not"}
    if name in {"peer_users_changed", "give_edit_lock_back"}:
        operation["responses"]["204"] = {"description": "Done; nothing to say"}
        operation["responses"].pop("200", None)
    if row.kind is Kind.UPLOAD:
        body = {"schema": {"type": "string", "format": "binary"}}
        operation["requestBody"] = {"required": True, "content": {"application/zip": body}}


def _through_the_node() -> dict[str, Any]:
    parameters = [
        {
            "name": name,
            "in": "path",
            "required": True,
            "description": description,
            "schema": {"type": "string"},
        }
        for name, description in (
            ("node", "Name of a node of the cluster, or `this`"),
            ("path", "The rest of a path of this document, without /api/v1/"),
        )
    ]
    operation: dict[str, Any] = {
        "tags": ["the other node"],
        "summary": "The same on a node of the cluster",
        "description": "As the path it stands for. 502: that node does not answer.",
        "security": [{"session": []}, {"bearer": []}],
        "responses": {"default": {"description": "What that node answers"}},
        "x-role": "as the path it stands for",
    }
    return {
        "parameters": parameters,
        **{method: {**operation, "operationId": f"{method}_on_node"} for method in METHODS},
    }

"""The OpenAPI document: what it says is what is answered, and the file in golden/ is it."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from schemathesis.specs.openapi.schemas import OpenApiSchema

from mirror.adapters.console.roles import Role
from mirror.web.app import build_routes
from mirror.web.routes import ROUTES
from tests.golden_file import check_golden

from .world import PRIM, START_S, ControlPlane, Node

GOLDEN = Path(__file__).resolve().parents[2] / "golden" / "openapi.json"
DOCUMENT: dict[str, Any] = build_routes(None).openapi()
NOT_TRIED = {
    "follow_events": "it never ends: test_events.py",
    "make_join_token": "it waits for a server at a port, for minutes: test_cluster_keys.py",
}
# These go where what was saved says: tried on a node where nothing was saved. The upload, so that
# no module that it installs is in the way of others.
TRIED_APART = {
    "upload_package",
    "try_ldap",
    "oidc_start",
    "oidc_callback",
    "test_targets",
}
# A program runs for each of these: fewer examples.
TRIED_LESS = {
    "run_doctor",
    "take_snapshot",
    "check_config",
    "apply_config",
    "deconfigure",
    "list_kept_versions",
    "restore_versions",
    "remove_versions",
    "read_changes",
    "read_split",
    "read_start_facts",
    "read_data",
    "init_cluster",
    "join_cluster",
    "leave_cluster",
    "save_cluster",
    "check_address",
    "browse",
    "renew_certificate",
    "run_command_line",
}
EXAMPLES = int(os.environ.get("MIRROR_FUZZ_EXAMPLES", "12"))
EXAMPLES_LESS = 1
NO_CONTROL_PLANE = "MIR-302"


def operations() -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (method, path, operation)
        for path, item in DOCUMENT["paths"].items()
        for method, operation in item.items()
        if method != "parameters"
    ]


def test_the_golden_document_is_current() -> None:
    check_golden(GOLDEN, json.dumps(DOCUMENT, indent=1, sort_keys=True) + "\n")


def test_the_document_is_of_openapi_3_1() -> None:
    assert DOCUMENT["openapi"] == "3.1.0"
    assert len(operations()) == len(ROUTES) + 4, "every route, and the other node's four"


def test_every_operation_says_who_may_and_what_can_go_wrong() -> None:
    for method, path, operation in operations():
        assert operation["x-role"], (method, path)
        assert operation["summary"], (method, path)
        for status, answer in operation["responses"].items():
            if status.isdigit() and int(status) >= 400 and answer.get("content"):
                assert list(answer["content"]) == ["application/problem+json"], (method, path)


def test_the_document_is_served(node: Node) -> None:
    assert node.browser().json("/api/v1/openapi.json") == DOCUMENT


def schema_of(wanted: Callable[[str], bool]) -> OpenApiSchema:
    """The document without what is asked of the other node, and of the rest what is wanted."""
    paths = {
        path: {
            method: operation
            for method, operation in item.items()
            if method != "parameters" and wanted(operation["operationId"])
        }
        for path, item in DOCUMENT["paths"].items()
        if "/nodes/" not in path
    }
    return schemathesis.openapi.from_dict({**DOCUMENT, "paths": paths})


@schemathesis.serializer("application/zip")
def _as_it_is(_context: schemathesis.SerializationContext, value: Any) -> bytes:
    """A package is sent as bytes; most of what is made up is none."""
    return value if isinstance(value, bytes) else str(value).encode()


schema = schema_of(lambda name: name not in NOT_TRIED.keys() | TRIED_LESS | TRIED_APART)
schema_less = schema_of(lambda name: name in TRIED_LESS)
schema_apart = schema_of(lambda name: name in TRIED_APART)


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A node where nothing was saved, and the headers of an Admin's token."""
    node = Node(tmp_path_factory.mktemp("fresh")).make().start()
    yield node, {"authorization": f"Bearer {node.token(Role.ADMIN)}"}
    assert node.stop() == 0
    assert "Traceback" not in node.log, node.log


@pytest.fixture(scope="module")
def tried(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A node to be maltreated, and the headers of an Admin's token."""
    node = Node(tmp_path_factory.mktemp("tried")).make()
    plane = ControlPlane(node.layout.control_socket)
    plane.states["web"] = PRIM
    plane.answers["resources"] = {"resources": {"rfs.uptodate": {"value": "up"}}}
    node.start()
    yield node, {"authorization": f"Bearer {node.token(Role.ADMIN)}"}
    assert node.stop() == 0
    plane.close()
    assert "Traceback" not in node.log, node.log


@schema.parametrize()
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
def test_whatever_is_sent_the_answer_is_documented(
    case: schemathesis.Case[Any], tried: Any
) -> None:
    if "DELETE" in case.method and case.path == "/api/v1/tokens/{number}":
        case.path_parameters["number"] = 999_999  # our own token stays
    check_answer(case, tried)


@schema_less.parametrize()
@settings(
    max_examples=EXAMPLES_LESS,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
def test_whatever_a_program_is_sent_the_answer_is_documented(
    case: schemathesis.Case[Any], tried: Any
) -> None:
    check_answer(case, tried)


@schema_apart.parametrize()
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
def test_whatever_is_sent_where_nothing_is_saved_the_answer_is_documented(
    case: schemathesis.Case[Any], fresh: Any
) -> None:
    check_answer(case, fresh)


def test_every_route_is_tried_or_has_a_reason() -> None:
    names = {one["operationId"] for _, path, one in operations() if "/nodes/" not in path}
    assert names >= NOT_TRIED.keys() | TRIED_LESS | TRIED_APART, "no such route"
    assert not TRIED_APART & TRIED_LESS


def check_answer(case: schemathesis.Case[Any], tried: Any) -> None:
    node, headers = tried
    answer = case.call(base_url=node.url, headers=headers, allow_redirects=False, timeout=START_S)
    # A sentence and a code of ours, which says who did not answer, is no failure of this server.
    away = answer.status_code == 503 and answer.json().get("code") == NO_CONTROL_PLANE
    case.validate_response(
        answer,
        checks=[
            *(() if away else (not_a_server_error,)),
            status_code_conformance,
            content_type_conformance,
            response_schema_conformance,
        ],
    )

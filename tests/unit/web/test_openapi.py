"""The OpenAPI document: what it says is what is answered, and the file in golden/ is it."""

import json
import os
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

from mirror.adapters.console.roles import Role
from mirror.web.app import build_routes
from mirror.web.routes import ROUTES
from tests.golden_file import check_golden

from .world import PRIM, ControlPlane, Node

GOLDEN = Path(__file__).resolve().parents[2] / "golden" / "openapi.json"
DOCUMENT: dict[str, Any] = build_routes(None).openapi()
# What they do takes seconds (programs), reaches out to the network, never ends, or takes a file.
NOT_TRIED = {
    "follow_events",
    "upload_package",
    "run_doctor",
    "take_snapshot",
    "check_config",
    "apply_config",
    "deconfigure",
    "init_cluster",
    "join_cluster",
    "make_join_token",
    "save_cluster",
    "check_address",
    "browse",
}
EXAMPLES = int(os.environ.get("MIRROR_FUZZ_EXAMPLES", "12"))


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


schema = schemathesis.openapi.from_dict(
    {
        **DOCUMENT,
        "paths": {
            path: {
                method: operation
                for method, operation in item.items()
                if operation["operationId"] not in NOT_TRIED
            }
            for path, item in DOCUMENT["paths"].items()
            if "/nodes/" not in path
        },
    }
)


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
    node, headers = tried
    if "DELETE" in case.method and case.path == "/api/v1/tokens/{number}":
        case.path_parameters["number"] = 999_999  # our own token stays
    answer = case.call(base_url=node.url, headers=headers)
    case.validate_response(
        answer,
        checks=[
            not_a_server_error,
            status_code_conformance,
            content_type_conformance,
            response_schema_conformance,
        ],
    )

"""Errors as answers: RFC 9457, `application/problem+json`, with our code and our sentence.

The sentence is the one the command line prints. `errors` says what is wrong field by field, or
line by line in a file, so that a page can show it where it was typed.
"""

import functools
from collections.abc import Mapping
from typing import Any

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.responses import Response

from mirror.errors import (
    EXIT_CONFIG_REFUSED,
    EXIT_NOT_REACHABLE,
    EXIT_TIMED_OUT,
    EXIT_USAGE,
    ConfigRefused,
    InputRefused,
    MirrorError,
    NotFoundHere,
    TooManyAttempts,
)
from mirror.vocabulary.said import facts_of, say
from mirror.web.field_sentences import fields_of, sentence_of
from mirror.web.models.said import told
from mirror.web.refusals import FieldProblem, from_refusal

PROBLEM_TYPE = "application/problem+json"
_STATUS_BY_EXIT_CODE = {
    EXIT_USAGE: 422,
    EXIT_NOT_REACHABLE: 503,
    EXIT_TIMED_OUT: 504,
    EXIT_CONFIG_REFUSED: 422,
}
_STATUS_DEFAULT = 409  # the node could not do it as things are; a fault of ours is 500
_STATUS_BY_CODE = {
    "MIR-102": 404,  # no such module
    "MIR-103": 422,  # name of a module
    "MIR-104": 422,
    "MIR-105": 422,  # package
    "MIR-107": 422,
    "MIR-108": 404,  # file
    "MIR-113": 404,  # resource
    "MIR-115": 422,  # token
    "MIR-801": 401,
    "MIR-802": 403,
    "MIR-803": 401,
    "MIR-804": 429,
    "MIR-805": 403,
    "MIR-807": 404,
    "MIR-808": 412,
    "MIR-809": 428,
    "MIR-810": 502,
    "MIR-812": 403,
    "MIR-815": 503,
    "MIR-816": 413,
}
FAULT = "MIR-800"  # the console itself failed
TITLES = {
    401: "Sign in first",
    403: "Not allowed",
    404: "Not found",
    405: "No such method",
    409: "Not possible now",
    412: "Changed meanwhile",
    413: "Too large",
    415: "Type of content not understood",
    421: "Not this host",
    422: "Not accepted",
    428: "Confirmation needed",
    429: "Too many attempts",
    500: "A fault of the console",
    502: "The other node does not answer",
    503: "The node does not answer",
    504: "No answer in time",
}


class Problem(BaseModel):
    """An error (RFC 9457)."""

    type: str = Field(description="urn:mirror: and the code", examples=["urn:mirror:MIR-801"])
    title: str = Field(description="The kind of error in a few words")
    status: int = Field(description="The HTTP status again")
    detail: str = Field(description="The whole sentence, as the command line prints it")
    code: str = Field(description="Stable code", examples=["MIR-801"])
    facts: dict[str, Any] = Field(
        default_factory=dict,
        description="What the sentence names, to say it in another language by its code",
    )
    errors: list[FieldProblem] = Field(
        default_factory=list, description="What is wrong where: fields of a body, lines of a file"
    )


def status_of(error: MirrorError) -> int:
    """The HTTP status that an error is answered with."""
    by_exit_code = _STATUS_BY_EXIT_CODE.get(error.exit_code, _STATUS_DEFAULT)
    return _STATUS_BY_CODE.get(error.code, by_exit_code)


def problem_of(error: MirrorError) -> Problem:
    """Say an error as a problem."""
    status = status_of(error)
    refusals = error.refusals if isinstance(error, ConfigRefused) else ()
    return Problem(
        type=f"urn:mirror:{error.code}",
        title=TITLES[status],
        status=status,
        detail=str(error),
        code=error.code,
        facts=facts_of(error),
        errors=[from_refusal(one) for one in refusals] or fields_of(error),
    )


def answer(problem: Problem, headers: Mapping[str, str] | None = None) -> Response:
    """Build the response of a problem."""
    return Response(
        problem.model_dump_json(),
        status_code=problem.status,
        media_type=PROBLEM_TYPE,
        headers=dict(headers or {}),
    )


def response_of(error: MirrorError) -> Response:
    """Build the response of an error."""
    headers = {}
    if isinstance(error, TooManyAttempts):
        headers["Retry-After"] = str(error.facts["wait_s"])
    if status_of(error) == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return answer(problem_of(error), headers)


async def on_mirror_error(_request: Request, error: Exception) -> Response:
    """Answer an error of ours."""
    assert isinstance(error, MirrorError)
    return response_of(error)


def _field_of(error: Mapping[str, Any]) -> str:
    return ".".join(str(part) for part in error["loc"][1:]) or str(error["loc"][0])


async def on_invalid_request(_request: Request, error: Exception) -> Response:
    """Answer a body or parameter that is not as the OpenAPI document says."""
    assert isinstance(error, RequestValidationError)
    wrong = [(_field_of(one), sentence_of(one)) for one in error.errors()]
    fields = [FieldProblem(field=at, sentence=why, said=told(why)) for at, why in wrong]
    listing = functools.reduce(
        lambda one, other: say("field.and", one=one, other=other),
        (say("field.at", field=at, observed=why) for at, why in wrong),
    )
    refused = InputRefused(
        what=say("what.request"), observed=listing, remedy=say("do.correct_and_send")
    )
    return answer(problem_of(refused).model_copy(update={"errors": fields}))


async def on_http_error(request: Request, error: Exception) -> Response:
    """Answer what the framework refuses: an unknown path, a method that is not there."""
    assert isinstance(error, HTTPException)
    what = request.url.path
    refused: MirrorError
    if error.status_code == 404:
        refused = NotFoundHere(what=what, observed=say("seen.no_path"), remedy=say("do.openapi"))
    else:
        refused = InputRefused(
            what=f"{request.method} {what}",
            observed=say("seen.no_method" if error.status_code == 405 else "seen.unread"),
            remedy=say("do.openapi"),
        )
    problem = problem_of(refused).model_copy(
        update={
            "status": error.status_code,
            "title": TITLES.get(error.status_code, "Not accepted"),
        }
    )
    return answer(problem, error.headers)


async def on_fault(_request: Request, _error: Exception) -> Response:
    """Answer a fault of ours: what happened is in the log, not on the wire."""
    problem = Problem(
        type=f"urn:mirror:{FAULT}",
        title=TITLES[500],
        status=500,
        detail="the console failed: this request: a fault of the program; see the node's log",
        code=FAULT,
    )
    return answer(problem)

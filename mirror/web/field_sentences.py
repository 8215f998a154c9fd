"""What is wrong with one field of what was sent, in a sentence for the field. Pure.

Says which form a field has to have where a regular expression decides, so the expressions stand
here, beside their sentences.
"""

import re
from collections.abc import Mapping
from typing import Any

from mirror.errors import InputRefused, MirrorError, PasswordRefused, UserRefused
from mirror.vocabulary.said import Misread, Said, say
from mirror.web.models.said import told
from mirror.web.refusals import FieldProblem

HTTP_ADDRESS = r"^(https?://[!-~]+)?$"
LDAP_ADDRESS = r"^(ldaps?://[A-Za-z0-9.:\[\]_-]+)?$"
PROGRAM = r"^(/[!-~]+)?$"
USER_FILTER = r".*\{name\}.*"
SCOPES = r"^openid( .*)?$"
FORMS = {
    HTTP_ADDRESS: say("field.http"),
    LDAP_ADDRESS: say("field.ldap"),
    PROGRAM: say("field.program"),
    USER_FILTER: say("field.filter", name="{name}"),
    SCOPES: say("field.scopes"),
}
# By the type of the error; the values are those that pydantic gives with it.
_CODES = {
    "missing": "field.missing",
    "extra_forbidden": "field.unknown",
    "string_pattern_mismatch": "field.form",
    "string_too_short": "field.short",
    "string_too_long": "field.long",
    "less_than_equal": "field.most",
    "greater_than_equal": "field.least",
    "int_parsing": "field.whole",
    "int_type": "field.whole",
    "int_from_float": "field.whole",
    "string_type": "field.text",
    "bool_type": "field.yes_no",
    "bool_parsing": "field.yes_no",
    "list_type": "field.list",
    "dict_type": "field.object",
    "model_type": "field.object",
    "model_attributes_type": "field.object",
    "too_long": "field.many",
    "too_short": "field.few",
    "json_invalid": "field.json",
    "enum": "field.one_of",
    "literal_error": "field.one_of",
}
_OURS = re.compile(r"[a-z_]+(\.[a-z_]+)*")


def sentence_of(error: Mapping[str, Any]) -> Said:
    """Say one error of the validation of a body."""
    facts: Mapping[str, Any] = error.get("ctx") or {}
    if isinstance(ours := facts.get("error"), Misread):
        return ours.observed
    if form := FORMS.get(facts.get("pattern", "")):
        return form
    if facts.get("min_length") == 1 and error["type"] == "string_too_short":
        return say("field.empty")
    if code := _CODES.get(error["type"]):
        return say(code, **facts)
    return Said(str(error["msg"]).removeprefix("Value error, "))


def fields_of(error: MirrorError) -> list[FieldProblem]:
    """The field that a refusal is about, when it names one as it is sent (`mail.sender`)."""
    facts = {name: str(value) for name, value in error.facts.items()}
    match error:
        case InputRefused() if _OURS.fullmatch(facts["what"]):
            field = facts["what"]
        case PasswordRefused():
            field = "password"
        case UserRefused():
            field = "name"
        case _:
            return []
    parts = {name: error.facts[name] for name in ("observed", "remedy")}
    return [
        FieldProblem(
            field=field,
            sentence=facts["observed"],
            hint=facts["remedy"],
            said=told(say("field", **parts)),
        )
    ]

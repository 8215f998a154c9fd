"""What is wrong with one field of what was sent, in a sentence for the field. Pure.

Says which form a field has to have where a regular expression decides, so the expressions stand
here, beside their sentences.
"""

import re
from collections.abc import Mapping
from typing import Any

from mirror.errors import InputRefused, MirrorError, PasswordRefused, UserRefused
from mirror.web.refusals import FieldProblem

HTTP_ADDRESS = r"^(https?://[!-~]+)?$"
LDAP_ADDRESS = r"^(ldaps?://[A-Za-z0-9.:\[\]_-]+)?$"
PROGRAM = r"^(/[!-~]+)?$"
USER_FILTER = r".*\{name\}.*"
SCOPES = r"^openid( .*)?$"
FORMS = {
    HTTP_ADDRESS: "an address that begins with http:// or https://, without blanks",
    LDAP_ADDRESS: "ldap:// or ldaps:// and a host, such as ldaps://ldap.example.org",
    PROGRAM: "a path that begins with /, without blanks",
    USER_FILTER: "{name} must stand in it, in place of who signs in",
    SCOPES: "openid must come first, then others with blanks between",
}
# By the type of the error; the values are those that pydantic gives with it.
_SENTENCES = {
    "missing": "it is missing",
    "extra_forbidden": "not known here",
    "string_pattern_mismatch": "not of the form {pattern}",
    "string_too_short": "{min_length} letters at least",
    "string_too_long": "{max_length} letters at most",
    "less_than_equal": "{le} at most",
    "greater_than_equal": "{ge} at least",
    "int_parsing": "a whole number",
    "int_type": "a whole number",
    "enum": "one of {expected}",
    "literal_error": "one of {expected}",
}
_OURS = re.compile(r"[a-z_]+(\.[a-z_]+)*")


def sentence_of(error: Mapping[str, Any]) -> str:
    """Say one error of the validation of a body."""
    facts: Mapping[str, Any] = error.get("ctx") or {}
    if form := FORMS.get(facts.get("pattern", "")):
        return form
    if facts.get("min_length") == 1:
        return "it is empty"
    said = _SENTENCES.get(error["type"])
    return said.format(**facts) if said else str(error["msg"]).removeprefix("Value error, ")


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
    return [FieldProblem(field=field, sentence=facts["observed"], hint=facts["remedy"])]

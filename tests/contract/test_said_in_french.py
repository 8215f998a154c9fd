"""Every sentence that the server can send by a code has a French one in the console."""

import ast
import json
import re
import string
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mirror.core import automaton, election, generations, light
from mirror.core.reintegration.progress import Phase
from mirror.errors import every_error, fact_names
from mirror.vocabulary import (
    said,
    said_config,
    said_host,
    said_modules,
    said_outside,
    said_web,
)
from mirror.vocabulary.said import TEMPLATES
from mirror.web import problems
from mirror.web.routes import ROUTES

MIRROR = Path(__file__).resolve().parents[2] / "mirror"
FRENCH = MIRROR.parent / "webconsole" / "src" / "i18n" / "said.fr.json"
TABLES = (automaton.ROWS, light.ROWS, generations.ROWS, election.PROOFS, election.CASES)
WORDS = FRENCH.parent / "en.ts"
OPENAPI = Path(__file__).resolve().parents[1] / "golden" / "openapi.json"
# Fields of requests that are secret, or that a page sends along for itself.
NOT_TOLD = {
    *("bind_password", "client_secret", "etag", "key", "link", "new", "old", "password"),
    *("secret", "ticket", "token"),
}
# Said only as the words of another one, or by the console of an older node.
WITHOUT = {"MIR-303"}
# Facts of errors that are sentences, or parts of one.
SAYING = {"observed", "remedy", "mode", "allowed"}
# The lab, and commands that no page gives.
NO_PAGE_SHOWS = (
    "adapters/lab",
    "cli/demo_story.py",
    "cli/helpers.py",
    "cli/service.py",
    "cli/straighten.py",
)
# Made by the page of what stands in the audit: gate.py, sign_in.py and audit.py write these.
OF_THE_AUDIT = {
    "did.there": frozenset({"what", "node"}),
    "result.done": frozenset[str](),
    "result.broken off": frozenset[str](),
    "result.refused": frozenset[str](),
    "result.no role": frozenset[str](),
    "result.not finished": frozenset[str](),
    "did.sign in at the provider": frozenset[str](),
}


def _holes(template: str) -> frozenset[str]:
    return frozenset(name for _, name, _, _ in string.Formatter().parse(template) if name)


def _sent() -> dict[str, frozenset[str]]:
    """Every code, and the facts that come with it."""
    assert problems.FAULT == "MIR-800"
    rows = {row.said.code: frozenset[str]() for table in TABLES for row in table}
    templates = {code: _holes(template) for code, template in TEMPLATES.items()}
    errors = {error.code: fact_names(error) for error in every_error()}
    audited = {f"did.{row.what}": frozenset[str]() for row in ROUTES if row.audited}
    families = ({problems.FAULT: frozenset[str]()}, rows, templates, errors, audited, OF_THE_AUDIT)
    sent = {code: facts for family in families for code, facts in family.items()}
    assert len(sent) == sum(len(family) for family in families), "a code is used twice"
    assert sum(len(table) for table in TABLES) == len(rows), "a row is named twice"
    return {code: facts for code, facts in sent.items() if code not in WITHOUT}


def _never_said(tree: ast.AST) -> Iterator[int]:
    """Lines where an error has English for what is observed, or helps, and not a code."""
    for call in ast.walk(tree):
        name = getattr(call.func, "id", "") if isinstance(call, ast.Call) else ""
        if name not in {one.__name__ for one in every_error()}:
            continue
        assert isinstance(call, ast.Call)
        for given in call.keywords:
            text = getattr(given.value, "value", None)
            written = isinstance(given.value, ast.JoinedStr) or (isinstance(text, str) and text)
            if given.arg in SAYING and written:
                yield given.value.lineno


def test_an_error_that_a_page_may_show_says_by_codes_what_it_saw_and_what_helps() -> None:
    """What is wrong in a configuration is a `Said` by its type, which mypy checks."""
    files = [
        file
        for file in MIRROR.rglob("*.py")
        if not any(file.is_relative_to(MIRROR / one) for one in NO_PAGE_SHOWS)
    ]
    trees = {file.relative_to(MIRROR): ast.parse(file.read_text()) for file in files}
    english = [f"{name}:{line}" for name, tree in trees.items() for line in _never_said(tree)]
    assert len(trees) > 300
    assert english == []


def _fields(schema: Any, schemas: dict[str, Any]) -> Iterator[str]:
    """Names of what a schema has, at any depth."""
    if isinstance(schema, dict):
        yield from schema.get("properties", {})
        for name, inner in schema.items():
            if name == "$ref":
                yield from _fields(schemas[inner.rpartition("/")[2]], schemas)
            else:
                yield from _fields(inner, schemas)
    if isinstance(schema, list):
        for inner in schema:
            yield from _fields(inner, schemas)


def test_what_the_audit_tells_of_a_request_has_a_word_for_each_field() -> None:
    """Both languages have the same words: webconsole/test/i18n.test.ts."""
    document = json.loads(OPENAPI.read_text(encoding="utf-8"))
    operations = [one for path in document["paths"].values() for one in path.values()]
    bodies = [one["requestBody"] for one in operations if "requestBody" in one]
    sent = {name for body in bodies for name in _fields(body, document["components"]["schemas"])}
    worded = set(re.findall(r'"sent\.(\w+)"', WORDS.read_text(encoding="utf-8")))
    assert len(sent) > 50
    assert sorted(sent - worded - NOT_TOLD) == []


def test_each_phase_of_a_reintegration_has_a_word() -> None:
    worded = set(re.findall(r'"phase\.(\w+)"', WORDS.read_text(encoding="utf-8")))
    assert worded == {phase.value for phase in Phase}


def test_every_code_is_said_in_french_with_facts_that_come() -> None:
    french, sent = json.loads(FRENCH.read_text(encoding="utf-8")), _sent()
    assert sorted(sent.keys() - french.keys()) == []
    assert sorted(french.keys() - sent.keys()) == [], "no such code is sent"
    unknown = {code: found for code in sent if (found := _holes(french[code]) - sent[code])}
    assert unknown == {}, "these would never be shown"


def test_no_code_is_in_two_catalogues_nor_twice_in_french() -> None:
    """The later one would be said for both."""
    catalogues = (said, said_config, said_host, said_modules, said_outside, said_web)
    trees = [ast.parse(Path(str(one.__file__)).read_text()) for one in catalogues]
    codes = [
        key.value
        for tree in trees
        for found in ast.walk(tree)
        if isinstance(found, ast.Dict)
        for key in found.keys
        if isinstance(key, ast.Constant) and "." in str(key.value)
    ]
    assert len(codes) > 500
    french = json.loads(FRENCH.read_text(encoding="utf-8"), object_pairs_hook=list)
    for named in (codes, [code for code, _ in french]):
        assert [code for code, count in Counter(named).items() if count > 1] == []


def test_french_names_every_fact_of_a_sentence_that_is_not_an_error() -> None:
    french = json.loads(FRENCH.read_text(encoding="utf-8"))
    missing = {code for code, text in TEMPLATES.items() if _holes(text) != _holes(french[code])}
    assert missing == set()

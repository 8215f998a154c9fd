"""Every sentence that the server can send by a code has a French one in the console."""

import ast
import json
import string
from collections.abc import Iterator
from pathlib import Path

from mirror.core import automaton, election, generations, light
from mirror.errors import every_error, fact_names
from mirror.vocabulary.said import TEMPLATES
from mirror.web import problems
from mirror.web.routes import ROUTES

MIRROR = Path(__file__).resolve().parents[2] / "mirror"
FRENCH = MIRROR.parent / "webconsole" / "src" / "i18n" / "said.fr.json"
TABLES = (automaton.ROWS, light.ROWS, generations.ROWS, election.PROOFS, election.CASES)
# Said only as the words of another one, or by the console of an older node.
WITHOUT = {"MIR-303"}
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
    """Lines where an error of the console has English for `observed` or `remedy`, not a code."""
    for call in ast.walk(tree):
        name = getattr(call.func, "id", "") if isinstance(call, ast.Call) else ""
        if name not in {one.__name__ for one in every_error()}:
            continue
        assert isinstance(call, ast.Call)
        for given in call.keywords:
            text = getattr(given.value, "value", None)
            written = isinstance(given.value, ast.JoinedStr) or (isinstance(text, str) and text)
            if given.arg in {"observed", "remedy"} and written:
                yield given.value.lineno


def test_an_error_of_the_console_says_by_codes_what_it_saw_and_what_helps() -> None:
    """What is wrong in a configuration is a `Said` by its type, which mypy checks."""
    files = [
        *(MIRROR / "web").rglob("*.py"),
        MIRROR / "adapters" / "console" / "users.py",
        *(MIRROR / "adapters" / "signin").glob("*.py"),
        *(MIRROR / "adapters" / "notify").glob("*.py"),
        MIRROR / "daemon" / "plane" / "verify.py",
        *(MIRROR / one for one in ("adapters/joining.py", "wire/join_token.py")),
        *(MIRROR / "config" / f"{one}.py" for one in ("names", "package", "module_store")),
    ]
    trees = {file.relative_to(MIRROR): ast.parse(file.read_text()) for file in files}
    english = [f"{name}:{line}" for name, tree in trees.items() for line in _never_said(tree)]
    assert len(trees) > 50
    assert english == []


def test_every_code_is_said_in_french_with_facts_that_come() -> None:
    french, sent = json.loads(FRENCH.read_text(encoding="utf-8")), _sent()
    assert sorted(sent.keys() - french.keys()) == []
    assert sorted(french.keys() - sent.keys()) == [], "no such code is sent"
    unknown = {code: found for code in sent if (found := _holes(french[code]) - sent[code])}
    assert unknown == {}, "these would never be shown"


def test_french_names_every_fact_of_a_sentence_that_is_not_an_error() -> None:
    french = json.loads(FRENCH.read_text(encoding="utf-8"))
    missing = {code for code, text in TEMPLATES.items() if _holes(text) != _holes(french[code])}
    assert missing == set()

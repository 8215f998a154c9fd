"""Every sentence that the server can send by a code has a French one in the console."""

import json
import string
from pathlib import Path

from mirror.core import automaton, election, generations, light
from mirror.errors import every_error, fact_names
from mirror.vocabulary.said import TEMPLATES
from mirror.web import problems
from mirror.web.routes import ROUTES

FRENCH = Path(__file__).resolve().parents[2] / "webconsole" / "src" / "i18n" / "said.fr.json"
TABLES = (automaton.ROWS, light.ROWS, generations.ROWS, election.PROOFS, election.CASES)
# Said only as the words of another one, or by the console of an older node.
WITHOUT = {"MIR-303"}
# Made by the page of what stands in the audit: gate.py writes these.
OF_THE_AUDIT = {
    "did.there": frozenset({"what", "node"}),
    "result.done": frozenset[str](),
    "result.broken off": frozenset[str](),
    "result.refused": frozenset[str](),
}


def _holes(template: str) -> frozenset[str]:
    return frozenset(name for _, name, _, _ in string.Formatter().parse(template) if name)


def _sent() -> dict[str, frozenset[str]]:
    """Every code, and the facts that come with it."""
    assert problems.FAULT == "MIR-800"
    rows = {row.said.code: frozenset[str]() for table in TABLES for row in table}
    templates = {code: _holes(template) for code, template in TEMPLATES.items()}
    errors = {error.code: fact_names(error) for error in every_error()}
    audited = {f"did.{row.what}": frozenset[str]() for row in ROUTES if row.changes}
    families = ({problems.FAULT: frozenset[str]()}, rows, templates, errors, audited, OF_THE_AUDIT)
    sent = {code: facts for family in families for code, facts in family.items()}
    assert len(sent) == sum(len(family) for family in families), "a code is used twice"
    assert sum(len(table) for table in TABLES) == len(rows), "a row is named twice"
    return {code: facts for code, facts in sent.items() if code not in WITHOUT}


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

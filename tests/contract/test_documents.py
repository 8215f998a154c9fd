"""The documents say what is there: targets, files, dependencies, words, versions, codes."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted(ROOT.glob("*.md"))
TOP_FOLDERS = ("mirror", "native", "modules", "tests", "bench", "webconsole", ".ci")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def name_of(path: Path) -> str:
    return path.name


def code_of(document: str) -> list[str]:
    """The pieces in backticks, and the indented or fenced blocks, line by line."""
    fenced = re.findall(r"^```.*?^```", document, re.MULTILINE | re.DOTALL)
    indented = re.findall(r"^ {4}\S.*$", document, re.MULTILINE)
    return [*re.findall(r"`([^`\n]+)`", document), *"\n".join(fenced).splitlines(), *indented]


@pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)
def test_make_targets_exist(path: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for code in code_of(path.read_text()):
        if match := re.match(r"\s*make((?: [a-z-]+)+)", code.partition("#")[0]):
            assert set(match[1].split()) <= targets, f"{path.name} says: {code}"


@pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)
def test_files_exist(path: Path) -> None:
    text = path.read_text()
    mentioned = {link for link in re.findall(r"\]\(([^)#\s]+)[^)]*\)", text) if "://" not in link}
    for code in code_of(text):
        for word in re.findall(r"[\w./*-]+", code):
            if word.startswith(tuple(f"{folder}/" for folder in TOP_FOLDERS)):
                mentioned.add(word.rstrip("."))
    for name in mentioned - {name for name in mentioned if re.search(r"[*]|NAME|VERSION", name)}:
        assert (ROOT / name).exists(), f"{path.name} mentions {name}"


def test_glossary_is_alphabetical_and_its_words_are_used() -> None:
    words = re.findall(r"^\*\*(.+?)\*\*:", (ROOT / "GLOSSARY.md").read_text(), re.MULTILINE)
    assert words == sorted(words, key=str.casefold)
    assert len(words) == len(set(words))
    files = [*ROOT.glob("mirror/**/*.py"), *ROOT.glob("native/**/*.[ch]")]
    used = " ".join(path.read_text() for path in files).casefold().replace("_", " ")
    assert [word for word in words if word.casefold() not in used] == []


def test_every_decision_has_its_four_parts() -> None:
    decisions = re.split(r"^## ", (ROOT / "DECISIONS.md").read_text(), flags=re.MULTILINE)[1:]
    for number, decision in enumerate(decisions, start=1):
        assert decision.startswith(f"{number}. ")
        parts = re.findall(r"^\*\*(\w+)\.\*\*", decision, re.MULTILINE)
        assert parts == ["Context", "Choice", "Rejected", "Consequence"], decision.splitlines()[0]


def test_every_dependency_is_pinned_and_explained() -> None:
    explained = (ROOT / "DECISIONS.md").read_text()
    for requirement in PROJECT["dependencies"] + PROJECT["optional-dependencies"]["dev"]:
        name, pin, version = requirement.partition("==")
        assert pin, f"{requirement} is not pinned"
        assert version
        assert re.search(rf"\b{name}\b", explained), f"DECISIONS.md does not say why {name}"


def test_the_changelog_begins_with_this_version() -> None:
    versions = re.findall(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert versions[0] == PROJECT["version"]


def test_codes_in_documents_exist() -> None:
    known = set(
        re.findall(
            r"MIR-\d{3}", " ".join(path.read_text() for path in ROOT.glob("mirror/errors/*.py"))
        )
    )
    for path in DOCUMENTS:
        assert set(re.findall(r"MIR-\d{3}", path.read_text())) <= known, path.name

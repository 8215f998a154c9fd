"""A real Chromium for tests of pages; without it they are skipped, and say why.

Every page opened here must not make an error: a refusal by the content security policy is one.
"""

import importlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
AXE = ROOT / "webconsole" / "node_modules" / "axe-core" / "axe.min.js"
CHROMIUM = Path("/usr/bin/chromium")
# Pictures of every step go to this directory: to look at pages, and for the README.
SHOTS = os.environ.get("MIRROR_SHOTS", "")
ARGUMENTS = [
    "--no-sandbox",  # tests run as root
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-quic",
    "--no-first-run",
    "--disable-sync",
]
# The style that Chromium itself gives to text inserted at once in place of other text; the policy
# refuses it, and the editor draws the text by its own rules.
EDITING_STYLE = "sha256-FLvOTvmVKoKpOY/9gdu/i9gUB3Lhw1ZkAP9WrJwxCmE="
AWAIT_MS = 90_000  # most of it is for a machine that does other work too


@dataclass
class Browsing:
    """A browser, and what went wrong in its pages."""

    browser: Any
    errors: list[str] = field(default_factory=list)

    def page(self, *, locale: str = "en-GB", **options: Any) -> Any:
        """A page of somebody new, without cookies."""
        options.setdefault("viewport", {"width": 1280, "height": 900})
        made = self.browser.new_context(locale=locale, **options).new_page()
        made.set_default_timeout(AWAIT_MS)
        made.on("pageerror", lambda error: self.errors.append(str(error)))
        made.on("console", self._note)
        return made

    def assert_no_errors(self) -> None:
        """Since this was asked before: what one test finds fails no other."""
        found = self.errors[:]
        self.errors.clear()
        assert not found, found

    def _note(self, said: Any) -> None:
        if "Content Security" in said.text and EDITING_STYLE not in said.text:
            self.errors.append(f"{said.page.url} {said.location}: {said.text}")


@contextmanager
def chromium() -> Iterator[Browsing]:
    """Start Chromium; fail at the end when a page made an error."""
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if not CHROMIUM.exists():
        pytest.skip(f"{CHROMIUM} is not installed (make setup does, where it is packaged)")
    api.expect.set_options(timeout=AWAIT_MS)
    with api.sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=str(CHROMIUM), args=ARGUMENTS, timeout=AWAIT_MS
        )
        browsing = Browsing(browser)
        yield browsing
        browser.close()
    browsing.assert_no_errors()


def expect(locator: Any) -> Any:
    """What playwright expects of a place in a page, with time to become so."""
    return importlib.import_module("playwright.sync_api").expect(locator)


def shot(page: Any, name: str) -> None:
    """Keep a picture, when somebody wants to look."""
    if SHOTS:
        page.screenshot(path=f"{SHOTS}/{name}.png", full_page=True, caret="initial")


def serious(page: Any) -> list[str]:
    """What axe finds that is serious or worse. Evaluated: the content security policy stands."""
    page.evaluate(AXE.read_text())
    # Its preload would make style elements of its own, which the policy refuses.
    result = page.evaluate("axe.run(document, {resultTypes: ['violations'], preload: false})")
    return [
        json.dumps([one["id"], [node["html"][:200] for node in one["nodes"][:3]]])
        for one in result["violations"]
        if one["impact"] in {"serious", "critical"}
    ]

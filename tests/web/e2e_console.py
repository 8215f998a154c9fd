"""The pages in a real Chromium, against the real consoles of two nodes.

Run by name: `pytest tests/web/e2e_console.py`. Needs playwright (Python), chromium and the built
front end (webconsole/build). The control planes are the test's own, on the real local sockets;
modules on real hosts are the lab's.
"""

import json
import re
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from mirror.adapters.console.roles import Role
from tests.unit.web.world import PASSWORDS, PRIM, ControlPlane, Node, join

playwright = pytest.importorskip("playwright.sync_api")

ROOT = Path(__file__).parents[2]
AXE = ROOT / "webconsole" / "node_modules" / "axe-core" / "axe.min.js"
CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-quic",
    "--no-first-run",
    "--disable-sync",
]
PAGES = (
    "#/modules",
    "#/m/web",
    "#/m/web/log",
    "#/m/web/files",
    "#/m/web/config",
    "#/m/web/first",
    "#/m/web/split",
    "#/cluster",
    "#/people",
    "#/audit",
    "#/new",
)
FIRST_PAGE_BYTES_MAX = 300 * 1024
GOES_ON_S_MAX = 2.0
SAFE = "Both nodes hold everything. Either one may be lost."


@dataclass
class Pair:
    """Two nodes of one cluster, each with its control plane and a module `web`."""

    nodes: tuple[Node, Node]
    planes: tuple[ControlPlane, ControlPlane]


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    n1 = Node(tmp_path / "n1", "n1")
    n2 = Node(tmp_path / "n2", "n2", https_address="127.0.0.2")
    for one in (n1, n2):
        one.make()
        (tmp_path / "data").mkdir(exist_ok=True)
        one.write_module(one.layout.module("web").edited, tmp_path / "data")
    join(n1, n2)
    planes = (ControlPlane(n1.layout.control_socket), ControlPlane(n2.layout.control_socket))
    roles = (("n1", "PRIM", "n2", "SECOND"), ("n2", "SECOND", "n1", "PRIM"))
    for plane, (own, state, other, remote) in zip(planes, roles, strict=True):
        plane.states["web"] = PRIM | {
            "state": state,
            "local": {"node": own},
            "remote": {"node": other, "state": remote, "ready": "Ready"},
        }
        plane.answers["resources"] = {"resources": {"intf.default": {"value": "up"}}}
    https = socket.create_server(("127.0.0.1", 0))
    n1.start(https)
    n2.start(socket.create_server(("127.0.0.2", n1.https_port)))
    yield Pair((n1, n2), planes)
    for one in (n1, n2):
        one.stop()
    for plane in planes:
        plane.close()
    for one in (n1, n2):
        assert "Traceback" not in one.log, one.log


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def page(chromium: Any) -> Iterator[Any]:
    """A page that must not make an error: a refusal by the CSP is one."""
    context = chromium.new_context(locale="en-GB", viewport={"width": 1280, "height": 900})
    made = context.new_page()
    errors: list[str] = []
    made.on("pageerror", lambda error: errors.append(str(error)))

    def note(said: Any) -> None:
        if "Content Security" in said.text:
            errors.append(said.text)

    made.on("console", note)
    yield made
    context.close()
    assert not errors, errors


def sign_in(page: Any, node: Node, role: Role = Role.ADMIN) -> None:
    page.goto(f"http://localhost:{node.http_port}/")
    page.get_by_label("User", exact=True).fill(role.lower())
    page.get_by_label("Password", exact=True).fill(PASSWORDS[role])
    page.keyboard.press("Enter")
    page.wait_for_selector(".module-line")


def test_a_wrong_password_is_a_sentence_and_keeps_the_name(pair: Pair, page: Any) -> None:
    page.goto(f"http://localhost:{pair.nodes[0].http_port}/")
    page.get_by_label("User", exact=True).fill("admin")
    page.get_by_label("Password", exact=True).fill("not this one")
    page.keyboard.press("Enter")
    assert "MIR-803" in page.get_by_role("alert").inner_text()
    assert page.get_by_label("User", exact=True).input_value() == "admin"


def test_the_first_password_is_set_by_the_link(pair: Pair, page: Any) -> None:
    node = pair.nodes[0]
    page.goto(f"http://localhost:{node.http_port}/#/link/{node.link('erika', Role.ADMIN)}")
    page.get_by_label("New password").fill("short")
    page.get_by_role("button", name="Set password and sign in").click()
    assert "at least" in page.get_by_role("alert").first.inner_text()
    for label in ("New password", "Again"):
        page.get_by_label(label).fill("kettle marble orchard")
    page.get_by_role("button", name="Set password and sign in").click()
    page.wait_for_selector(".module-line")
    assert "erika" in page.locator(".preferences").inner_text()


def test_the_list_and_the_module_say_that_both_hold_everything(pair: Pair, page: Any) -> None:
    sign_in(page, pair.nodes[0])
    line = page.locator(".module-line")
    playwright.expect(line).to_contain_text(SAFE)
    playwright.expect(line).to_contain_text("served by n1")
    page.get_by_role("link", name="web", exact=True).click()
    playwright.expect(page.locator(".safety")).to_contain_text(SAFE)
    playwright.expect(page.locator(".link")).to_contain_text("live")


def test_a_change_is_in_the_page_within_half_a_second(pair: Pair, page: Any) -> None:
    sign_in(page, pair.nodes[0])
    page.goto(f"http://localhost:{pair.nodes[0].http_port}/#/m/web")
    playwright.expect(page.locator(".safety")).to_contain_text(SAFE)
    plane = pair.planes[0]
    began = time.monotonic()
    plane.states["web"] = plane.states["web"] | {"state": "ALONE", "row": "P9"}
    page.locator(".safety", has_text="Do not stop").wait_for()
    assert time.monotonic() - began < 0.5


@pytest.mark.parametrize("look", ["light", "dark"])
def test_accessibility_of_every_page(chromium: Any, pair: Pair, look: str) -> None:
    context = chromium.new_context(color_scheme=look, locale="fr-FR", reduced_motion="reduce")
    page = context.new_page()
    node = pair.nodes[0]
    page.goto(f"http://localhost:{node.http_port}/")
    page.get_by_label("Utilisateur").wait_for()
    found = {"door": serious(page)}
    page.get_by_label("Utilisateur").fill("admin")
    page.get_by_label("Mot de passe", exact=True).fill(PASSWORDS[Role.ADMIN])
    page.keyboard.press("Enter")
    page.wait_for_selector(".module-line")
    for place in PAGES:
        page.goto(f"http://localhost:{node.http_port}/{place}")
        page.locator("main h1, main h2").first.wait_for()
        found[place] = serious(page)
    context.close()
    assert {place: said for place, said in found.items() if said} == {}


def serious(page: Any) -> list[str]:
    """What axe finds that is serious or worse. Evaluated: the CSP stands."""
    page.evaluate(AXE.read_text())
    result = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        json.dumps([one["id"], [node["html"][:200] for node in one["nodes"][:3]]])
        for one in result["violations"]
        if one["impact"] in {"serious", "critical"}
    ]


@pytest.mark.parametrize("width", [320, 390, 1280, 2560, 3840])
def test_no_page_is_wider_than_the_window(chromium: Any, pair: Pair, width: int) -> None:
    context = chromium.new_context(viewport={"width": width, "height": 900}, locale="en-GB")
    page = context.new_page()
    sign_in(page, pair.nodes[0])
    wider = {}
    for place in PAGES:
        page.goto(f"http://localhost:{pair.nodes[0].http_port}/{place}")
        page.locator("main h1, main h2").first.wait_for()
        root = "document.documentElement"
        wider[place] = page.evaluate(f"{root}.scrollWidth - {root}.clientWidth")
    context.close()
    assert {place: more for place, more in wider.items() if more > 0} == {}


def test_an_action_says_what_will_happen_and_is_given_by_keyboard(pair: Pair, page: Any) -> None:
    pair.planes[0].answers["command"] = {"said": "swap asked: web"}
    sign_in(page, pair.nodes[0])
    page.goto(f"http://localhost:{pair.nodes[0].http_port}/#/m/web")
    swap = page.locator(".card").first.get_by_role("button", name="Swap")
    swap.wait_for()
    swap.focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog")
    playwright.expect(dialog).to_contain_text("The service is interrupted meanwhile.")
    assert re.search(r"n2\s+starts the application", dialog.inner_text())
    dialog.get_by_role("button", name="Swap").focus()
    page.keyboard.press("Enter")
    playwright.expect(dialog).to_contain_text("swap asked: web")
    page.keyboard.press("Escape")
    playwright.expect(dialog).to_have_count(0)
    playwright.expect(swap).to_be_focused()


def test_losing_data_asks_for_the_name(pair: Pair, page: Any) -> None:
    for plane in pair.planes:
        plane.states["web"] = plane.states["web"] | {"state": "WAIT", "ready": "NotReady"}
    sign_in(page, pair.nodes[0])
    page.goto(f"http://localhost:{pair.nodes[0].http_port}/#/m/web")
    page.get_by_role("button", name="More: actions for n1").click()
    page.get_by_role("menuitem", name="Primary on incomplete data").click()
    go = page.get_by_role("dialog").get_by_role("button", name="Primary on incomplete data")
    playwright.expect(go).to_be_disabled()
    page.get_by_label("Type web to go on").fill("web")
    playwright.expect(go).to_be_enabled()


def test_a_mistake_in_the_xml_stands_at_its_line(pair: Pair, page: Any) -> None:
    sign_in(page, pair.nodes[0])
    page.goto(f"http://localhost:{pair.nodes[0].http_port}/#/m/web/config")
    page.locator(".cm-content").click()
    page.keyboard.press("Control+End")
    page.keyboard.type("<")
    playwright.expect(page.locator(".notes .error").first).to_contain_text("Line")


def test_the_page_goes_on_with_the_other_node(pair: Pair, page: Any) -> None:
    sign_in(page, pair.nodes[0])
    page.goto(f"http://localhost:{pair.nodes[0].http_port}/#/m/web")
    playwright.expect(page.locator(".safety")).to_contain_text(SAFE)
    with page.expect_response(lambda one: one.url.endswith("/nodes/n2/tickets")):
        page.reload()
    playwright.expect(page.locator(".safety")).to_contain_text(SAFE)
    began = time.monotonic()
    pair.nodes[0].kill()
    page.locator(".spoken", has_text="n1 does not answer").wait_for()
    assert time.monotonic() - began < GOES_ON_S_MAX
    page.wait_for_url(re.compile(f":{pair.nodes[1].http_port}/#/m/web"))
    playwright.expect(page.locator(".spoken")).to_contain_text("You went on with n2")
    playwright.expect(page.locator(".q-head")).to_contain_text("web")


def test_the_first_page_is_light(pair: Pair, page: Any) -> None:
    sizes: list[int] = []
    page.on("response", lambda one: sizes.append(int(one.headers.get("content-length", "0"))))
    page.goto(f"http://localhost:{pair.nodes[0].http_port}/")
    page.get_by_label("User", exact=True).wait_for()
    assert 10_000 < sum(sizes) < FIRST_PAGE_BYTES_MAX

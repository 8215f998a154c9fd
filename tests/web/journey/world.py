"""Two bare nodes, a client, and a person at a browser: what every step of the journey uses."""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mirror.adapters.lab import plan, status
from mirror.adapters.lab.client import Lab
from tests.web.chromium import Browsing, expect, serious, shot

MODULE = "shop"
PASSWORD = "correct horse battery"
DIRECTORY = plan.REPLICATED_DIRECTORY
ADDRESS = plan.VIRTUAL_IP
PORT = 8080
START_S = 90.0
POLL_S = 0.05
ASK = f"""
import urllib.request
print(urllib.request.urlopen("http://{ADDRESS}:{PORT}/page.txt", timeout=2).read().decode())
"""


@dataclass
class Journey:
    """The lab, the pages, and what was measured on the way."""

    lab: Lab
    browsing: Browsing
    pages: dict[str, Any] = field(default_factory=dict)
    measured: dict[str, float] = field(default_factory=dict)
    found: dict[str, list[str]] = field(default_factory=dict)
    broken: str = ""

    def expect(self, locator: Any) -> Any:
        return expect(locator)

    def url(self, host: str) -> str:
        return str(self.lab.facts()["consoles"][host])

    def open(self, host: str) -> Any:
        """A new person's page at the console of a host."""
        self.pages[host] = self.browsing.page()
        return self.pages[host]

    def enter(self, host: str, place: str) -> Any:
        """The administrator at the door of a host's console, then at a place of it."""
        page = self.open(host)
        page.goto(f"{self.url(host)}/#/{place}")
        page.get_by_label("User", exact=True).fill("admin")
        page.get_by_label("Password", exact=True).fill(PASSWORD)
        page.keyboard.press("Enter")
        self.expect(page.locator(".top nav")).to_be_visible()
        return page

    def go(self, host: str, place: str) -> Any:
        page = self.pages[host]
        page.goto(f"{self.url(host)}/#/{place}")
        return page

    def turn_to(self, page: Any, place: str) -> None:
        """Another place of the console that the page is at."""
        page.evaluate("place => { location.hash = place }", f"#/{place}")

    def look(self, page: Any, name: str) -> None:
        """A page as a person finds it: a picture is kept, an accessibility checker looks at it."""
        shot(page, name)
        if found := serious(page):
            self.found[name] = found

    def first_link(self, host: str) -> str:
        """The link that the node printed when it first started."""
        log = Path(self.lab.facts()["hosts"][host]["log"])
        links = self.until(lambda: re.findall(r"/#/link/(\S+)", log.read_text()), "a first link")
        return f"{self.url(host)}/#/link/{links[-1]}"

    def until(self, look: Callable[[], Any], what: str, timeout_s: float = START_S) -> Any:
        """Wait until something is there, and give it back."""
        deadline = time.monotonic() + timeout_s
        while not (found := look()):
            assert time.monotonic() < deadline, f"waited in vain for {what}"
            time.sleep(POLL_S)
        return found

    # what is so on the hosts

    def states(self) -> dict[str, str]:
        """What each node says of itself on its own socket, such as PRIM or SECOND (NotReady)."""
        found = {}
        for host in plan.NODES:
            state = status.module_states(self.lab, host).get(MODULE)
            found[host] = "off" if state is None else str(state).removesuffix(" (Ready)")
        return found

    def await_states(self, timeout_s: float = 120.0, **wanted: str) -> None:
        deadline = time.monotonic() + timeout_s
        while (seen := self.states()) != wanted:
            assert time.monotonic() < deadline, seen
            time.sleep(POLL_S)

    def await_pair(self) -> str:
        """Wait until one is PRIM and the other SECOND, both Ready. Returns: the PRIM."""

        def serving() -> str:
            by_state = {state: host for host, state in self.states().items()}
            return by_state.get("PRIM", "") if set(by_state) == {"PRIM", "SECOND"} else ""

        return str(self.until(serving, "PRIM and SECOND"))

    def inside(self, host: str, *command: str, check: bool = True) -> str:
        return str(self.lab.exec(host, list(command), check=check).stdout)

    def served(self) -> str:
        """What a client gets at the virtual address; empty: nobody answers."""
        return self.inside("client", "/usr/bin/python3", "-c", ASK, check=False).strip()

    def await_served(self, content: str) -> None:
        self.until(lambda: self.served() == content, f"{content!r} at {ADDRESS}")

    def write(self, host: str, name: str, content: str) -> None:
        self.inside(host, "sh", "-c", f"cat > {DIRECTORY}/{name} <<'END'\n{content}\nEND")

    def log_of(self, host: str) -> str:
        return self.inside(host, "mirror", "log", "-m", MODULE, "--json", check=False)

    # what is so on the pages

    def card(self, page: Any, node: str) -> Any:
        return page.get_by_role("region", name=f"Node {node}", exact=True)

    def expect_card(self, page: Any, node: str, word: str, ready: str = "Ready") -> None:
        chip = self.card(page, node).locator(".chip")
        self.expect(chip).to_contain_text(word)
        self.expect(chip).to_contain_text(ready)

    def expect_safety(self, page: Any, sentence: str) -> None:
        self.expect(page.locator(".safety")).to_contain_text(sentence)

    def act(self, page: Any, node: str, verb: str, *, typed: str = "") -> None:
        """Give a command from the menu or the buttons of a node's card, as a person does."""
        card = self.card(page, node)
        button = card.get_by_role("button", name=verb, exact=True)
        if not button.count():
            card.get_by_role("button", name=f"More: actions for {node}").click()
            button = page.get_by_role("menuitem", name=re.compile(f"^{re.escape(verb)}"))
        button.first.click()
        self.confirm(page, verb, typed=typed)

    def confirm(self, page: Any, verb: str, *, typed: str = "") -> None:
        dialog = page.get_by_role("dialog")
        if typed:
            dialog.get_by_label(f"Type {typed} to go on").fill(typed)
        dialog.get_by_role("button", name=verb, exact=True).click()
        self.expect(dialog.locator(".notice.good")).to_be_visible()
        dialog.get_by_role("button", name="Close", exact=True).last.click()
        self.expect(dialog).to_have_count(0)

"""What goes wrong, seen live: power, and a stop of PRIM."""

import io
import re
import time
import zipfile
from typing import Any

from mirror.adapters.lab import plan
from tests.web.journey.world import DIRECTORY, MODULE, Journey

BULK_MIB = 64
RETURN_S = 120.0
# What stands in the page for a moment only is remembered there, not hoped to be caught.
REMEMBER = """() => {
    window.remembered = [];
    const note = () => {
        const sentence = document.querySelector(".safety")?.innerText;
        if (sentence && window.remembered.at(-1) !== sentence) window.remembered.push(sentence);
    };
    new MutationObserver(note).observe(document.body, {
        subtree: true, childList: true, characterData: true,
    });
}"""


def lose_power(journey: Journey) -> None:
    """The node that runs the application and serves the page dies: it goes on with the other."""
    page = journey.pages["n1"]
    # A ticket of the other node is at hand a moment after the page was opened.
    with page.expect_response(lambda one: one.url.endswith("/nodes/n2/tickets")):
        page.reload()
    journey.expect_safety(page, "Both nodes hold everything")
    journey.write("n1", "page.txt", "written before the power went")
    read_wholly(journey, page)
    journey.look(page, "prim-second")
    journey.lab.power_off("n1")
    began = time.monotonic()
    page.locator(".spoken", has_text="n1 does not answer").wait_for()
    journey.measured["said that its node is gone, s"] = time.monotonic() - began
    page.wait_for_url(re.compile(re.escape(journey.url("n2"))))
    journey.expect(page.locator(".spoken")).to_contain_text("You went on with n2")
    journey.expect_card(page, "n2", "ALONE")
    journey.measured["takeover seen on the other node, s"] = time.monotonic() - began
    journey.expect(journey.card(page, "n1").locator(".chip")).to_contain_text("No answer")
    journey.expect_safety(page, "Only n2 holds the last")
    journey.await_states(n1="off", n2="ALONE")
    journey.await_served("written before the power went")
    read_wholly(journey, page)
    journey.look(page, "alone")


def read_wholly(journey: Journey, page: Any) -> None:
    """Each part of the page of a module has what it shows."""
    journey.expect(page.get_by_text("Reading…")).to_have_count(0)


def come_back(journey: Journey) -> None:
    """The dead node returns; the page shows how far it has come, then that all is well."""
    page = journey.pages["n1"]
    bulk = f"{DIRECTORY}/bulk"
    journey.inside("n2", "dd", "if=/dev/urandom", f"of={bulk}", "bs=1M", f"count={BULK_MIB}")
    page.evaluate(REMEMBER)
    journey.lab.boot("n1")
    journey.await_states(n1="SECOND", n2="PRIM", timeout_s=RETURN_S)
    journey.expect_safety(page, "Both nodes hold everything")
    remembered = page.evaluate("window.remembered")
    assert any("n1 is catching up" in sentence for sentence in remembered), remembered
    assert any(re.search(r"\d %", sentence) for sentence in remembered), remembered
    sums = {journey.inside("n2", "sha256sum", bulk)}
    sums.add(journey.inside("n1", "sha256sum", bulk))
    assert len(sums) == 1
    journey.look(page, "back")


def swap(journey: Journey) -> None:
    page = journey.pages["n1"]
    journey.act(page, "n2", "Swap")
    journey.measured["a change of state is in the page after, s"] = shown_after(journey, page)
    journey.await_states(n1="PRIM", n2="SECOND")
    journey.expect_card(page, "n1", "PRIM")
    journey.expect_card(page, "n2", "SECOND")
    journey.await_served("written before the power went")


def shown_after(journey: Journey, page: Any) -> float:
    """Seconds from the moment n1 says PRIM on its own socket until its card does."""
    chip = journey.card(page, "n1").locator(".chip")
    said_at = shown_at = 0.0
    deadline = time.monotonic() + RETURN_S
    while not (said_at and shown_at):
        assert time.monotonic() < deadline, (said_at, shown_at)
        if not said_at and journey.states()["n1"].startswith("PRIM"):
            said_at = time.monotonic()
        if not shown_at and "PRIM" in chip.inner_text():
            shown_at = time.monotonic()
    return shown_at - said_at


def stop_prim(journey: Journey) -> None:
    """Stop on PRIM from its menu: the other is ALONE, the service answers at its address."""
    page = journey.pages["n1"]
    journey.card(page, "n1").get_by_role("button", name="Stop", exact=True).click()
    dialog = page.get_by_role("dialog")
    journey.expect(dialog).to_contain_text("n2")
    journey.look(page, "stop-asks")
    journey.confirm(page, "Stop")
    journey.await_states(n1="STOP (NotReady)", n2="ALONE")
    journey.expect_card(page, "n2", "ALONE")
    journey.expect_card(page, "n1", "STOP", "Not ready")
    journey.await_served("written before the power went")
    journey.until(lambda: "stop" in journey.log_of("n1").lower(), "stop in the log of n1")
    journey.until(lambda: "ALONE" in journey.log_of("n2"), "ALONE in the log of n2")
    journey.turn_to(page, f"m/{MODULE}/log")
    log = page.locator(".log")
    journey.expect(log).to_contain_text("Local state ALONE Ready")
    journey.expect(log).to_contain_text("Local state STOP NotReady")
    journey.expect(log).to_contain_text(re.compile("Action stop called by"))
    journey.look(page, "log")
    page.get_by_label("Search").fill("ALONE Ready")
    journey.expect(page.locator(".log-line").filter(has_text="STOP NotReady")).to_have_count(0)


def snapshot_for_support(journey: Journey) -> None:
    """One of each node in one file, with the log of each."""
    page = journey.pages["n1"]
    with page.expect_download() as saved:
        page.get_by_role("button", name="Both in one").click()
    with zipfile.ZipFile(saved.value.path()) as whole:
        assert whole.namelist() == [f"snapshot_{host}_{MODULE}.zip" for host in ("n2", "n1")]
        for name in whole.namelist():
            with zipfile.ZipFile(io.BytesIO(whole.read(name))) as one:
                assert "log.json" in one.namelist()


def come_back_after_stop(journey: Journey) -> None:
    """The page's own suggestion starts the stopped node again."""
    page = journey.pages["n1"]
    journey.turn_to(page, f"m/{MODULE}")
    page.get_by_role("region", name="State of the module").get_by_role(
        "button", name="Start n1"
    ).click()
    journey.confirm(page, "Start")
    journey.await_states(n1="SECOND", n2="PRIM")
    journey.expect_safety(page, "Both nodes hold everything")


def read_live(journey: Journey) -> None:
    """What both nodes log is in the page as it comes, also after a module was configured anew."""
    page = journey.pages["n1"]
    journey.turn_to(page, f"m/{MODULE}/log")
    log = page.locator(".log")
    journey.expect(log).to_contain_text("Local state PRIM Ready")
    for host in plan.NODES:
        journey.inside(host, "mirror", "printi", "-m", MODULE, f"said on {host}")
        journey.expect(log.locator(".log-line", has_text=f"said on {host}")).to_have_count(1)
    journey.turn_to(page, f"m/{MODULE}")

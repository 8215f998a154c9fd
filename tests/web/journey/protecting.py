"""The module wizard in SafeKit's steps, applied on both nodes, and the first start."""

import itertools
import zipfile
from pathlib import Path
from typing import Any

from tests.web.journey.world import ADDRESS, DIRECTORY, MODULE, PASSWORD, PORT, Journey

START = f"""#!/bin/sh
# Serves the replicated directory; returns when it does.
cd {DIRECTORY} || exit 1
setsid /usr/bin/python3 -m http.server {PORT} </dev/null >>/tmp/shop.log 2>&1 &
echo $! >/run/shop.pid
"""
STOP = """#!/bin/sh
[ -e /run/shop.pid ] && kill "$(cat /run/shop.pid)"
rm -f /run/shop.pid
"""
BANDWIDTH = "8M"
PATIENCE = ' timeout="3s"'  # a machine at work must not look like a dead one
PAGES_MAX = 12  # of the editor
APPLIED = f"/opt/mirror/private/modules/{MODULE}"


def give_data(journey: Journey) -> None:
    """What was there before there were two servers: the good data on n1, old ones on n2."""
    journey.write("n1", "page.txt", "the shop")
    journey.write("n2", "page.txt", "the shop of last year")
    journey.write("n2", "old.txt", "forgotten")


def choose_module(journey: Journey) -> None:
    page = journey.go("n1", "modules")
    journey.expect(page.get_by_text("Protect a first application")).to_be_visible()
    journey.look(page, "no-module")
    page.get_by_role("link", name="Any application").click()
    journey.expect(page.get_by_label("mirror.safe")).to_be_checked()
    name = page.get_by_label("Name of the module")
    validate = page.get_by_role("button", name="Validate")
    for wrong in ("", "web shop", "lastconfig"):
        name.fill(wrong)
        validate.click()
        journey.expect(page.locator(".field-error").first).to_be_visible()
    journey.look(page, "wizard-module")
    name.fill(MODULE)
    validate.click()
    journey.expect(page.get_by_role("heading", name="On which nodes?")).to_be_visible()
    journey.look(page, "wizard-nodes")
    validate.click()


def session_ends(journey: Journey, page: Any) -> None:
    """The page stays behind the door, and nothing that was typed is lost."""
    page.context.clear_cookies()
    page.get_by_role("button", name="Browse").click()
    again = page.get_by_role("dialog", name="Sign in again")
    journey.expect(again.get_by_label("User")).to_have_value("admin")
    journey.look(page, "sign-in-again")
    again.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    journey.expect(again).to_have_count(0)
    page.keyboard.press("Escape")


def choose_data(journey: Journey) -> None:
    """A directory that is not there and an address in use are told at their fields."""
    page = journey.pages["n1"]
    validate = page.get_by_role("button", name="Validate")
    directory, address = page.get_by_label("Directory 1"), page.get_by_label("Virtual address")
    validate.click()
    journey.expect(page.locator(".field-error").first).to_contain_text("Choose a directory")
    journey.expect(directory).to_be_focused()
    directory.fill("/srv/nowhere")
    session_ends(journey, page)
    journey.expect(directory).to_have_value("/srv/nowhere")
    journey.expect(page.locator(".field-error").first).to_contain_text("does not exist on n1, n2")
    page.get_by_role("button", name="Add a directory").click()
    within = page.get_by_label("Directory 2")
    within.fill("/srv/nowhere/else")
    validate.click()
    journey.expect(page.locator(".field-error").nth(1)).to_contain_text("lies in /srv/nowhere")
    journey.expect(within).to_have_value("/srv/nowhere/else")
    page.get_by_role("button", name="Remove /srv/nowhere/else").click()
    address.fill("10.77.1.10")
    journey.expect(page.locator(".field-error").last).to_contain_text("answers at this address")
    journey.look(page, "wizard-data-wrong")
    validate.click()
    journey.expect(page.get_by_role("heading", name="What must never be lost?")).to_be_visible()
    page.get_by_role("button", name="Browse").click()
    browser = page.get_by_role("dialog")
    browser.get_by_role("button", name="One up").click()
    journey.expect(browser.get_by_role("button", name="mirror", exact=True)).to_be_visible()
    journey.look(page, "browse")
    browser.get_by_role("button", name="mirror", exact=True).click()
    browser.get_by_role("button", name=f"Choose {DIRECTORY}").click()
    journey.expect(directory).to_have_value(DIRECTORY)
    address.fill(ADDRESS)
    journey.expect(page.get_by_text(f"{ADDRESS} is free")).to_be_visible()
    journey.expect(page.locator(".on-nodes li")).to_have_count(2)
    journey.look(page, "wizard-data")
    validate.click()


def write_scripts(journey: Journey) -> None:
    page = journey.pages["n1"]
    journey.expect(page.get_by_role("heading", name="What must run?")).to_be_visible()
    validate = page.get_by_role("button", name="Validate")
    for label, wrong, said in (
        ("Services of systemd", "web;", "web; is no name of a service"),
        ("Processes that must run", "/usr/bin/python3", "without its directory"),
        ("Processes that must run", "a-name-without-end", "too long"),
    ):
        field = page.get_by_label(label)
        field.fill(wrong)
        validate.click()
        journey.expect(page.locator(".field.wrong .field-error")).to_contain_text(said)
        journey.expect(field).to_be_focused()
        field.fill("")
    validate.click()
    journey.expect(page.get_by_text("Nothing would be started")).to_be_visible()
    page.get_by_role("button", name="Scripts and checkers").click()
    page.get_by_text("Scripts of your own").click()
    for name, content in (("start_prim", START), ("stop_prim", STOP)):
        retype(page, page.get_by_role("textbox", name=name, exact=True), content)
    journey.look(page, "wizard-scripts")
    page.get_by_role("button", name="Validate").click()


def retype(page: Any, editor: Any, content: str) -> None:
    """Replace what stands in an editor, as by pasting."""
    editor.click()
    page.keyboard.press("Control+A")
    page.keyboard.insert_text(content)


def configure(journey: Journey) -> None:
    """A mistake in the text is told with its line; then both nodes are configured."""
    page = journey.pages["n1"]
    journey.expect(page.get_by_role("heading", name="Configure on both nodes")).to_be_visible()
    page.get_by_text("userconfig.xml, as it will be applied").click()
    page.get_by_role("textbox", name="userconfig.xml").click()
    page.keyboard.press("Control+End")
    page.keyboard.type("<oops")
    journey.expect(page.locator(".notes .error").first).to_contain_text("Line")
    apply = page.get_by_role("button", name="Configure", exact=True)
    journey.expect(apply).to_be_disabled()
    journey.look(page, "wizard-xml-wrong")
    for _ in "<oops":
        page.keyboard.press("Backspace")
    journey.expect(apply).to_be_enabled()
    apply.click()
    journey.expect(page.locator(".results .notice.good")).to_have_count(2)
    journey.look(page, "wizard-done")
    for host in ("n1", "n2"):
        assert START in journey.inside(host, "cat", f"{APPLIED}/bin/start_prim")
        xml = journey.inside(host, "cat", f"{APPLIED}/conf/userconfig.xml")
        assert f'value="{ADDRESS}"' in xml


def stop_first(journey: Journey) -> None:
    """A module that was started meanwhile is not configured before it is stopped, from here."""
    page = journey.pages["n1"]
    apply = page.get_by_role("button", name="Configure", exact=True)
    journey.inside("n2", "mirror", "start", "-m", MODULE)
    journey.expect(page.get_by_text("The module runs (n2 WAIT).")).to_be_visible()
    journey.expect(apply).to_be_disabled()
    journey.look(page, "wizard-stop-first")
    page.get_by_role("button", name="Stop on both nodes").click()
    journey.confirm(page, "Stop")
    journey.await_states(n1="STOP (NotReady)", n2="STOP (NotReady)")
    journey.expect(apply).to_be_enabled()
    apply.click()
    journey.expect(page.locator(".results .notice.good")).to_have_count(2)
    page.get_by_role("button", name="Next: first start").click()


def limit_the_copies(journey: Journey) -> None:
    """Form and text side by side: each shows what the other one changes; applied on both nodes.

    policy="ask", so that after a split brain a person chooses (parting.py). The bound on
    reintegration also makes it slow enough to be watched.
    """
    page = journey.go("n1", f"m/{MODULE}/config")
    page.get_by_role("textbox", name="userconfig.xml").click()
    heart = type_into_line(journey, page, '<heart profile="fast"', PATIENCE)
    journey.expect(heart).to_contain_text(PATIENCE)
    line = type_into_line(journey, page, '<rfs barrier="write"', ' nbri="6"')
    note = page.locator(".notes .error").first
    journey.expect(note).to_contain_text("Line")
    journey.expect(note).to_contain_text("nbrei")
    journey.look(page, "config-wrong")
    for _ in ' nbri="6"':
        page.keyboard.press("Backspace")
    page.get_by_label("Limit of reintegration").fill(BANDWIDTH)
    journey.expect(line).to_contain_text(f'reiallowedbw="{BANDWIDTH}"')
    page.get_by_label("After a split brain").select_option("ask")
    page.get_by_label("Start at boot").select_option("on")
    journey.expect(line).to_contain_text('policy="ask"')
    page.get_by_role("button", name="Save and check").click()
    journey.expect(page.locator(".results .notice.good")).to_have_count(2)
    page.get_by_role("button", name="Compare with what is in force").click()
    for changed in ("reiallowedbw", "policy", 'boot="on"'):
        journey.expect(page.locator(".diff .add", has_text=changed)).to_have_count(1)
    journey.look(page, "config-diff")
    page.get_by_role("button", name="Back to editing").click()
    page.get_by_role("button", name="Save and apply on both nodes").click()
    journey.expect(page.get_by_text("in force", exact=True)).to_be_visible()
    journey.look(page, "config")
    for host in ("n1", "n2"):
        xml = journey.inside(host, "cat", f"{APPLIED}/conf/userconfig.xml")
        assert all(one in xml for one in ('policy="ask"', 'boot="on"', f'"{BANDWIDTH}"'))


def type_into_line(journey: Journey, page: Any, tag: str, text: str) -> Any:
    """Add to an element of the text, before the sign that closes it. Returns: its line."""
    line = page.locator(".cm-line", has_text=tag)
    keys = itertools.cycle(("Control+Home", *("PageDown",) * PAGES_MAX))

    def is_drawn() -> bool:
        if not line.count():  # an editor draws only what is near, and that a frame later
            page.keyboard.press(next(keys))
            page.evaluate("new Promise(requestAnimationFrame)")
        return bool(line.count())

    journey.until(is_drawn, tag)
    line.click()
    page.keyboard.press("End")
    page.keyboard.press("ArrowLeft")
    page.keyboard.type(text)
    return line


def keep_and_go_back(journey: Journey) -> None:
    """The module as a file; the configuration of before comes back; the file brings this one."""
    page = journey.pages["n1"]
    with page.expect_download() as saved:
        page.get_by_role("button", name="Download").click()
    file = Path(saved.value.path())
    with zipfile.ZipFile(file) as package:
        names = [name for name in package.namelist() if name.endswith("userconfig.xml")]
        assert 'policy="ask"' in package.read(names[0]).decode()
    page.get_by_role("button", name="Take back into the editor").first.click()
    journey.expect(page.get_by_text("differs from what is in force")).to_be_visible()
    journey.expect(page.get_by_label("After a split brain")).to_have_value("keep-prim")
    page.get_by_label("Upload").set_input_files(
        {"name": f"{MODULE}.safe", "mimeType": "application/zip", "buffer": file.read_bytes()}
    )
    journey.expect(page.get_by_label("After a split brain")).to_have_value("ask")
    journey.expect(page.get_by_text("in force", exact=True)).to_be_visible()


def first_start(journey: Journey) -> None:
    """The facts of both are shown, what would be replaced is counted, SECOND turns green."""
    page = journey.go("n1", f"m/{MODULE}/first")
    journey.expect(page.locator(".side").nth(1)).to_contain_text("old.txt")
    page.get_by_label("The data of n1 are right").check()
    journey.expect(page.get_by_text("n2 has files that would be replaced")).to_be_visible()
    journey.look(page, "first-start")
    choice = page.get_by_role("region", name="Which node has the good data?")
    choice.get_by_role("button", name="Start n1").click()
    journey.confirm(page, "Force start as primary")
    journey.await_states(n1="ALONE", n2="STOP (NotReady)")
    journey.await_served("the shop")
    choice.get_by_role("button", name="Start n2").click()
    journey.confirm(page, "Force start as secondary")
    journey.expect(page.get_by_text("Done. Both nodes hold everything.")).to_be_visible()
    journey.look(page, "first-start-done")
    journey.await_states(n1="PRIM", n2="SECOND")
    page = journey.go("n1", f"m/{MODULE}")
    journey.expect_safety(page, "Both nodes hold everything. Either one may be lost.")
    journey.expect_card(page, "n1", "PRIM")
    journey.expect_card(page, "n2", "SECOND")
    journey.expect(page.locator(".link-word")).to_contain_text("live")

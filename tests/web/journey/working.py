"""Work on a module that runs: a script is edited and applied on both nodes."""

from mirror.adapters.lab import status
from mirror.adapters.local_client import LocalClient
from tests.web.journey.protecting import START
from tests.web.journey.world import MODULE, PASSWORD, START_S, Journey

# As the menu calls it: its name on the node.
SWITCHES = {"checkers": "checker", "the process checker": "errd", "failover rules": "failover"}
MESSAGE = "opening the shop"
LINE = f'"$SAFE/safekit" printi "{MESSAGE}"'


def edit_a_script(journey: Journey) -> None:
    """The module is stopped on both nodes, the script edited, applied, and started again."""
    page = journey.pages["n1"]
    journey.turn_to(page, f"m/{MODULE}/files")
    editor = page.get_by_role("textbox", name="bin/start_prim")
    journey.expect(editor).to_contain_text("Serves the replicated directory")
    apply = page.get_by_role("button", name="Apply on both nodes")
    journey.expect(apply).to_be_disabled()
    page.get_by_role("button", name="Stop on both nodes").click()
    journey.confirm(page, "Stop")
    journey.await_states(n1="STOP (NotReady)", n2="STOP (NotReady)")
    editor.click()
    page.keyboard.press("Control+End")
    page.keyboard.insert_text(LINE + "\n")
    page.get_by_role("button", name="Save", exact=True).click()
    journey.expect(page.get_by_text("bin/start_prim is saved")).to_be_visible()
    journey.look(page, "files")
    apply.click()
    journey.expect(page.locator(".results .notice.good")).to_have_count(2)
    for host in ("n1", "n2"):
        applied = f"/opt/mirror/private/modules/{MODULE}/bin/start_prim"
        assert journey.inside(host, "cat", applied) == f"{START}{LINE}\n"
    journey.turn_to(page, f"m/{MODULE}")
    page.get_by_role("button", name="Start both").click()
    journey.confirm(page, "Start")
    journey.expect_safety(page, "Both nodes hold everything")
    serving = journey.await_pair()
    journey.until(lambda: MESSAGE in journey.log_of(serving), f"{MESSAGE!r} in the log")
    journey.turn_to(page, f"m/{MODULE}/log")
    journey.expect(page.locator(".log")).to_contain_text(MESSAGE)


def switch_checkers(journey: Journey) -> None:
    """Each switch off and on again from the menu of a node: that node is told, and no other."""
    page = journey.pages["n1"]
    journey.turn_to(page, f"m/{MODULE}")
    for what, switch in SWITCHES.items():
        for word in ("off", "on"):
            journey.act(page, "n1", f"Switch {what} {word}")
            journey.until(lambda: switched(journey, "n1", switch) == word, f"{switch} {word}")  # noqa: B023 - called at once
            assert switched(journey, "n2", switch) != "off"
    journey.expect_safety(page, "Both nodes hold everything")
    journey.await_pair()


def switched(journey: Journey, host: str, switch: str) -> str:
    """How a switch stands, by the node's own resources."""
    layout = status.layout_of(journey.lab.pid(host))
    with LocalClient(layout.control_socket, timeout_s=START_S) as client:
        resources = client.call("resources", module=MODULE)["resources"]
    return str(resources.get(f"usersetting.{switch}", {}).get("value", ""))


def limit_access(journey: Journey) -> None:
    """Another person, who may only look: every action is there, and his role forbids it."""
    page = journey.pages["n1"]
    journey.turn_to(page, "people")
    page.get_by_role("button", name="Add a user").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("User").fill("erika")
    dialog.get_by_label("Password").fill("short")
    dialog.get_by_role("button", name="Add a user").click()
    journey.expect(dialog.locator(".field-error, .notice.bad").first).to_be_visible()
    dialog.get_by_label("Password").fill(PASSWORD)
    dialog.get_by_role("button", name="Add a user").click()
    journey.expect(page.get_by_role("row", name="erika")).to_be_visible()
    journey.look(page, "people")
    journey.turn_to(page, "audit")
    journey.expect(page.locator("table.audit")).to_contain_text("put the configuration in force")
    journey.look(page, "audit")
    other = journey.browsing.page()
    other.goto(page.url.split("#")[0] + f"#/m/{MODULE}")
    other.get_by_label("User", exact=True).fill("erika")
    other.get_by_label("Password", exact=True).fill(PASSWORD)
    other.keyboard.press("Enter")
    journey.expect_safety(other, "Both nodes hold everything")
    stop = journey.card(other, "n1").get_by_role("button", name="Stop", exact=True)
    journey.expect(stop).to_be_disabled()
    other.context.close()

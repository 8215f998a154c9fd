"""Two nodes that do not hear each other: both serve, and a person decides whose data stay."""

import json
import time
from typing import Any

from mirror.adapters.lab import plan
from tests.web.journey.world import DIRECTORY, MODULE, Journey

TAKEOVER_S = 120.0
KEPT, GIVEN_UP = "n2", "n1"
LARGE_BYTES = 200_000
STOOD_STILL = "This host stood still"
DISTURBED = (STOOD_STILL, "Local state")
RECENT_US = 5_000_000
"""Before the cut: a secondary is sure of its primary again a timeout (1 s) after it woke."""


def part(journey: Journey) -> None:
    """Nothing passes in either direction; each node goes on alone, and its page says so."""
    for host in plan.NODES:
        journey.pages[host].context.close()
        journey.enter(host, f"m/{MODULE}")
    while not both_serve(journey):
        for host in plan.NODES:
            journey.lab.heal(host)
    for host in plan.NODES:
        page = journey.pages[host]
        journey.expect_card(page, host, "ALONE")
        journey.expect_safety(page, f"Only {host} holds")
    for host in plan.NODES:
        journey.write(host, "page.txt", f"as {host} went on")
        journey.write(host, f"only-{host}.txt", f"known to {host} alone")
    journey.inside(GIVEN_UP, "sh", "-c", f"head -c {LARGE_BYTES} /dev/zero > {DIRECTORY}/large")
    for host in plan.NODES:
        journey.inside(host, "sync", DIRECTORY)
    journey.look(journey.pages[GIVEN_UP], "parted")


def both_serve(journey: Journey) -> bool:
    """Cut every network. Returns: whether both go on; false: the pair was not in step just before.

    On a loaded machine a host may be kept from running for a whole timeout at that moment. Its
    secondary then waits for a person (tests/unit/core/test_stood_still.py), or was on its way back
    from a primary that went on without it. The logs say so, and the cut is made once more.
    """
    serving = journey.await_pair()
    secondary = next(host for host in plan.NODES if host != serving)
    since_us = time.time_ns() // 1000 - RECENT_US
    for host in plan.NODES:
        for direction in ("in", "out"):
            journey.lab.cut(host, direction=direction)
    cut_us = time.time_ns() // 1000
    alone = dict.fromkeys(plan.NODES, "ALONE")
    ends = (alone, alone | {secondary: "WAIT (NotReady)"})

    def end() -> dict[str, str] | None:
        seen = journey.states()
        return seen if seen in ends else None

    if journey.until(end, "both to serve", timeout_s=TAKEOVER_S) == alone:
        return True
    lines = [line for host in plan.NODES for line in json.loads(journey.log_of(host))["entries"]]
    disturbed = any(
        since_us < line["time_us"]
        and line["text"].startswith(STOOD_STILL if line["time_us"] > cut_us else DISTURBED)
        for line in lines
    )
    assert disturbed, "it waits without a reason"
    return False


def meet_again(journey: Journey) -> None:
    """Both stop and wait; the page shows what each changed alone: files, sizes, times."""
    for host in plan.NODES:
        journey.lab.heal(host)
    journey.await_states(n1="WAIT (NotReady)", n2="WAIT (NotReady)")
    assert journey.served() == "", "nobody serves until somebody chose"
    page = journey.pages[GIVEN_UP]
    journey.expect_safety(page, "The nodes have disagreed since")
    journey.expect_safety(page, "Nothing was thrown away. Choose.")
    page.locator(".todo-button").get_by_text("Compare and choose").click()
    for host, other in (("n1", "n2"), ("n2", "n1")):
        files = page.get_by_role("region", name=f"Files changed on {host}")
        journey.expect(files.get_by_role("row", name=f"only-{host}.txt")).to_be_visible()
        journey.expect(files.get_by_role("row", name=f"only-{other}.txt")).to_have_count(0)
        row = files.get_by_role("row", name="page.txt")
        journey.expect(row).to_contain_text("on both sides")
        journey.expect(row).to_contain_text(str(len(f"as {host} went on\n")))
    large = page.get_by_role("region", name=f"Files changed on {GIVEN_UP}")
    journey.expect(large.get_by_role("row", name="large")).to_contain_text("195 KiB")
    journey.expect(page.get_by_role("button", name="Keep one side")).to_be_disabled()
    journey.look(page, "split-brain")


def choose(journey: Journey) -> None:
    """One side stays; what the other one wrote is kept aside, and listed on both hosts."""
    page = journey.pages[GIVEN_UP]
    page.get_by_label(f"Side of {KEPT}").check()
    journey.expect(page.get_by_text(f"{KEPT} stays as it is, and serves.")).to_be_visible()
    page.get_by_role("button", name=f"Keep the side of {KEPT}").click()
    dialog = page.get_by_role("dialog")
    keep = dialog.get_by_role("button", name=f"Keep the side of {KEPT}")
    journey.expect(keep).to_be_disabled()
    dialog.get_by_label(f"Type {MODULE} to go on").fill(MODULE)
    journey.look(page, "split-brain-asks")
    keep.click()
    journey.expect(dialog).to_have_count(0)
    journey.await_states(n1="SECOND", n2="PRIM")
    journey.expect_safety(page, "Both nodes hold everything")
    journey.await_served(f"as {KEPT} went on")
    # On the other node lies what the first start replaced there.
    kept = {one["path"]: one["size_bytes"] for one in listed(journey) if one["node"] == GIVEN_UP}
    assert kept == {
        "page.txt": len(f"as {GIVEN_UP} went on\n"),
        f"only-{GIVEN_UP}.txt": len(f"known to {GIVEN_UP} alone\n"),
        "large": LARGE_BYTES,
    }
    aside = page.get_by_role("region", name="Kept aside")
    for path in kept:
        row = aside.get_by_role("row", name=path).filter(has_text=f"on {GIVEN_UP}")
        journey.expect(row).to_be_visible()
    journey.look(page, "kept-aside")


def restore(journey: Journey) -> None:
    """A version comes back through the mount: the client sees it, from either host."""
    page = journey.pages[GIVEN_UP]
    aside = page.get_by_role("region", name="Kept aside")
    version = aside.get_by_role("row", name="page.txt").filter(has_text=f"on {GIVEN_UP}")
    version.get_by_role("button", name="Restore").click()
    journey.expect(page.get_by_text("Restored. What stood there is kept aside")).to_be_visible()
    journey.await_served(f"as {GIVEN_UP} went on")
    over = [one for one in listed(journey) if one["what"] == "restored over"]
    assert [(one["node"], one["path"]) for one in over] == [(KEPT, "page.txt")]
    journey.turn_to(page, f"m/{MODULE}")
    journey.act(page, KEPT, "Swap")
    journey.await_states(n1="PRIM", n2="SECOND")
    journey.await_served(f"as {GIVEN_UP} went on")


def listed(journey: Journey) -> list[dict[str, Any]]:
    """What is kept aside, as the host that serves says."""
    said = journey.inside(KEPT, "mirror", "kept", "-m", MODULE, "--json")
    found: list[dict[str, Any]] = json.loads(said)["files"]
    return found

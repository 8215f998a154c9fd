"""From two bare nodes to a cluster: first passwords, own address, new node, the token."""

import re
import subprocess

from tests.web.journey.world import PASSWORD, START_S, Journey


def first_passwords(journey: Journey) -> None:
    """By the link that each node printed; what is wrong is told at its field."""
    # That of n1 is the newer one: it stays when both nodes have the same users.
    for host in ("n2", "n1"):
        page = journey.open(host)
        page.goto(journey.first_link(host))
        button = page.get_by_role("button", name="Set password and sign in")
        if host == "n1":
            page.get_by_label("New password").fill("short")
            button.click()
            journey.expect(page.get_by_role("alert").first).to_contain_text("at least")
            page.get_by_label("New password").fill(PASSWORD)
            page.get_by_label("Again").fill(PASSWORD + "!")
            button.click()
            journey.expect(page.get_by_role("alert").first).to_contain_text("not the same")
            journey.look(page, "first-password")
        page.get_by_label("New password").fill(PASSWORD)
        page.get_by_label("Again").fill(PASSWORD)
        button.click()
        journey.expect(page.get_by_text("No cluster yet")).to_be_visible()


def sign_in(journey: Journey) -> None:
    """Somebody new at the door; with a wrong password first: a sentence, and the name stays."""
    journey.pages["n1"].context.close()
    page = journey.open("n1")
    page.goto(journey.url("n1"))
    page.get_by_label("User", exact=True).fill("admin")
    page.get_by_label("Password", exact=True).fill("not this one")
    page.keyboard.press("Enter")
    journey.expect(page.get_by_role("alert").first).to_contain_text("MIR-803")
    assert page.get_by_label("User", exact=True).input_value() == "admin"
    journey.look(page, "door")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.keyboard.press("Enter")
    journey.expect(page.locator(".top nav")).to_be_visible()


def begin_cluster(journey: Journey) -> None:
    """The first node confirms its own addresses."""
    page = journey.pages["n1"]
    journey.look(page, "no-cluster")
    page.get_by_role("link", name="Set up the cluster").click()
    journey.expect(page.get_by_label("10.77.1.1", exact=False).first).to_be_checked()
    journey.look(page, "begin")
    name = page.get_by_label("Name of this node")
    name.fill("n 1")
    page.get_by_role("button", name="Confirm").click()
    journey.expect(page.locator(".field-error").first).to_contain_text("Letters, digits")
    name.fill("n1")
    page.get_by_role("button", name="Confirm").click()
    journey.expect(page.get_by_text("This cluster has one node")).to_be_visible()


def add_the_other(journey: Journey) -> None:
    """New node: a wrong address is told at its cell; a red mark until it is saved."""
    page = journey.pages["n1"]
    page.get_by_label("Name of the other node").fill("n2")
    page.get_by_label("Its address in default").fill("10.77.1.2")
    page.get_by_label("Its address in lan2").fill("10.77.2.2 x")
    page.get_by_role("button", name="New node").click()
    journey.expect(page.locator(".mark.unsaved")).to_be_visible()
    cell = page.get_by_label("Address of n2 in lan2")
    journey.expect(cell).to_have_attribute("aria-invalid", "true")
    save = page.get_by_role("button", name="Save", exact=True)
    journey.expect(save).to_be_disabled()
    note = page.locator(".notes .error")
    journey.expect(note).to_contain_text("n2, lan2:")
    journey.expect(note).to_contain_text('"10.77.2.2 x" is not allowed here. Give an IPv4 address')
    journey.look(page, "new-node")
    cell.fill("10.77.2.2")
    journey.expect(cell).to_have_attribute("aria-invalid", "false")
    save.click()
    journey.expect(page.locator(".mark.unsaved")).to_have_count(0)
    journey.expect(page.get_by_role("button", name="Make a token")).to_be_visible()


def join(journey: Journey) -> None:
    """With a token of n1, the only command line of the journey."""
    words = ["mirror", "cluster", "token", "n2"]
    token_command = journey.lab.popen("n1", words, stdout=subprocess.PIPE, text=True)
    assert token_command.stdout is not None
    token = token_command.stdout.readline().split()[-1]
    page = journey.go("n2", "cluster")
    field = page.get_by_label("Token")
    button = page.get_by_role("button", name="Join", exact=True)
    field.fill("banana")
    journey.expect(page.get_by_text("not a whole token")).to_be_visible()
    button.click()
    journey.expect(page.get_by_role("alert").first).to_contain_text("MIR-115")
    field.fill(token[:-2] + ("AA" if not token.endswith("AA") else "BB"))
    button.click()
    journey.expect(page.get_by_role("alert").first).to_contain_text(re.compile(r"MIR-\d+"))
    field.fill(token)
    journey.expect(page.get_by_text("This token leads to 10.77.1.1")).to_be_visible()
    button.click()
    journey.expect(page.get_by_role("row", name=re.compile("n2.*this node"))).to_be_visible()
    assert token_command.wait(START_S) == 0, token_command.stdout.read()
    token_command.stdout.close()
    assert '"n2"' in journey.inside("n2", "mirror", "cluster", "confinfo", "--json")
    journey.until(lambda: have_one_configuration(journey), "one configuration on both")


def have_one_configuration(journey: Journey) -> bool:
    told = [journey.inside(host, "mirror", "cluster", "confinfo") for host in ("n1", "n2")]
    return len({one.split(",")[0] for one in told}) == 1


def remove_and_take_back(journey: Journey) -> None:
    """n2 is removed, and comes back by the other way round: with a token that it made itself."""
    page = journey.pages["n1"]
    page.get_by_role("button", name="Remove node n2").click()
    journey.expect(page.get_by_text("n2 leaves the cluster when you save")).to_be_visible()
    journey.look(page, "remove-node")
    locked_out(journey)
    page.get_by_role("button", name="Save", exact=True).click()
    journey.expect(page.get_by_text("This cluster has one node.").first).to_be_visible()
    journey.until(
        lambda: not journey.inside("n2", "mirror", "cluster", "confinfo", check=False),
        "n2 without cluster.xml",
    )
    add_the_other(journey)
    there = journey.go("n2", "cluster")
    there.get_by_text("Or make a token here").click()
    there.get_by_label("Where that node reaches this one").select_option("10.77.1.2")
    there.get_by_role("button", name="Make a token").click()
    token = there.locator("pre.token").inner_text().strip()
    journey.look(there, "token-of-new-node")
    there.get_by_label("Token", exact=True).first.fill(token)
    journey.expect(there.get_by_text("A new server made this token")).to_be_visible()
    taking = page.get_by_role("region", name="Let a node join")
    taking.get_by_label("Token").fill(token)
    journey.expect(taking.get_by_text("This token leads to 10.77.1.2")).to_be_visible()
    journey.look(page, "take-in")
    taking.get_by_role("button", name="Let n2 in").click()
    journey.expect(page.get_by_role("region", name="Let a node join")).to_have_count(0)
    journey.expect(page.get_by_role("row", name=re.compile("^n2 answers"))).to_be_visible()
    assert '"this_node": "n2"' in journey.inside("n2", "mirror", "cluster", "confinfo", "--json")


def locked_out(journey: Journey) -> None:
    """While one page changes the networks, the page of the other node may look only."""
    # The users of n2 give way to those of the cluster once it has joined: its sessions end.
    users = ("mirror", "console", "users", "--json")
    journey.until(
        lambda: journey.inside("n1", *users) == journey.inside("n2", *users), "the same users"
    )
    journey.pages["n2"].context.close()
    there = journey.enter("n2", "cluster")
    journey.expect(
        there.get_by_text("admin, at node n1, is changing the networks")
    ).to_be_visible()
    there.get_by_label("Name of network 2").fill("dmz")
    journey.expect(there.get_by_role("alert").filter(has_text="MIR-822")).to_be_visible()
    journey.expect(there.get_by_role("button", name="Save", exact=True)).to_be_disabled()
    there.get_by_role("button", name="Cancel").click()


def renew(journey: Journey) -> None:
    """A new certificate for the node that has no authority's key, signed on the other one."""
    page = journey.pages["n1"]
    key = "/var/lib/mirror/cluster/pki/node.crt"
    before = journey.inside("n2", "cat", key)
    page.get_by_role("button", name="Renew the certificate of n2").click()
    row = page.get_by_role("row", name=re.compile("^n2 answers"))
    journey.expect(row).to_contain_text("New, signed on n1.")
    assert journey.inside("n2", "cat", key) != before

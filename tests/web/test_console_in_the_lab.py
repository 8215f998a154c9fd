"""The console over real nodes: what the API says and does is what happens on the hosts."""

import json
import re
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from mirror.adapters.lab import module_setup, plan
from mirror.adapters.lab.client import Lab
from tests.lab.looking import SHIPPED, opened
from tests.lab.looking import await_states as await_module_states
from tests.shared import Shared
from tests.unit.web.world import Browser, events, until

pytestmark = [pytest.mark.lab, pytest.mark.slow]

MODULE = "mirror"
PASSWORD = "correct horse battery"
# Bounds of waiting, for a machine that is slow and at work.
START_S = 90.0
RETURN_S = 120.0
CLOCKS_MS_MAX = 2_000  # half of what the asking takes may look like a difference: ask again


@dataclass
class Consoles:
    """A lab whose module runs, and a browser at each of its consoles."""

    lab: Lab
    browsers: list[Browser] = field(default_factory=list)

    def url(self, host: str) -> str:
        return str(self.lab.facts()["consoles"][host])

    def browser(self, host: str, name: str = "admin", password: str = PASSWORD) -> Browser:
        """Somebody signed in at the console of a host, once it answers."""
        browser = Browser(httpx.Client(base_url=self.url(host), timeout=60))
        self.browsers.append(browser)
        deadline = time.monotonic() + START_S
        while True:
            try:
                if browser.sign_in(name, password).status_code == 200:
                    return browser
            except httpx.HTTPError:
                pass
            assert time.monotonic() < deadline, f"no console on {host}"

    def set_first_password(self, host: str) -> None:
        """As a person would: by the link that the node printed when it started."""
        deadline = time.monotonic() + START_S
        log = Path(self.lab.facts()["hosts"][host]["log"])
        while not (found := re.findall(r"/#/link/(\S+)", log.read_text())):
            assert time.monotonic() < deadline, log.read_text()[-2000:]
        answer = httpx.post(
            f"{self.url(host)}/api/v1/session/link",
            json={"link": found[-1], "password": PASSWORD},
            timeout=START_S,
        )
        assert answer.status_code == 200, answer.text

    def inside(self, host: str, *command: str) -> str:
        return str(self.lab.exec(host, list(command)).stdout)

    def close(self) -> None:
        for browser in self.browsers:
            browser.close()


@contextmanager
def open_pair(run_name: str) -> Iterator[Consoles]:
    """PRIM on n1, SECOND (Ready) on n2; the password was set on n1 alone."""
    with opened(f"{run_name}-web", SHIPPED) as lab, closing(Consoles(lab)) as consoles:
        consoles.set_first_password("n1")
        yield consoles


@pytest.fixture(scope="module")
def _pairs(run_name: str) -> Iterator[Shared[Consoles]]:
    shared = Shared(lambda: open_pair(run_name))
    yield shared
    shared.close()


@pytest.fixture
def pair(_pairs: Shared[Consoles], request: pytest.FixtureRequest) -> Iterator[Consoles]:
    """As it was opened, or as the test before left it."""
    with _pairs.lent_to(request.node) as consoles:
        yield consoles


def states(browser: Browser) -> dict[str, str]:
    """State of the module on both nodes, as one console says: PRIM, or PRIM (NotReady)."""
    found = {}
    for host in plan.NODES:
        answer = browser.get(f"/api/v1/nodes/{host}/modules/{MODULE}/state")
        said = answer.json()
        found[host] = (
            f"{said['state']} ({said['ready']})".removesuffix(" (Ready)")
            if answer.status_code == 200
            else "unknown"
        )
    return found


def await_states(browser: Browser, timeout_s: float, **wanted: str) -> None:
    deadline = time.monotonic() + timeout_s
    while (seen := states(browser)) != wanted:
        assert time.monotonic() < deadline, seen


def await_pair(browser: Browser) -> tuple[str, str]:
    """Wait until both are in step. Returns: the host that is PRIM, and the other one."""
    deadline = time.monotonic() + RETURN_S
    while set((seen := states(browser)).values()) != {"PRIM", "SECOND"}:
        assert time.monotonic() < deadline, seen
    prim, second = sorted(seen, key=lambda host: seen[host])
    return prim, second


def await_that(is_so: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + START_S
    while not is_so():
        assert time.monotonic() < deadline, what


def test_both_nodes_are_seen_and_the_data_are_safe(pair: Consoles) -> None:
    admin = pair.browser("n1")
    await_states(admin, RETURN_S, n1="PRIM", n2="SECOND")
    state = admin.json(f"/api/v1/modules/{MODULE}/state")
    assert state["safety"] == "Both nodes hold everything. Either one may be lost."
    assert (state["directories"], state["virtual_ips"]) == (
        [plan.REPLICATED_DIRECTORY],
        [plan.VIRTUAL_IP],
    )
    assert set(state["heartbeats"]) == {"default", "lan2"}
    await_that(lambda: is_one_cluster(admin.json("/api/v1/cluster")), "a cluster, one clock")


def is_one_cluster(seen: dict[str, Any]) -> bool:
    differences_ms = [one["clock_difference_ms"] for one in seen["nodes"] if one["reachable"]]
    near = [one is None or abs(one) < CLOCKS_MS_MAX for one in differences_ms]
    return near == [True, True] and differences_ms[1] is not None and seen["same_configuration"]


def test_the_password_set_on_one_node_is_good_on_the_other(pair: Consoles) -> None:
    assert pair.browser("n2").json("/api/v1/session")["role"] == "Admin"


def test_other_hosts_get_https_and_readiness_only(pair: Consoles) -> None:
    def ask(url: str, *more: str) -> list[str]:
        curl = ["curl", "-sk", "-o", "/dev/null", "-w", "%{http_code} %{redirect_url}", *more, url]
        return pair.inside("client", *curl).split()

    node = pair.lab.lab_plan.host("n1").address("lan1")
    assert ask(f"http://{node}:9010/modules") == ["308", f"https://{node}:9453/modules"]
    ready = f"http://{node}:9010/var/modules/{MODULE}/ready.txt"
    assert ask(ready) == ["404"], "it is not switched on"
    admin = pair.browser("n1")
    assert admin.put(f"/api/v1/modules/{MODULE}/settings", ready_probe=True).status_code == 200
    await_that(lambda: ask(ready) == ["200"], "ready.txt")
    assert ask(f"https://{node}:9453/") == ["200"]
    assert ask(f"https://{node}:9453/api/v1/state") == ["401"]
    forged = ("-H", "X-Mirror-Caller: Admin admin")
    assert ask(f"https://{node}:9453/api/v1/state", *forged) == ["401"]


def test_roles_are_exchanged_from_the_page_of_either_node(pair: Consoles) -> None:
    admin = pair.browser("n2")
    await_states(admin, RETURN_S, n1="PRIM", n2="SECOND")
    with events(admin) as found:
        until(found, "snapshot", node="n2")
        answer = admin.post(f"/api/v1/nodes/n1/modules/{MODULE}/commands", verb="swap")
        assert answer.status_code == 200, answer.text
        for _, name, data in found:
            if name == "state" and data["node"] == "n2" and data["state"]["state"] == "PRIM":
                break
    await_states(admin, RETURN_S, n1="SECOND", n2="PRIM")
    await_module_states(pair.lab, RETURN_S, n1="SECOND", n2="PRIM")
    addresses = pair.inside("n2", "ip", "-o", "address", "show")
    assert plan.VIRTUAL_IP in addresses, "the address went with the role"
    path = f"/api/v1/modules/{MODULE}/log"
    await_that(
        lambda: any(
            "Local state PRIM Ready" in line["text"]
            for line in admin.json(path, every=True, count=500)["entries"]
        ),
        "PRIM in the log",
    )


def test_the_loss_of_a_server_is_seen_and_its_return(pair: Consoles) -> None:
    admin = pair.browser("n2")
    prim, other = await_pair(admin)
    watcher = pair.browser(other)
    with events(watcher) as found:
        until(found, "snapshot", node=prim)
        pair.lab.power_off(prim)
        begun = time.monotonic()
        took_over = lost = 0.0
        for _, name, data in found:
            now = time.monotonic() - begun
            if name == "node" and data["node"] == prim and not data["reachable"]:
                lost = lost or now
            if name == "state" and data["node"] == other and data["state"]["state"] == "ALONE":
                took_over = took_over or now
            if took_over and lost:
                break
            assert now < RETURN_S
    unreachable = watcher.get(f"/api/v1/nodes/{prim}/state")
    assert (unreachable.status_code, unreachable.json()["code"]) == (502, "MIR-810")
    path = f"/api/v1/modules/{MODULE}/state"
    await_that(lambda: f"Only {other} holds" in watcher.json(path)["safety"], "only one holds")
    pair.lab.boot(prim)
    await_states(watcher, RETURN_S, **{other: "PRIM", prim: "SECOND"})


def test_stop_and_start_and_what_is_in_between(pair: Consoles) -> None:
    """As a person does to configure: stop the second, then the first; check, apply; start."""
    admin = pair.browser("n1")
    prim, second = await_pair(admin)
    for host in (second, prim):
        path = f"/api/v1/nodes/{host}/modules/{MODULE}/commands"
        assert admin.post(path, verb="stop").status_code == 200
        until_stopped = time.monotonic() + RETURN_S
        while states(admin)[host] != "STOP (NotReady)":
            assert time.monotonic() < until_stopped
        if host == second:
            refused = admin.post(path, verb="prim")
            assert (refused.status_code, refused.json()["code"]) == (409, "MIR-601")
            assert f"{prim} is primary" in refused.json()["detail"]
    xml = admin.json(f"/api/v1/modules/{MODULE}/config")
    changed = xml["xml"].replace("<service ", '<service maxloop="7" ', 1)
    if "maxloop=" in xml["xml"]:
        changed = re.sub(r'maxloop="\d+"', 'maxloop="7"', xml["xml"], count=1)
    saved = admin.put(f"/api/v1/modules/{MODULE}/config", xml=changed, etag=xml["etag"])
    assert saved.status_code == 200
    nodes = list(plan.NODES)
    applied = admin.post(f"/api/v1/modules/{MODULE}/config/apply", nodes=nodes).json()
    assert applied["done"] is True, applied
    for host in plan.NODES:
        text = pair.inside(
            host, "cat", f"{plan.SAFE}/private/modules/{MODULE}/conf/userconfig.xml"
        )
        assert 'maxloop="7"' in text
    for host in (prim, second):
        path = f"/api/v1/nodes/{host}/modules/{MODULE}/commands"
        assert admin.post(path, verb="start").status_code == 200
    await_states(admin, RETURN_S, **{prim: "PRIM", second: "SECOND"})


def test_a_dead_console_harms_nothing_and_comes_back(pair: Consoles) -> None:
    admin = pair.browser("n1")
    prim, second = await_pair(admin)
    pids = pair.inside("n1", "pgrep", "-f", "mirror[.]web").split()
    pair.lab.exec("n1", ["kill", "-9", *pids], check=False)  # one of them may have gone by itself
    await_module_states(pair.lab, START_S, **{prim: "PRIM", second: "SECOND"})
    again = pair.browser("n1")
    await_states(again, START_S, **{prim: "PRIM", second: "SECOND"})
    seen = pair.inside("n1", "mirror", "log", "-m", MODULE, "-s", "5")
    assert "STOP" not in seen


def test_what_support_asks_for(pair: Consoles) -> None:
    admin = pair.browser("n1")
    for host in plan.NODES:
        snapshot = admin.get(f"/api/v1/nodes/{host}/modules/{MODULE}/snapshot")
        assert (snapshot.status_code, snapshot.content[:2]) == (200, b"PK")
    findings = admin.json("/api/v1/nodes/n2/host/doctor")["findings"]
    assert [one for one in findings if one["level"] == "problem"] == []
    directory = admin.json("/api/v1/host/directories", path=plan.REPLICATED_DIRECTORY)
    assert directory["error"] == ""
    free = admin.json("/api/v1/host/address", address="10.77.1.99")
    assert (free["answers"], free["interface"]) == (False, "eth0")
    held = {"address": plan.VIRTUAL_IP}
    await_that(lambda: admin.json("/api/v1/host/address", **held)["answers"] is True, "its holder")
    for host in plan.NODES:
        line = f'mirror_module_ready{{module="{MODULE}",node="{host}"}} 1.0'
        await_that(lambda line=line: line in admin.get("/metrics").text, line)  # type: ignore[misc]


def test_the_node_with_the_authority_is_replaced(pair: Consoles) -> None:
    """n1 is lost, n2 goes on and becomes the authority; a server joins as n1 and catches up."""
    admin = pair.browser("n2")
    if await_pair(admin)[0] != "n1":
        assert pair.inside("n2", "mirror", "swap", "-m", MODULE)
        await_states(admin, RETURN_S, n1="PRIM", n2="SECOND")
    pair.lab.power_off("n1")
    await_states(admin, RETURN_S, n1="unknown", n2="ALONE")
    path = "/api/v1/cluster/certificate"
    assert admin.post(path, authority=True, confirm="n2").status_code == 422
    assert admin.post(path, authority=True, confirm="n1").status_code == 200
    pair.lab.boot("n1")
    module_setup.await_node(pair.lab, "n1")
    assert states(admin) == {"n1": "unknown", "n2": "ALONE"}, "its certificate is refused"
    token = admin.post("/api/v1/cluster/token", node="n1").json()["token"]
    pair.inside("n1", "mirror", "cluster", "join", "-r", token)
    await_states(admin, RETURN_S, n1="SECOND", n2="PRIM")


def test_two_bare_nodes_become_a_cluster_by_their_pages(run_name: str) -> None:
    """Joining: init here, a token here, join there; users and all are then the same."""
    with (
        Lab.up(f"{run_name}-bare", bare=True, bound=True) as lab,
        closing(Consoles(lab)) as consoles,
    ):
        for host in plan.NODES:
            consoles.set_first_password(host)
        first, second = consoles.browser("n1"), consoles.browser("n2")
        addresses = {host: lab.lab_plan.host(host).address("lan1") for host in plan.NODES}
        xml = (
            '<cluster><lans><lan name="default">'
            + "".join(f'<node name="{name}" addr="{one}"/>' for name, one in addresses.items())
            + "</lan></lans></cluster>"
        )
        assert first.json("/api/v1/cluster")["configured"] is False
        assert first.post("/api/v1/cluster/init", node="n1", xml=xml).json() == {"node": "n1"}
        token = first.post("/api/v1/cluster/token", node="n2").json()
        assert token["waiting"] is True
        wrong = second.post("/api/v1/cluster/join", token=token["token"][:-3])
        assert (wrong.status_code, wrong.json()["code"]) == (422, "MIR-115")
        joined = second.post("/api/v1/cluster/join", token=token["token"])
        assert joined.json() == {"node": "n2"}, joined.text
        deadline = time.monotonic() + START_S
        cluster: dict[str, Any] = {}
        while not cluster or not all(one["reachable"] for one in cluster["nodes"]):
            cluster = first.json("/api/v1/cluster")
            assert time.monotonic() < deadline, json.dumps(cluster)
        assert first.json("/api/v1/cluster/token")["joined_from"] == addresses["n2"]
        assert first.json("/api/v1/nodes/n2/node")["node"] == "n2"

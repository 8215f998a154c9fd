"""What modules do, and telling them what to do."""

import pytest

from mirror.errors import CommandRefused
from mirror.vocabulary.said import parts_of, say

from .world import PRIM, Browser, ControlPlane, Node


def test_a_module_with_its_safety_sentence_its_reason_and_its_row(
    node: Node, control_plane: ControlPlane, monitor: Browser
) -> None:
    control_plane.states["web"] = PRIM | {"new_figure": 7}
    state = monitor.json("/api/v1/modules/web/state")
    assert (state["state"], state["ready"]) == ("PRIM", "Ready")
    assert state["safety"] == "Both nodes hold everything. Either one may be lost."
    assert (state["reason"], state["row"], state["action"]) == (
        "both are in step",
        "A4",
        "Nothing.",
    )
    assert state["local"].items() >= {"node": "n1", "state": "PRIM", "ready": "Ready"}.items()
    assert state["remote"].items() >= {"node": "n2", "state": "SECOND", "ready": "Ready"}.items()
    assert state["replication"]["operations"] == 12
    assert state["progress"] is None
    assert state["new_figure"] == 7, "a newer control plane may tell more"
    whole = monitor.json("/api/v1/state")
    assert whole["modules"]["web"] == state
    plane = {"reachable": True, "observed": "", "observed_said": None}
    assert whole["control_plane"] == plane


def test_progress_is_told_while_a_node_catches_up(
    node: Node, control_plane: ControlPlane, monitor: Browser
) -> None:
    progress = {"phase": "data", "bytes_done": 830, "bytes_total": 1000, "eta_ms": 100_000}
    control_plane.states["web"] = PRIM | {"progress": progress}
    assert monitor.json("/api/v1/modules/web/state")["progress"] == progress


def test_a_node_whose_control_plane_is_silent(node: Node, monitor: Browser) -> None:
    state = monitor.json("/api/v1/state")
    assert state["control_plane"]["reachable"] is False
    assert "MIR-302" in state["control_plane"]["observed"]
    answer = monitor.get("/api/v1/modules/web/resources")
    assert (answer.status_code, answer.json()["code"]) == (503, "MIR-302")


def test_an_unknown_module(node: Node, control_plane: ControlPlane, monitor: Browser) -> None:
    answer = monitor.get("/api/v1/modules/web/state")
    assert (answer.status_code, answer.json()["code"]) == (404, "MIR-102")
    assert answer.headers["content-type"] == "application/problem+json"


def test_resources(node: Node, control_plane: ControlPlane, monitor: Browser) -> None:
    changes = [{"value": "up", "time_us": 5}]
    control_plane.answers["resources"] = {
        "resources": {
            "rfs.uptodate": {"value": "up", "time_us": 5, "history": changes},
            "old": "down",
        }
    }
    assert monitor.json("/api/v1/modules/web/resources")["resources"] == {
        "rfs.uptodate": {"value": "up", "time_us": 5, "history": changes},
        "old": {"value": "down", "time_us": 0, "history": []},
    }


def test_a_command_says_who_asked(
    node: Node, control_plane: ControlPlane, operator: Browser
) -> None:
    said = say("command.swaps", module="web")
    control_plane.answers["command"] = {"said": str(said), "parts": parts_of(said)}
    answer = operator.post("/api/v1/modules/web/commands", verb="swap", arguments={"nosync": True})
    assert answer.json() == {
        "module": "web",
        "verb": "swap",
        "said": "web: the roles are exchanged",
        "parts": {"code": "command.swaps", "facts": {"module": "web"}, "text": str(said)},
    }
    (asked,) = control_plane.commands()
    assert (asked["verb"], asked["module"]) == ("swap", "web")
    assert asked["arguments"] == {"nosync": True}
    assert asked["asked_by"] == "control@127.0.0.1"
    assert asked["identity"] is None, "an identity is of a machine, and counts in maxloop"


def test_a_refused_command_has_the_words_of_the_node(
    node: Node, control_plane: ControlPlane, operator: Browser
) -> None:
    control_plane.answers["command"] = CommandRefused(
        module="web", verb="swap", observed="nobody to swap with"
    )
    answer = operator.post("/api/v1/modules/web/commands", verb="swap")
    assert answer.status_code == 409
    assert answer.json()["code"] == "MIR-601"
    assert "nobody to swap with" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("verb", "arguments", "needs"),
    [
        ("primforce", {}, True),
        ("second", {"fullsync": True}, True),
        ("prim", {"fullsync": True}, True),
        ("second", {"fullsync": False}, False),
        ("prim", {}, False),
        ("stop", {}, False),
    ],
)
def test_what_can_discard_data_asks_for_the_name(
    node: Node,
    control_plane: ControlPlane,
    operator: Browser,
    verb: str,
    arguments: dict[str, bool],
    needs: bool,
) -> None:
    body = {"verb": verb, "arguments": arguments}
    for confirm, refused in (("", needs), ("wbe", needs), ("web", False)):
        answer = operator.send("POST", "/api/v1/modules/web/commands", body | {"confirm": confirm})
        assert answer.status_code == (428 if refused else 200), answer.text
    assert len(control_plane.commands()) == (1 if needs else 3)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/api/v1/modules/web/commands", {"verb": "explode"}),
        ("/api/v1/modules/web/commands", {"verb": "stop", "arguments": {"force": True}}),
        ("/api/v1/modules/web/commands", {"verb": "stop", "surprise": 1}),
        ("/api/v1/modules/web/commands", {"verb": "shutdown"}),
        ("/api/v1/modules/..%2F/commands", {"verb": "stop"}),
        ("/api/v1/commands", {"verb": "stop"}),
    ],
)
def test_a_command_that_makes_no_sense_is_not_given(
    node: Node,
    control_plane: ControlPlane,
    operator: Browser,
    path: str,
    body: dict[str, object],
) -> None:
    assert operator.send("POST", path, body).status_code in {404, 422}
    assert control_plane.commands() == []


def test_the_whole_node_is_shut_down(
    node: Node, control_plane: ControlPlane, operator: Browser
) -> None:
    assert operator.post("/api/v1/commands", verb="shutdown").status_code == 200
    (asked,) = control_plane.commands()
    assert (asked["verb"], asked["module"]) == ("shutdown", None)


def test_every_command_is_described(node: Node, monitor: Browser) -> None:
    commands = {one["verb"]: one for one in monitor.json("/api/v1/commands")["commands"]}
    assert commands["primforce"]["discards_with"] == ["*"]
    assert commands["stop"]["interrupts"] is True
    assert commands["start"]["interrupts"] is False


@pytest.mark.parametrize(
    ("state", "ready", "status"),
    [
        ("PRIM", "Ready", 200),
        ("ALONE", "Ready", 200),
        ("ALONE", "Transient", 404),
        ("SECOND", "Ready", 404),
        ("STOP", "NotReady", 404),
    ],
)
def test_readiness_for_load_balancers(
    node: Node,
    control_plane: ControlPlane,
    monitor: Browser,
    state: str,
    ready: str,
    status: int,
) -> None:
    control_plane.states["web"] = PRIM | {"state": state, "ready": ready}
    monitor.json("/api/v1/state")  # the node is looked at now
    answer = node.browser().get("/var/modules/web/ready.txt")
    assert (answer.status_code, answer.content) == (status, b"")
    assert node.browser().get("/var/modules/other/ready.txt").status_code == 404


def test_readiness_is_not_claimed_for_a_node_that_is_silent(
    node: Node, control_plane: ControlPlane, monitor: Browser
) -> None:
    control_plane.states["web"] = PRIM
    monitor.json("/api/v1/state")
    control_plane.close()
    monitor.json("/api/v1/state")
    assert node.browser().get("/var/modules/web/ready.txt").status_code == 404
    control_plane.__init__(node.layout.control_socket)  # type: ignore[misc]


def test_figures_for_prometheus(node: Node, control_plane: ControlPlane, monitor: Browser) -> None:
    control_plane.states["web"] = PRIM | {"replication": {"changes": 12, "waits_ns": 48_000}}
    monitor.json("/api/v1/state")
    answer = monitor.get("/metrics")
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    lines = answer.text.splitlines()
    assert 'mirror_module_state{module="web",node="this",state="PRIM"} 1.0' in lines
    assert 'mirror_module_state{module="web",node="this",state="ALONE"} 0.0' in lines
    assert 'mirror_module_redundant{module="web",node="this"} 1.0' in lines
    assert 'mirror_replication_changes_total{module="web",node="this"} 12.0' in lines
    assert 'mirror_replication_wait_seconds_total{module="web",node="this"} 4.8e-05' in lines
    assert any(line.startswith("mirror_console_requests_total{") for line in lines)

"""Events: what a page is told, and that it misses nothing."""

import time
from collections.abc import Iterator
from typing import Any

from mirror.adapters.console.roles import Role

from .world import PRIM, SOON_S_MAX, START_S, Browser, ControlPlane, Node, events, until

SECOND = PRIM | {"state": "SECOND"}


def test_a_change_is_told_soon(node: Node, control_plane: ControlPlane, monitor: Browser) -> None:
    control_plane.states["web"] = PRIM
    monitor.json("/api/v1/state")
    with events(monitor) as found:
        _, whole = until(found, "snapshot", node="this")
        assert whole["modules"]["web"]["state"] == "PRIM"
        begun = time.monotonic()
        control_plane.states["web"] = SECOND
        event_id, change = until(found, "state", module="web")
        assert time.monotonic() - begun < SOON_S_MAX
        assert (change["state"]["state"], change["node"]) == ("SECOND", "this")
        assert event_id
        del control_plane.states["web"]
        _, gone = until(found, "state", module="web")
        assert gone["state"] is None


def test_a_state_that_rests_is_read_once_a_second_for_its_figures(
    node: Node, control_plane: ControlPlane, monitor: Browser
) -> None:
    control_plane.states["web"] = PRIM
    with events(monitor) as found:
        until(found, "beat")
        until(found, "beat")
        end = time.monotonic() + START_S
        # A busy machine may stop either of them: what is looked for is one time when it did not.
        while not _rests(found, control_plane):
            assert time.monotonic() < end


def _rests(found: Iterator[tuple[str, str, Any]], plane: ControlPlane) -> bool:
    """Whether the whole state was read once a second during three signs of life, not oftener."""
    begun, given = time.monotonic(), plane.states_given.copy()
    for _ in range(3):
        until(found, "beat")
    elapsed_s, now = time.monotonic() - begun, plane.states_given.copy()
    whole, unchanged = now[True] - given[True], now[False] - given[False]
    return 1 <= whole <= elapsed_s + 1 and unchanged > whole


def test_a_page_that_was_away_gets_what_it_missed(
    node: Node, control_plane: ControlPlane, monitor: Browser
) -> None:
    control_plane.states["web"] = PRIM
    monitor.json("/api/v1/state")
    with events(monitor) as found:
        last_id, _ = until(found, "snapshot", node="this")
    control_plane.states["web"] = SECOND
    monitor.json("/api/v1/state")
    control_plane.states["web"] = PRIM
    monitor.json("/api/v1/state")
    with events(monitor, last_id=last_id) as found:
        seen = []
        for _, name, data in found:
            assert name != "snapshot", "it knows everything before"
            if name == "state":
                seen.append(data["state"]["state"])
            if seen[-2:] == ["SECOND", "PRIM"]:
                break
    with events(monitor, last_id="0badc0de-7") as found:
        assert next(found)[1] == "snapshot", "the number is of another process"


def test_signs_of_life(node: Node, control_plane: ControlPlane, monitor: Browser) -> None:
    with events(monitor) as found:
        _, first = until(found, "beat")
        begun = time.monotonic()
        event_id, second = until(found, "beat")
        assert time.monotonic() - begun < SOON_S_MAX
        assert event_id == ""
        assert second["time_us"] > first["time_us"]
        assert second["nodes"]["this"]["reachable"] is True


def test_a_control_plane_that_dies_and_comes_back(node: Node, monitor: Browser) -> None:
    plane = ControlPlane(node.layout.control_socket)
    plane.states["web"] = PRIM
    monitor.json("/api/v1/state")
    with events(monitor) as found:
        until(found, "snapshot", node="this")
        plane.close()
        _until_reachable(found, wanted=False)
        plane = ControlPlane(node.layout.control_socket)
        _until_reachable(found, wanted=True)
    plane.close()


def _until_reachable(found: Iterator[tuple[str, str, Any]], *, wanted: bool) -> None:
    """Why nobody answers may change meanwhile, which is told too."""
    while until(found, "node")[1]["control_plane"]["reachable"] is not wanted:
        pass


def test_lines_of_the_log(node: Node, control_plane: ControlPlane, monitor: Browser) -> None:
    control_plane.states["web"] = PRIM
    entry = {"time_us": 5, "level": "E", "source": "heart", "text": "Local state PRIM Ready"}
    with events(monitor) as found:
        for _, name, _ in found:
            # The log is followed a moment after the module was first seen.
            if name == "beat" and control_plane.log("web", **entry):
                break
        _, line = until(found, "log", module="web")
    assert line["entry"] == entry


def test_a_request_that_changes_something_is_told_to_every_page(
    node: Node, control_plane: ControlPlane, monitor: Browser, operator: Browser
) -> None:
    with events(monitor) as found:
        until(found, "snapshot")
        operator.post("/api/v1/modules/web/commands", verb="stop")
        _, told = until(found, "audit", module="web")
    assert (told["name"], told["what"], told["result"]) == (
        "control",
        "command to a module",
        "done",
    )


def test_a_stream_ends_with_its_session(tmp_path_factory: object, node: Node) -> None:
    leaving, watching = node.browser(Role.MONITOR), node.browser()
    watching.http.cookies = leaving.http.cookies
    with events(watching) as found:
        until(found, "beat")
        assert leaving.delete("/api/v1/session").status_code == 200
        begun = time.monotonic()
        for _ in found:
            assert time.monotonic() - begun < START_S

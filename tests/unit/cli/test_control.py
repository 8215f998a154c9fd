"""Verbs become calls on the control plane; its errors become exit codes and sentences."""

import pytest

from mirror.cli.control import VERBS
from mirror.config.layout import Layout
from mirror.errors import EXIT_CODES, LocalCallFailed, ModuleUnknown, WaitedInVain

from .conftest import ControlPlane, Run

PLAIN = [verb.name for verb in VERBS if not verb.wait_for and not verb.every_module]


def command(verb: str, **arguments: object) -> dict[str, object]:
    return {
        "v": 1,
        "id": 1,
        "do": "command",
        "verb": verb,
        "module": "web",
        "arguments": arguments,
        "identity": None,
    }


@pytest.mark.parametrize("verb", PLAIN)
def test_a_verb_is_one_call(mirror: Run, control_plane: ControlPlane, verb: str) -> None:
    outcome = mirror(verb, "-m", "web")
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out == f"{verb} asked: web\n"
    assert control_plane.asked == [command(verb)]


@pytest.mark.parametrize(
    "arguments",
    [
        ("stop", "-m", "web", "-i", "start_prim"),
        ("-m", "web", "stop", "-i", "start_prim"),
        ("-i", "start_prim", "-m", "web", "stop"),
        ("-m", "other", "-i", "other", "stop", "-i", "start_prim", "-m", "web"),
    ],
)
def test_options_stand_before_or_after_the_verb(
    mirror: Run, control_plane: ControlPlane, arguments: tuple[str, ...]
) -> None:
    assert mirror(*arguments).code == 0
    assert control_plane.asked == [{**command("stop"), "identity": "start_prim"}]


def test_the_module_may_come_from_the_environment(
    mirror: Run, control_plane: ControlPlane, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert mirror("start").code == 2
    monkeypatch.setenv("SAFEMODULE", "web")
    assert mirror("start").code == 0
    assert mirror("start", "-m", "db").code == 0
    assert [asked["module"] for asked in control_plane.asked] == ["web", "db"]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("swap", "nosync"), command("swap", nosync=True)),
        (("prim", "fullsync"), command("prim", fullsync=True)),
        (("second", "fullsync"), command("second", fullsync=True)),
        (("second",), command("second")),
        (
            ("set", "-r", "custom.a", "-v", "up"),
            command("set", resource="custom.a", value="up", quiet=False, log_always=False),
        ),
        (("printe", "start_prim", "failed"), command("printe", text="start_prim failed")),
        (("errd", "suspend"), command("errd", action="off")),
        (
            ("errd", "enable", "prim"),
            {**command("errd"), "arguments": {"action": "enable", "class": "prim"}},
        ),
        (("incloop",), command("incloop")),
    ],
)
def test_words_after_the_verb(
    mirror: Run, control_plane: ControlPlane, arguments: tuple[str, ...], expected: object
) -> None:
    assert mirror(*arguments, "-m", "web").code == 0
    assert control_plane.asked == [expected]


def test_shutdown_concerns_every_module(mirror: Run, control_plane: ControlPlane) -> None:
    assert mirror("shutdown").code == 0
    assert control_plane.asked[0]["module"] is None


def test_waitstart_starts_then_waits(mirror: Run, control_plane: ControlPlane) -> None:
    control_plane.answers["wait_state"] = {"state": "PRIM", "ready": "Ready"}
    assert mirror("waitstart", "-m", "web").out == "web is PRIM (Ready)\n"
    assert [asked["do"] for asked in control_plane.asked] == ["command", "wait_state"]
    assert control_plane.asked[0]["verb"] == "start"
    assert control_plane.asked[1]["states"] == ["ALONE", "PRIM", "SECOND", "UP"]


def test_waitstate_and_its_timeout(mirror: Run, control_plane: ControlPlane) -> None:
    control_plane.answers["wait_state"] = {"state": "STOP", "ready": "NotReady"}
    assert mirror("waitstate", "-m", "web", "stop", "--timeout", "1.5").code == 0
    assert (control_plane.asked[0]["states"], control_plane.asked[0]["timeout_s"]) == (
        ["STOP"],
        1.5,
    )
    control_plane.answers["wait_state"] = WaitedInVain(module="web", observed="WAIT after 2 s")
    outcome = mirror("waitstate", "-m", "web", "PRIM")
    assert outcome.code == 4
    assert "MIR-401" in outcome.err


def test_an_error_of_the_node_is_said_as_it_is(mirror: Run, control_plane: ControlPlane) -> None:
    control_plane.answers["command"] = ModuleUnknown(module="web", observed="not configured")
    outcome = mirror("start", "-m", "web")
    assert (outcome.code, outcome.out) == (1, "")
    assert outcome.err.startswith("mirror: no such module: web: not configured;")
    as_json = mirror("--json", "start", "-m", "web")
    assert as_json.json["error"]["code"] == "MIR-102"
    assert as_json.code == 1


def test_a_node_that_is_not_running(mirror: Run) -> None:
    outcome = mirror("start", "-m", "web")
    assert outcome.code == 3
    assert "MIR-302" in outcome.err


@pytest.mark.parametrize(
    "arguments",
    [
        ("strat",),
        ("start", "--wrong"),
        ("swap", "now", "-m", "web"),
        ("errd", "enable", "-m", "web"),
        ("errd", "on", "prim", "-m", "web"),
        ("waitstate", "READY", "-m", "web"),
    ],
)
def test_a_wrong_command_line_is_2(mirror: Run, arguments: tuple[str, ...]) -> None:
    outcome = mirror(*arguments)
    assert outcome.code == 2
    assert outcome.err


def test_the_nearest_verb_is_proposed(mirror: Run) -> None:
    assert 'did you mean "start"?' in mirror("strat").err
    assert 'did you mean "stopstart"?' in mirror("stopsart").err


def test_a_wrong_module_name_is_refused_before_anything_is_asked(
    mirror: Run, control_plane: ControlPlane
) -> None:
    assert mirror("start", "-m", "../web").code == 1
    assert control_plane.asked == []


def test_every_exit_code_is_documented() -> None:
    error = LocalCallFailed(remote_code="X", remote_sentence="x", remote_exit_code=4)
    assert {0, 1, 2, 3, 4, 5} == set(EXIT_CODES)
    assert error.exit_code in EXIT_CODES


def test_layout_is_the_one_of_the_environment(mirror: Run, layout: Layout) -> None:
    said = mirror("start", "-m", "web").err
    assert f"node not reachable: {layout.control_socket}: it is not running; start it" in said

"""The program itself: help, completion, manual, doctor; and what it costs to start."""

import json
import subprocess
import sys

import click
import pytest

from mirror.cli.main import LAZY, SECTIONS, cli
from mirror.cli.manual import manual_page
from mirror.cli.options import SectionedGroup
from mirror.config.layout import Layout

from .conftest import Run


def context() -> click.Context:
    return click.Context(cli, info_name="mirror")


def test_help_shows_every_command_in_a_section(mirror: Run) -> None:
    out = mirror("--help").out
    assert "Others:" not in out
    for name in cli.list_commands(context()):
        assert f"\n  {name} " in out
    assert mirror().code == 2


@pytest.mark.parametrize("group", ["", "cluster", "module", "console", "kept", "lab", "service"])
def test_no_summary_is_cut(mirror: Run, group: str) -> None:
    assert "..." not in mirror(*group.split(), "--help").out.partition("Commands:")[2]


@pytest.mark.parametrize(
    ("line", "command", "observed"),
    [
        ("--json state --nope", "mirror state", "No such option"),
        ("state --nope --json", "mirror state", "No such option"),
        ("set -r custom.web --json", "mirror set", "Missing option '-v'. Choose from: up, down"),
        ("boot sometimes --json", "mirror boot", "'sometimes' is not one of 'on', 'off'"),
        ("cluster tokn --json", "mirror cluster", 'did you mean "token"'),
        ("--json stat", "mirror", 'did you mean "state"'),
    ],
)
def test_a_usage_error_is_json_when_that_is_asked(
    mirror: Run, line: str, command: str, observed: str
) -> None:
    outcome = mirror(*line.split())
    error = json.loads(outcome.out)["error"]
    assert (outcome.code, error["exit_code"], error["code"]) == (2, 2, "MIR-134")
    assert error["facts"]["command"] == command
    assert observed in error["facts"]["observed"]
    assert f"`{command} --help`" in error["sentence"]
    assert outcome.err == ""


def test_a_usage_error_is_for_people_else(mirror: Run) -> None:
    for words in (["state", "--nope"], ["state", "--nope", "--", "--json"]):
        outcome = mirror(*words)
        assert (outcome.code, outcome.out) == (2, "")
        assert "No such option" in outcome.err


def test_every_option_says_what_it_does() -> None:
    pending: list[tuple[str, click.Command]] = [("mirror", cli)]
    while pending:
        path, command = pending.pop()
        for option in command.params:
            if isinstance(option, click.Option) and not option.hidden:
                assert option.help, (path, option.opts)
        if isinstance(command, click.Group):
            ctx = click.Context(command, info_name=path)
            for name in command.list_commands(ctx):
                found = command.get_command(ctx, name)
                assert found is not None
                pending.append((f"{path} {name}", found))


@pytest.mark.parametrize("name", ["boot", "set"])
def test_the_help_of_a_command_for_scripts_has_an_example(mirror: Run, name: str) -> None:
    assert f"mirror {name} " in mirror(name, "--help").out.partition("Example")[2]


def test_sections_name_commands_that_exist() -> None:
    names = {name for section in SECTIONS.values() for name in section}
    assert names - set(cli.list_commands(context())) == set()


@pytest.mark.parametrize("name", LAZY)
def test_the_short_help_of_a_lazy_command_is_its_own(name: str) -> None:
    assert isinstance(cli, SectionedGroup)
    found = cli.get_command(context(), name)
    assert found is not None
    assert LAZY[name][2].rstrip(".") == found.get_short_help_str(200).rstrip(".")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts(mirror: Run, shell: str) -> None:
    assert "_MIRROR_COMPLETE" in mirror("completion", shell).out


def test_modules_and_verbs_are_completed(
    mirror: Run, web: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("_MIRROR_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", "mirror start -m w")
    monkeypatch.setenv("COMP_CWORD", "3")
    assert mirror().out == "plain,web\n"
    monkeypatch.setenv("COMP_WORDS", "mirror sta")
    monkeypatch.setenv("COMP_CWORD", "1")
    assert mirror().out == "plain,start\nplain,state\n"


def test_the_manual_names_every_command() -> None:
    page = manual_page(cli)
    for name in ("cluster invite", "module getports", "waitstate", "primforce"):
        assert f"\\fB{name}\\fR" in page
    assert ".SH EXIT STATUS" in page
    formatted = (
        subprocess.run(
            ["man", "--warnings", "-l", "-"],
            input=page,
            capture_output=True,
            text=True,
            env={"PATH": "/usr/bin:/bin", "MANWIDTH": "90", "LC_ALL": "C.UTF-8"},
            check=False,
        )
        if _has_man()
        else None
    )
    if formatted is not None:
        assert formatted.stderr == ""
        assert "waitstate" in formatted.stdout


def _has_man() -> bool:
    return (
        subprocess.run(["sh", "-c", "command -v man"], check=False, capture_output=True).returncode
        == 0
    )


def test_doctor_says_what_is_missing(mirror: Run, layout: Layout) -> None:
    outcome = mirror("doctor")
    assert outcome.code == 1
    assert "MIR-109" in outcome.out
    findings = {one["what"]: one for one in mirror("doctor", "--json").json["findings"]}
    assert findings["node"]["level"] == "problem"
    assert findings["kernel"]["level"] == "ok"


def test_the_version(mirror: Run) -> None:
    assert mirror("--version").out.startswith("mirror, version ")


def test_a_message_to_the_log_imports_little() -> None:
    """Scripts print while an application waits for its takeover."""
    program = "import sys, mirror.cli.main; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout.split()
    assert "click" in loaded
    for heavy in ("lxml", "pyroute2", "cryptography", "rich", "asyncio"):
        assert heavy not in loaded


def test_a_reader_that_has_enough() -> None:
    done = subprocess.run(
        [
            "sh",
            "-c",
            f'"{sys.executable}" -c "from mirror.cli.main import main; main()" man | head -c1',
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert (done.stdout, done.stderr) == (".", "")

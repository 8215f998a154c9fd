"""The systemd unit: systemd accepts it, the lab boots by it; completion, manual, every verb."""

import re
import shutil
import subprocess
from pathlib import Path

import click
import pytest

from mirror.adapters.lab.client import Lab
from mirror.cli.main import COMPLETIONS, cli
from mirror.cli.manual import escape, manual_page
from mirror.config.layout import Layout
from mirror.config.systemd_unit import NAME, exec_start

from .conftest import Run


def test_systemd_accepts_the_unit(mirror: Run, layout: Layout, tmp_path: Path) -> None:
    outcome = mirror("service", "install", "--directory", str(tmp_path))
    assert outcome.out == f"{tmp_path / NAME} is written\n"
    text = (tmp_path / NAME).read_text()
    assert f"Environment=SAFE={layout.safe} SAFEVAR={layout.safevar}\n" in text
    if shutil.which("systemd-analyze") is None:
        pytest.skip("no systemd-analyze here")
    done = subprocess.run(
        ["systemd-analyze", "verify", str(tmp_path / NAME)],
        capture_output=True,
        text=True,
        check=False,
    )
    # What it says of other units of this machine is not this one's matter.
    said = [line for line in done.stderr.splitlines() if NAME in line]
    assert said == []


def test_the_lab_boots_by_the_words_of_the_unit(mirror: Run, tmp_path: Path) -> None:
    mirror("service", "install", "--directory", str(tmp_path))
    found = re.search(r"^ExecStart=(\S+) (.*)$", (tmp_path / NAME).read_text(), re.MULTILINE)
    assert found is not None
    assert Path(found[1]).name == "mirror"
    assert ("mirror", *found[2].split()) == exec_start("mirror")
    defaults = Lab.up.__kwdefaults__ or {}
    assert defaults["node_command"] == exec_start("mirror")


def test_status_of_a_host_without_it(mirror: Run) -> None:
    assert mirror("service", "status", "--json").json["installed"] in (True, False)


def test_completion_and_manual_are_installed(
    mirror: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for shell in list(COMPLETIONS):
        place = tmp_path / "share" / shell
        monkeypatch.setitem(COMPLETIONS, shell, str(place))
        assert mirror("completion", shell, "--install").out == f"{place}\n"
        assert "_MIRROR_COMPLETE" in place.read_text()
    place = tmp_path / "man1" / "mirror.1"
    monkeypatch.setattr("mirror.cli.main.MANUAL", str(place))
    assert mirror("man", "--install").code == 0
    assert place.read_text() == manual_page(cli)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_read_their_script(mirror: Run, tmp_path: Path, shell: str) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"no {shell} here")
    file = tmp_path / "completion"
    file.write_text(mirror("completion", shell).out)
    subprocess.run([shell, "-n", str(file)], check=True)


def every_command(group: click.Group, ctx: click.Context) -> list[tuple[str, click.Command]]:
    found: list[tuple[str, click.Command]] = []
    for name in group.list_commands(ctx):
        command = group.get_command(ctx, name)
        assert command is not None
        inner = click.Context(command, info_name=name, parent=ctx)
        if isinstance(command, click.Group):
            found += every_command(command, inner)
        elif not command.hidden:
            found.append((inner.command_path.removeprefix("mirror "), command))
    return found


def test_the_manual_tells_every_command_and_option() -> None:
    page = manual_page(cli)
    for path, command in every_command(cli, click.Context(cli, info_name="mirror")):
        assert f"\\fB{escape(path)}\\fR" in page, path
        assert command.help, f"{path} has no help"
        for option in command.params:
            if isinstance(option, click.Option) and not option.hidden and option.expose_value:
                assert escape(option.opts[-1]) in page, (path, option.opts)


# Verbs of SafeKit's guide (reference 4) that concern this product: each is a command here.
# fmt: off
VERBS = (
    "start", "waitstart", "stop", "waitstop", "waitstate", "shutdown", "restart", "stopstart",
    "forcestop", "swap", "prim", "second", "primforce", "secondforce", "get", "set", "state",
    "level", "log", "logview", "logsave", "cmdlog", "printi", "printe", "printw", "config",
    "deconfig", "confinfo", "confcheck", "update", "errd", "checker", "failover", "boot",
    "rfsverify", "rfsdiff", "snapshot", "dump", "clean", "kill", "boundcmd",
    "gencron", "processtree", "incloop", "resetloop", "checkloop", "module-install",
    "module-package", "module-uninstall", "module-list", "module-listid", "module-getports",
    "module-genkey", "module-delkey", "cluster-config", "cluster-confcheck", "cluster-confinfo",
    "cluster-deconfig", "cluster-state", "cluster-genkey", "cluster-delkey",
)
# fmt: on


def test_every_verb_of_safekit_is_there() -> None:
    known = {path for path, _ in every_command(cli, click.Context(cli, info_name="mirror"))}
    missing = [verb for verb in VERBS if verb.replace("-", " ", 1) not in known]
    assert missing == []

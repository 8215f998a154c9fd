"""boot, clean, dump, logsave, cmdlog; the counter of automatic restarts."""

import os
from pathlib import Path

from mirror.config.layout import Layout

from .conftest import ControlPlane, Run

ENTRY = {"time_us": 1_000_000, "level": "E", "source": "heart", "text": "Local state ALONE Ready"}


def edit(layout: Layout, old: str, new: str) -> None:
    file = layout.module("web").edited_userconfig
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


def test_boot_is_remembered(mirror: Run, web: Layout) -> None:
    assert mirror("config", "-m", "web").code == 0
    assert mirror("boot", "status", "-m", "web").out == "web: boot off\n"
    assert mirror("boot", "on", "-m", "web").out == "web: boot on\n"
    assert mirror("boot", "status", "-m", "web", "--json").json["boot"] == "on"
    assert mirror("boot", "off", "-m", "web").out == "web: boot off\n"
    assert "nothing to do" in mirror("boot", "webon").out


def test_boot_of_userconfig_has_the_last_word(mirror: Run, web: Layout) -> None:
    edit(web, 'mode="mirror"', 'mode="mirror" boot="auto"')
    assert mirror("config", "-m", "web").code == 0
    assert mirror("boot", "status", "-m", "web").out == "web: boot auto\n"
    outcome = mirror("boot", "on", "-m", "web")
    assert (outcome.code, "MIR-132" in outcome.err) == (1, True)


def test_clean_asks_the_node(mirror: Run, web: Layout, control_plane: ControlPlane) -> None:
    control_plane.answers["command"] = {"said": "web: log emptied"}
    assert mirror("clean", "log", "-m", "web").out == "web: log emptied\n"
    assert control_plane.asked[0]["verb"] == "clean"
    assert control_plane.asked[0]["arguments"] == {"what": "log"}


def test_a_dump_holds_no_secret_and_the_last_three_stay(mirror: Run, web: Layout) -> None:
    for _ in range(4):
        outcome = mirror("dump", "-m", "web")
        assert outcome.code == 0
    directory = Path(outcome.out.strip())
    assert "hunter2" not in (directory / "edited/conf/userconfig.xml").read_text()
    assert (directory / "doctor.json").is_file()
    assert len(list(directory.parent.iterdir())) <= 3


def test_logsave(mirror: Run, web: Layout, control_plane: ControlPlane, tmp_path: Path) -> None:
    verbose = {**ENTRY, "level": "I", "text": "detail"}
    control_plane.answers["log"] = {"entries": [ENTRY, verbose]}
    file = tmp_path / "saved.log"
    assert mirror("logsave", "-m", "web", str(file)).out == f"{file}: 1 lines\n"
    assert file.read_text().endswith(" | heart | E | Local state ALONE Ready\n")
    assert mirror("logsave", "-A", "-m", "web", str(file)).out == f"{file}: 2 lines\n"


def test_the_book_of_commands(mirror: Run, web: Layout) -> None:
    """What changes something is written down, with who and with which result; looking is not."""
    mirror("state")
    mirror("start", "-m", "web")
    mirror("-i", "checker", "stop", "-m", "web")
    entries = mirror("cmdlog", "--json").json["commands"]
    assert [one["command"].split()[0] for one in entries] == ["module", "start", "-i"]
    assert entries[-1]["identity"] == "checker"
    assert entries[1]["exit_code"] == 3
    assert os.stat(web.safevar / "commands.jsonl").st_mode & 0o777 == 0o600  # noqa: PTH116
    assert "| start -m web | 3" in mirror("cmdlog").out


def test_the_limit_of_restarts_is_an_exit_code(mirror: Run, control_plane: ControlPlane) -> None:
    control_plane.answers["command"] = {"count": 2, "limit": 3, "reached": False}
    assert mirror("incloop", "-m", "web", "-i", "handler").code == 0
    control_plane.answers["command"] = {"count": 3, "limit": 3, "reached": True}
    for verb in ("incloop", "checkloop"):
        assert mirror(verb, "-m", "web", "-i", "handler").code == 1
    assert mirror("resetloop", "-m", "web").code == 0

"""`mirror kept` while no node runs: the directories are plain, and say what they hold."""

import json
from pathlib import Path

from mirror.config.layout import Layout
from tests.unit.cli.conftest import Run


def put(data: Path, path: str, text: str) -> None:
    folder = data / ".mirror" / "aside" / "G24-12345678"
    file = folder / "files" / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    line = {"path": path, "kept": f"files/{path}", "side": "SECOND", "what": "replaced"}
    with (folder / "list.jsonl").open("a") as lines:
        lines.write(json.dumps(line) + "\n")


def test_nothing_is_kept(web: Layout, mirror: Run) -> None:
    assert mirror("kept", "-m", "web").out == "web: nothing is kept aside\n"
    assert mirror("kept", "-m", "web", "--json").json["files"] == []


def test_what_is_kept_is_listed_with_its_reason(web: Layout, mirror: Run, data: Path) -> None:
    put(data, "a/b", "12345")
    listed = mirror("kept", "list", "-m", "web", "--json").json
    (folder,) = listed["folders"]
    assert (folder["row"], folder["files"], folder["bytes"]) == ("G24", 1, 5)
    assert folder["why"] == "split brain: both went on alone; the peer stays"
    assert listed["files"][0]["path"] == "a/b"
    assert listed["serves"] is False
    assert "a/b" in mirror("kept", "-m", "web").out


def test_a_stopped_module_restores_nothing(web: Layout, mirror: Run, data: Path) -> None:
    put(data, "a", "1")
    done = mirror("kept", "restore", "--all", "-m", "web")
    assert done.code != 0
    assert "run it on the node that serves (MIR-509)" in done.err
    refused = mirror("kept", "restore", "--all", "-m", "web", "--json").json["error"]
    assert refused["facts"]["observed"]["code"] == "kept.not_serving"


def test_versions_are_removed_by_a_part_of_their_id(web: Layout, mirror: Run, data: Path) -> None:
    put(data, "a", "1")
    put(data, "b", "2")
    first = mirror("kept", "-m", "web", "--json").json["files"][0]["id"]
    assert mirror("kept", "remove", "-m", "web", "--force").code == 2  # which?
    done = mirror("kept", "remove", first[:6], "-m", "web", "--force", "--json").json
    assert done["removed"] == 1
    unknown = mirror("kept", "remove", "zz", "-m", "web", "--force")
    assert "no such version kept aside: zz: none has it" in unknown.err
    assert mirror("kept", "remove", "--all", "-m", "web", "--force").code == 0
    assert not list((data / ".mirror" / "aside").iterdir())

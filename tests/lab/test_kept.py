"""A split brain: what the loser wrote is listed, restored by one command, and removed."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from mirror.adapters.lab import plan
from mirror.adapters.lab.client import Lab
from tests.lab.looking import (
    MODULE,
    RETURN_S,
    SHIPPED,
    TAKEOVER_S,
    assert_equal,
    await_states,
    opened,
)

pytestmark = [pytest.mark.lab, pytest.mark.slow]

TOP = plan.REPLICATED_DIRECTORY


def shell(lab: Lab, host: str, script: str) -> str:
    return lab.exec(host, ["sh", "-c", script]).stdout


def kept(lab: Lab, host: str, *arguments: str, check: bool = True) -> Any:
    command = ["mirror", "kept", *arguments, "-m", MODULE, "--json"]
    return json.loads(lab.exec(host, command, check=check).stdout)


@contextmanager
def open_pair(run_name: str, _directory: Path) -> Iterator[Lab]:
    """Both nodes went on alone, and met again: n1 stayed."""
    with opened(f"{run_name}-kept", SHIPPED) as lab:
        split(lab)
        yield lab


def split(lab: Lab) -> None:
    shell(lab, "n1", f"cd {TOP} && echo before > both && echo before > gone && mkdir d")
    lab.cut("n1")
    await_states(lab, TAKEOVER_S, n1="ALONE", n2="ALONE")
    shell(lab, "n1", f"cd {TOP} && echo of n1 > both && echo n1 > only-on-n1")
    shell(
        lab,
        "n2",
        f"cd {TOP} && echo of n2 > both && rm gone && echo n2 > d/only-on-n2"
        " && truncate -s 3M holes && printf end >> holes && chmod 640 holes"
        " && ln -s both link && head -c 2000000 /dev/urandom > big && sync",
    )
    changed = kept(lab, "n2", "changed")
    assert changed["complete"]
    paths = {one["path"]: one for one in changed["files"]}
    assert {"both", "d/only-on-n2", "holes", "big", "link"} <= set(paths)
    assert not paths["gone"]["exists"]
    assert changed["since_us"] > 0
    lab.heal("n1")
    await_states(lab, RETURN_S, n1="PRIM", n2="SECOND")


def test_both_nodes_list_what_the_loser_wrote(pair: Lab) -> None:
    there = kept(pair, "n2")
    here = kept(pair, "n1", "list")
    assert {one["path"] for one in there["files"]} == {
        "both",
        "d/only-on-n2",
        "holes",
        "big",
        "link",
    }
    assert [one["id"] for one in here["files"]] == [one["id"] for one in there["files"]]
    assert {one["node"] for one in here["files"]} == {"n2"}
    (folder,) = here["folders"]
    assert folder["why"] == "split brain: both went on alone; this node stays"
    assert (folder["files"], folder["side"]) == (5, "SECOND")
    assert here["peer_listed"]
    assert not there["peer_listed"]
    whats = {one["path"]: one["what"] for one in here["files"]}
    assert whats["both"] == "replaced"
    assert whats["big"] == "deleted"


def test_a_secondary_does_not_restore(pair: Lab) -> None:
    done = pair.exec("n2", ["mirror", "kept", "restore", "--all", "-m", MODULE], check=False)
    assert done.returncode != 0
    assert "run it on the node that serves" in done.stderr


def test_versions_are_restored_through_the_mount(pair: Lab) -> None:
    before = {one["path"]: one for one in kept(pair, "n1")["files"]}
    one = kept(pair, "n1", "restore", before["both"]["id"])
    assert [each["path"] for each in one["restored"]] == ["both"]
    assert shell(pair, "n1", f"cat {TOP}/both") == "of n2\n"
    rest = kept(pair, "n1", "restore", "--all")
    assert len(rest["restored"]) == 5
    listed = shell(pair, "n1", f"cd {TOP}; stat -c '%n %s %a' holes big d/only-on-n2; cat link")
    assert "holes 3145731 640" in listed
    assert "big 2000000" in listed
    assert listed.endswith("of n2\n")
    blocks = int(shell(pair, "n1", f"stat -c %b {TOP}/holes"))
    assert blocks < 100
    # What was restored over is kept too, on the node that serves.
    over = [each for each in kept(pair, "n1")["files"] if each["what"] == "restored over"]
    assert {(each["node"], each["path"]) for each in over} >= {("n1", "both")}
    first = over[0]
    kept(pair, "n1", "restore", first["id"])
    assert shell(pair, "n1", f"cat {TOP}/both") == "of n1\n"
    assert_equal(pair)


def test_versions_are_removed_on_both_nodes(pair: Lab) -> None:
    files = kept(pair, "n1")["files"]
    (big,) = [one for one in files if one["path"] == "big" and one["node"] == "n2"]
    asked = pair.exec("n1", ["mirror", "kept", "remove", big["id"], "-m", MODULE], check=False)
    assert asked.returncode != 0  # nobody confirmed
    done = kept(pair, "n1", "remove", big["id"], "--force")
    assert done["removed"] == 1
    assert done["freed_bytes"] >= 2_000_000
    assert kept(pair, "n1", "remove", "--all", "--force")["failed"] == []
    assert kept(pair, "n1")["files"] == kept(pair, "n2")["files"] == []
    find = ["sh", "-c", "find / -xdev -path '*/.mirror/aside/*' 2>/dev/null"]
    assert pair.exec("n2", find, check=False).stdout == ""
    wrong = kept(pair, "n1", "remove", "abc", "--force", check=False)
    assert wrong["error"]["code"] == "MIR-506"

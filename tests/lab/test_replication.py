"""Replication on real nodes, as an administrator sees it: verified, mended, estimated."""

import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from mirror.adapters.lab import comparison, plan
from mirror.adapters.lab.client import Lab
from tests.lab.looking import (
    MODULE,
    RETURN_S,
    SHIPPED,
    assert_equal,
    await_in_log,
    await_states,
    opened,
)

pytestmark = [pytest.mark.lab, pytest.mark.slow]

TOP = plan.REPLICATED_DIRECTORY
COPIED = "Copied <"
RULES = '<notreplicated path="cache"/><notreplicated regexpath="\\.tmp$"/>'


@contextmanager
def open_pair(run_name: str, directory: Path) -> Iterator[Lab]:
    """PRIM on n1, SECOND (Ready) on n2; some names are not replicated."""
    module = directory / MODULE
    shutil.copytree(SHIPPED, module)
    file = module / "conf/userconfig.xml"
    text = file.read_text()
    gap = '<!-- <tocheck path="file-that-proves-it"/> -->'
    assert gap in text
    file.write_text(text.replace(gap, RULES))
    with opened(f"{run_name}-replication", module) as lab:
        shell(lab, "n1", f"cd {TOP} && mkdir cache d && head -c 3000000 /dev/urandom > d/big")
        shell(lab, "n1", f"cd {TOP} && echo here > cache/a && echo here > x.tmp && echo y > d/y")
        yield lab


def shell(lab: Lab, host: str, script: str) -> str:
    return lab.exec(host, ["sh", "-c", script]).stdout


def ask(lab: Lab, host: str, *words: str, check: bool = True) -> Any:
    done = lab.exec(host, ["mirror", *words, "-m", MODULE, "--json"], check=check)
    return json.loads(done.stdout)


def said(lab: Lab, host: str, text: str) -> list[str]:
    entries = ask(lab, host, "log", "-s", "200")["entries"]
    return [entry["text"] for entry in entries if text in entry["text"]]


def test_what_is_not_replicated_is_on_one_node(pair: Lab) -> None:
    (lower,) = comparison.lower_directories(pair, "n2", MODULE)
    assert shell(pair, "n2", f"cd {lower} && find . -name '*.tmp' -o -name cache") == ""
    assert shell(pair, "n1", f"cat {TOP}/cache/a {TOP}/x.tmp") == "here\nhere\n"
    assert_equal(pair)


def test_both_copies_are_equal_and_the_state_says_so(pair: Lab) -> None:
    found = ask(pair, "n1", "rfsverify")
    assert (found["outcome"], found["differences"]) == ("equal", 0)
    deadline = time.monotonic() + RETURN_S  # the state is asked of the data plane now and then
    while ask(pair, "n1", "state")["modules"][MODULE]["verification"]["outcome"] != "equal":
        assert time.monotonic() < deadline
        time.sleep(0.1)
    await_in_log(pair, "n1", "Verification: both nodes are equal")
    refused = ask(pair, "n2", "rfsverify", check=False)
    assert refused["error"]["code"] == "MIR-513"
    assert "ask n1" in refused["error"]["sentence"]


def test_a_flipped_byte_beneath_the_cover_is_found_and_mended(pair: Lab) -> None:
    victim = comparison.plant_difference(pair, "n2", MODULE)
    assert victim == "d/big"
    found = ask(pair, "n1", "rfsverify", check=False)
    (each,) = found["listed"]
    assert (each["path"], each["kind"], each["offset_bytes"]) == ("d/big", "data", 0)
    assert (found["outcome"], found["differences"]) == ("different", 1)
    await_in_log(pair, "n1", "Verification: 1 differences")
    (lower,) = comparison.lower_directories(pair, "n2", MODULE)
    shell(pair, "n2", f"echo extra > {lower}/extra && rm {lower}/d/y")
    mended = ask(pair, "n1", "rfsverify", "--repair")
    assert mended["outcome"] == "repaired"
    assert mended["believed"] == "n1"
    await_states(pair, RETURN_S, n1="PRIM", n2="SECOND")
    assert_equal(pair)
    assert ask(pair, "n1", "rfsverify")["outcome"] == "equal"
    kept = shell(
        pair, "n2", f"cd {lower}/.mirror/aside/{mended['kept_aside']}/files && find -type f"
    )
    assert sorted(kept.split()) == ["./d/big", "./extra"]


def test_alone_it_says_what_joining_will_cost(pair: Lab) -> None:
    copied = {host: len(said(pair, host, COPIED)) for host in plan.NODES}
    pair.exec("n2", ["mirror", "waitstop", "-m", MODULE])
    pair.exec("n1", ["mirror", "waitstate", "ALONE", "-m", MODULE])
    before = ask(pair, "n1", "rfsdiff")
    shell(pair, "n1", f"cd {TOP} && head -c 5000000 /dev/zero > d/big && echo z > d/z && sync")
    after = ask(pair, "n1", "rfsdiff")
    assert after["bytes"] - before["bytes"] >= 5_000_000
    assert after["files"] > before["files"]
    assert after["names"] > before["names"]
    assert after["seconds"] is not None
    pair.exec("n2", ["mirror", "start", "-m", MODULE])
    await_states(pair, RETURN_S, n1="PRIM", n2="SECOND")
    assert ask(pair, "n1", "rfsdiff", check=False)["error"]["code"] == "MIR-513"
    for host in plan.NODES:
        await_in_log(pair, host, COPIED, copied[host] + 1)


def sent_bytes(lab: Lab, host: str) -> int:
    """What left the host by any interface since it started, by the kernel's own counters."""
    counters = shell(lab, host, "cat /sys/class/net/[!l]*/statistics/tx_bytes")
    return sum(map(int, counters.split()))


def test_a_copy_carried_by_hand_joins_by_its_differences(pair: Lab) -> None:
    """A new disk on n2, filled from a backup of n1; n1 goes on meanwhile."""
    size = 40_000_000
    shell(pair, "n1", f"head -c {size} /dev/urandom > {TOP}/large && sync")
    refused = ask(pair, "n1", "rfssync", "external", "prim", "disk-7", check=False)
    assert refused["error"]["code"] == "MIR-513"
    pair.exec("n2", ["mirror", "waitstop", "-m", MODULE])
    pair.exec("n1", ["mirror", "waitstate", "ALONE", "-m", MODULE])
    assert (
        "external second disk-7"
        in ask(pair, "n1", "rfssync", "external", "prim", "disk-7")["said"]
    )
    one, two = (Path(f"/proc/{pair.pid(host)}/root{TOP}") for host in plan.NODES)
    shell(pair, "n2", f"find {TOP} -mindepth 1 -delete")
    command = f"tar -C {one} -c --exclude=./.mirror --exclude=./cache . | tar -C {two} -x"
    subprocess.run(["sh", "-c", command], check=True)
    shell(
        pair, "n1", f"cd {TOP} && echo later > later && printf changed | dd of=large conv=notrunc"
    )
    ask(pair, "n2", "rfssync", "external", "second", "disk-7")
    assert [each["uid"] for each in ask(pair, "n2", "rfssync")["copies"]] == ["disk-7"]
    copied = len(said(pair, "n2", COPIED))
    before = {host: sent_bytes(pair, host) for host in plan.NODES}
    pair.exec("n2", ["mirror", "start", "-m", MODULE])
    await_states(pair, RETURN_S, n1="PRIM", n2="SECOND")
    await_in_log(pair, "n2", COPIED, copied + 1)
    sent = {host: sent_bytes(pair, host) - before[host] for host in plan.NODES}
    assert_equal(pair)
    # Beside the differences, what both say to each other meanwhile: the longer, the more.
    assert sum(sent.values()) < size / 4, sent
    line = said(pair, "n2", COPIED)[-1]
    assert f"{size}" not in line.split(" bytes copied")[0], line

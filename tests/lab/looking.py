"""What lab tests look at: states, logs, the address, both directories; each awaited."""

import re
import shutil
import struct
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from mirror.adapters.lab import module_setup, plan, status
from mirror.adapters.lab.client import Lab
from mirror.adapters.lab.comparison import compare_hosts, lower_directories
from mirror.errors import MirrorError

MODULE = "mirror"
SHIPPED = module_setup.find_module(MODULE)
LEDGER = f"{plan.REPLICATED_DIRECTORY}/ledger"
# Bounds of waiting, for a machine that is slow and at work: how fast it is, the benchmarks say.
TAKEOVER_S = 40.0
RETURN_S = 120.0
# Without a takeover an application waits for the detection of a loss, and never for what the link
# itself has patience for, 30 s.
GAP_S = 25.0
LOGS_S = 20.0
# Loss of a node, where a test says nothing else: a machine at work must not look like one.
SILENCE_S = 3.0
RESTARTS_MAX = 30  # a pair that many tests share is hurt more often than an administrator likes


@contextmanager
def opened(
    name: str, module: Path, *, witness: bool = False, faulty_disks: bool = False
) -> Iterator[Lab]:
    """A lab with PRIM on n1, SECOND (Ready) on n2; at the end it shows what they logged."""
    with (
        tempfile.TemporaryDirectory() as directory,
        Lab.up(name, bound=True, witness=witness, faulty_disks=faulty_disks) as lab,
    ):
        try:
            module_setup.set_up(lab, patient(module, Path(directory)))
            yield lab
        finally:
            print(logs(lab))


def patient(module: Path, directory: Path) -> Path:
    """A copy of the module in there, whose nodes are lost after SILENCE_S."""
    copy = directory / module.name
    shutil.copytree(module, copy)
    file = copy / "conf" / "userconfig.xml"
    text, count = re.subn(
        '<heart profile="fast"', rf'\g<0> timeout="{SILENCE_S:.0f}s"', file.read_text()
    )
    assert count == 1
    file.write_text(re.sub(r'maxloop="\d+"', f'maxloop="{RESTARTS_MAX}"', text))
    return copy


def logs(lab: Lab) -> str:
    shown = []
    facts = lab.facts()["hosts"]
    for host in plan.NODES:
        if facts[host]["up"] and not facts[host]["paused"]:
            command = ["mirror", "log", "-m", MODULE, "-A", "-s", "80"]
            with suppress(MirrorError, subprocess.TimeoutExpired):  # its disk hangs, say
                done = lab.exec(host, command, check=False, timeout_s=LOGS_S)
                shown.append(f"--- {host}\n{done.stdout}{done.stderr}")
    return "\n".join(shown)


def state(lab: Lab, host: str) -> str:
    found = status.module_states(lab, host).get(MODULE)
    return str(found) if found else "unknown"


def told_state(lab: Lab, host: str) -> str:
    """The state, of a node that lives: a machine at work may let it wait with its answer."""
    deadline = time.monotonic() + RETURN_S
    while (now := state(lab, host)) == "unknown":
        assert time.monotonic() < deadline, f"{host} does not answer"
    return now


def await_state(lab: Lab, host: str, wanted: str) -> None:
    """Wait until this one is in its state, as in "WAIT (NotReady)"."""
    deadline = time.monotonic() + RETURN_S
    while (now := state(lab, host)) != wanted:
        assert time.monotonic() < deadline, f"{now} instead of {wanted}"
        time.sleep(0.02)


def await_states(lab: Lab, timeout_s: float, **wanted: str) -> None:
    """Wait until each host is in its state, as in n1="PRIM"; all of them Ready."""
    deadline = time.monotonic() + timeout_s
    goal = {host: f"{word} (Ready)" for host, word in wanted.items()}
    while (now := {host: state(lab, host) for host in goal}) != goal:
        assert time.monotonic() < deadline, f"{now} instead of {goal}"
        time.sleep(0.05)


def numbers_in(lab: Lab, host: str) -> set[int]:
    return {int(line) for line in lab.exec(host, ["cat", LEDGER]).stdout.split()}


def holds_address(lab: Lab, host: str) -> bool:
    return plan.VIRTUAL_IP in lab.exec(host, ["ip", "-o", "address"]).stdout


def await_no_address(lab: Lab, host: str) -> None:
    deadline = time.monotonic() + TAKEOVER_S
    while holds_address(lab, host):
        assert time.monotonic() < deadline, f"{host} holds the address"
        time.sleep(0.1)


def assert_equal(lab: Lab) -> None:
    """Both lower directories are the same; file times travel a little after the data."""
    deadline = time.monotonic() + TAKEOVER_S
    while differences := compare_hosts(lab, MODULE):
        assert time.monotonic() < deadline, differences
        time.sleep(0.5)


def times_in_log(lab: Lab, host: str, text: str) -> int:
    """How often the module log of a node tells this."""
    command = ["mirror", "log", "-m", MODULE, "-A", "-s", "10000"]
    return lab.exec(host, command, check=False).stdout.count(text)


def await_in_log(lab: Lab, host: str, text: str, count: int = 1) -> None:
    """Wait until the module log of a node tells this so many times."""
    deadline = time.monotonic() + RETURN_S
    while times_in_log(lab, host, text) < count:
        assert time.monotonic() < deadline, f"{host} never told: {text}"
        time.sleep(0.1)


def stable_epoch(lab: Lab, host: str) -> int:
    """Number of the last checkpoint that is on this disk; it grows while there are changes."""
    (lower,) = lower_directories(lab, host, MODULE)
    mark = Path(f"/proc/{lab.pid(host)}/root{lower}/.mirror/checkpoint")
    return int(struct.unpack("<QQ", mark.read_bytes())[1]) if mark.exists() else 0


def serve_at(lab: Lab, host: str) -> None:
    """Have this node be PRIM and the other SECOND, whichever was which before."""
    (other,) = (node for node in plan.NODES if node != host)
    if told_state(lab, other) == "PRIM (Ready)":
        lab.exec(host, ["mirror", "swap", "-m", MODULE], timeout_s=RETURN_S)
    await_states(lab, RETURN_S, **{host: "PRIM", other: "SECOND"})

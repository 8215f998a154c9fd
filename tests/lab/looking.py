"""What lab tests look at: states, logs, the address, both directories; each awaited."""

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from mirror.adapters.lab import module_setup, plan, status
from mirror.adapters.lab.client import Lab
from mirror.adapters.lab.comparison import compare_hosts
from mirror.errors import MirrorError

MODULE = "mirror"
SHIPPED = module_setup.find_module(MODULE)
LEDGER = f"{plan.REPLICATED_DIRECTORY}/ledger"
# Bounds of waiting, for a machine that is slow and at work: how fast it is, the benchmarks say.
TAKEOVER_S = 40.0
RETURN_S = 120.0
# Without a takeover an application waits for no more than the detection of a loss, about 1 s.
GAP_S = 10.0
LOGS_S = 20.0


@contextmanager
def opened(
    name: str, module: Path, *, witness: bool = False, faulty_disks: bool = False
) -> Iterator[Lab]:
    """A lab with PRIM on n1, SECOND (Ready) on n2; at the end it shows what they logged."""
    with Lab.up(name, bound=True, witness=witness, faulty_disks=faulty_disks) as lab:
        try:
            module_setup.set_up(lab, module)
            yield lab
        finally:
            print(logs(lab))


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


def await_in_log(lab: Lab, host: str, text: str, count: int = 1) -> None:
    """Wait until the module log of a node tells this so many times."""
    deadline = time.monotonic() + RETURN_S
    command = ["mirror", "log", "-m", MODULE, "-A", "-s", "1000"]
    while lab.exec(host, command, check=False).stdout.count(text) < count:
        assert time.monotonic() < deadline, f"{host} never told: {text}"
        time.sleep(0.1)


def await_spare(lab: Lab, host: str) -> None:
    """A control plane that has loaded stands by: only then a death is nothing."""
    deadline = time.monotonic() + RETURN_S
    while not lab.exec(host, ["pgrep", "-x", "mirror-spare"], check=False).stdout:
        assert time.monotonic() < deadline, "no spare control plane"
        time.sleep(0.05)


def serve_at(lab: Lab, host: str) -> None:
    """Have this node be PRIM and the other SECOND, whichever was which before."""
    (other,) = (node for node in plan.NODES if node != host)
    if state(lab, other) == "PRIM (Ready)":
        lab.exec(host, ["mirror", "swap", "-m", MODULE], timeout_s=RETURN_S)
    await_states(lab, RETURN_S, **{host: "PRIM", other: "SECOND"})

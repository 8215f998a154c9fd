"""What must hold whenever a pair has healed, whatever was done to it before."""

import json
import time

from mirror.adapters.lab import plan, status
from mirror.adapters.lab.client import Lab
from mirror.adapters.lab.comparison import compare_hosts
from tests.soak.crew import Member, performers

MODULE = "workload"
HEALED_S_MAX = 240.0
QUIET_S_MAX = 60.0
PAIR = {"PRIM (Ready)", "SECOND (Ready)"}
_POLL_S = 0.1


class Violation(Exception):
    """A rule was broken."""


def states(lab: Lab) -> dict[str, str]:
    """The module's state on each node, as its status says."""
    return {host: str(status.module_states(lab, host).get(MODULE)) for host in plan.NODES}


def await_pair(lab: Lab) -> str:
    """Wait until one node is PRIM and the other SECOND, both Ready. Returns: the primary."""
    deadline = time.monotonic() + HEALED_S_MAX
    while set((now := states(lab)).values()) != PAIR:
        if time.monotonic() > deadline:
            raise Violation(f"not a pair again after {HEALED_S_MAX:.0f} s: {now}")
        time.sleep(_POLL_S)
    return next(host for host, state in now.items() if state.startswith("PRIM"))


def check(lab: Lab, primary: str, crew: list[Member]) -> list[str]:
    """Raises: Violation, Wrong. Returns: how what each member had under way was settled."""
    (secondary,) = (host for host in plan.NODES if host != primary)
    _await_quiet(lab, primary, crew)
    _check_address(lab, primary)
    _check_processes(lab, secondary)
    _check_mounts(lab, primary, secondary)
    _check_generations(lab)
    settled = [member.check(primary) for member in crew]
    _check_copies(lab)
    return settled


def _await_quiet(lab: Lab, primary: str, crew: list[Member]) -> None:
    """One process listens, one works for each member; the others have ended with theirs."""
    wanted = 1 + sum(member.is_connected for member in crew)
    deadline = time.monotonic() + QUIET_S_MAX
    while (found := performers(lab, primary)) != wanted:
        if time.monotonic() > deadline:
            raise Violation(f"{found} processes of the application on {primary}, not {wanted}")
        time.sleep(_POLL_S)


def _check_address(lab: Lab, primary: str) -> None:
    holders = [
        host
        for host in plan.NODES
        if plan.VIRTUAL_IP in lab.exec(host, ["ip", "-o", "address"]).stdout
    ]
    if holders != [primary]:
        raise Violation(f"the address is held by {holders}, {primary} is primary")


def _check_processes(lab: Lab, secondary: str) -> None:
    if found := performers(lab, secondary):
        raise Violation(f"{found} processes of the application on the secondary {secondary}")


def _check_mounts(lab: Lab, primary: str, secondary: str) -> None:
    for host, wanted in ((primary, 1), (secondary, 0)):
        table = lab.exec(host, ["cat", "/proc/mounts"]).stdout.splitlines()
        mounts = [line for line in table if line.split()[2] == "fuse.mirror"]
        if len(mounts) != wanted:
            raise Violation(f"{host} has {len(mounts)} mounts of mirror, not {wanted}: {mounts}")
    dumps = ["(", "-name", "core", "-o", "-name", "core.[0-9]*", ")"]
    for host in plan.NODES:
        found = lab.exec(host, ["find", "/", "-xdev", "-type", "f", *dumps], check=False)
        if found.stdout.strip():
            raise Violation(f"a core file on {host}: {found.stdout}")


def _check_generations(lab: Lab) -> None:
    path = f"{plan.SAFEVAR}/modules/{MODULE}/record.json"
    generations = {
        host: json.loads(lab.exec(host, ["cat", path]).stdout)["record"]["current"]
        for host in plan.NODES
    }
    if len(set(generations.values())) != 1:
        raise Violation(f"a pair of two generations: {generations}")


def _check_copies(lab: Lab) -> None:
    deadline = time.monotonic() + QUIET_S_MAX
    while differences := compare_hosts(lab, MODULE):  # times go with the next checkpoint
        if time.monotonic() > deadline:
            raise Violation(f"different: {[str(each) for each in differences][:10]}")
        time.sleep(0.5)

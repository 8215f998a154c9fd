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


def check(lab: Lab, crew: list[Member]) -> tuple[str, list[str]]:
    """What must hold of a pair that has healed.

    Raises: Violation, Wrong. Returns: the primary; how what each member had under way was settled.
    """
    primary = _await_settled(lab, crew)
    settled = [member.check(primary) for member in crew]
    _check_copies(lab)
    return primary, settled


def _await_settled(lab: Lab, crew: list[Member]) -> str:
    """Wait until both hosts are as a pair has them. Returns: the primary.

    A machine at work may part a healed pair for a moment, which is right; a violation stays.
    """
    deadline = time.monotonic() + QUIET_S_MAX
    while True:
        primary = await_pair(lab)
        (secondary,) = (host for host in plan.NODES if host != primary)
        try:
            _check_processes(lab, primary, secondary, crew)
            _check_address(lab, primary)
            _check_mounts(lab, primary, secondary)
            _check_generations(lab)
        except Violation:
            if time.monotonic() > deadline:
                raise
            time.sleep(_POLL_S)
        else:
            return primary


def holders(lab: Lab) -> list[str]:
    """Who holds the virtual address."""
    return [
        host
        for host in plan.NODES
        if plan.VIRTUAL_IP in lab.exec(host, ["ip", "-o", "address"]).stdout
    ]


def _check_address(lab: Lab, primary: str) -> None:
    if (found := holders(lab)) != [primary]:
        raise Violation(f"the address is held by {found}, {primary} is primary")


def _check_processes(lab: Lab, primary: str, secondary: str, crew: list[Member]) -> None:
    """One process listens, one works for each member; the others have ended with theirs."""
    wanted = {primary: 1 + sum(member.is_connected for member in crew), secondary: 0}
    found = {host: performers(lab, host) for host in wanted}
    if found != wanted:
        raise Violation(f"processes of the application: {found}, not {wanted}")


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

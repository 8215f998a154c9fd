"""One soak: a pair in the lab, a writer, faults at random moments, an audit after each healing.

Ends with exit code 1 at the first violation, after showing the logs of both nodes. The seed gives
the same faults again; what they hit depends on the moment, as it does in life.
"""

import argparse
import random
import sys
import time

from mirror.adapters.lab import module_setup, plan, status
from mirror.adapters.lab.client import Lab
from mirror.adapters.lab.comparison import compare_hosts
from tests.lab.writer import writing
from tests.soak.faults import FAULTS, MODULE, heal

HEALED_S_MAX = 90.0
EQUAL_S_MAX = 15.0
PAIR = {"PRIM (Ready)", "SECOND (Ready)"}


class Violation(Exception):
    """A rule was broken."""


def states(lab: Lab) -> dict[str, str]:
    return {host: str(status.module_states(lab, host).get(MODULE)) for host in plan.NODES}


def await_pair(lab: Lab) -> str:
    """Wait until one node is PRIM and the other SECOND, both Ready. Returns: the primary."""
    deadline = time.monotonic() + HEALED_S_MAX
    while set((now := states(lab)).values()) != PAIR:
        if time.monotonic() > deadline:
            raise Violation(f"not a pair again after {HEALED_S_MAX:.0f} s: {now}")
        time.sleep(0.1)
    return next(host for host, state in now.items() if state.startswith("PRIM"))


def audit(lab: Lab, primary: str, ledgers: dict[str, set[int]]) -> None:
    """Each number that was said is there, the address is at one node, both disks are equal."""
    for path, said in ledgers.items():
        held = {int(line) for line in lab.exec(primary, ["cat", path]).stdout.split()}
        if said - held:
            raise Violation(f"{len(said - held)} acknowledged writes are lost in {path}")
    holders = [
        host
        for host in plan.NODES
        if plan.VIRTUAL_IP in lab.exec(host, ["ip", "-o", "address"]).stdout
    ]
    if holders != [primary]:
        raise Violation(f"the address is held by {holders}, {primary} is primary")
    deadline = time.monotonic() + EQUAL_S_MAX
    while differences := compare_hosts(lab, MODULE):
        if time.monotonic() > deadline:
            raise Violation(f"different: {[str(each) for each in differences][:10]}")
        time.sleep(0.5)


def turn(lab: Lab, number: int, chance: random.Random, ledgers: dict[str, set[int]]) -> str:
    """One fault under load, then healing and audit. Returns: its line for the reader."""
    primary = await_pair(lab)
    fault, host = chance.choice(FAULTS), chance.choice(plan.NODES)
    path = f"{plan.REPLICATED_DIRECTORY}/ledger-{number}"
    began = time.monotonic()
    with writing(lab, primary, path) as writer:
        time.sleep(chance.uniform(0.0, 0.5))  # the moment is part of the fault
        fault(lab, host, chance)
        time.sleep(chance.uniform(0.0, 4.0))
        ledgers[path] = set(writer.stop())
    heal(lab)
    survivor = await_pair(lab)
    audit(lab, survivor, ledgers)
    role = "PRIM" if host == primary else "SECOND"
    return (
        f"{fault.__name__} of {role} {host}: {len(ledgers[path])} writes kept,"
        f" {survivor} serves, {time.monotonic() - began:.1f} s"
    )


def soak(seed: int, minutes: float) -> int:
    """Run. Returns: the exit code."""
    chance = random.Random(seed)
    ledgers: dict[str, set[int]] = {}
    end = time.monotonic() + minutes * 60
    print(f"soak: seed {seed}, {minutes:g} min", flush=True)
    with Lab.up(f"soak-{seed}", bound=True) as lab:
        module_setup.set_up(lab, module_setup.find_module(MODULE))
        number = 0
        try:
            while time.monotonic() < end:
                print(f"  {number:3} {turn(lab, number, chance, ledgers)}", flush=True)
                number += 1
        except (Violation, AssertionError) as error:
            print(f"soak: seed {seed}, turn {number}: {error}", file=sys.stderr)
            for host in plan.NODES:
                command = ["mirror", "log", "-m", MODULE, "-A", "-s", "60"]
                print(lab.exec(host, command, check=False).stdout, file=sys.stderr)
            return 1
    kept = sum(map(len, ledgers.values()))
    print(f"soak: seed {seed}: {number} faults, {kept} acknowledged writes, lost 0, different 0")
    return 0


def main() -> int:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="soak")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1, 1_000_000))
    parser.add_argument("--minutes", type=float, default=2.0)
    arguments = parser.parse_args()
    return soak(arguments.seed, arguments.minutes)


if __name__ == "__main__":
    sys.exit(main())

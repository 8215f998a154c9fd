"""One soak: a pair in the lab, its application at work, faults at random moments, audits.

Ends with exit code 1 at the first violation, after showing the logs of both nodes. The seed gives
the same faults and the same work again; what a fault hits depends on the moment, as in life. The
log of each worker stays, and replays what it did (tests.workload).
"""

import argparse
import random
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from mirror.adapters.lab import module_setup, plan
from mirror.adapters.lab.client import Lab
from mirror.errors import LabVerbRefused, MirrorError
from tests.soak import audit
from tests.soak.audit import MODULE, Violation
from tests.soak.crew import Member
from tests.soak.faults import FAULTS, INTERRUPTIONS, heal
from tests.workload.hand import HandLost
from tests.workload.worker import Wrong

WORKERS = 3
MODULE_DIRECTORY = Path(__file__).parent / "module" / MODULE
WORK_S_MAX = 1.5
FAULT_S_MAX = 4.0


class Soak:
    """One run. say: where its story goes."""

    def __init__(self, lab: Lab, seed: int, logs: Path) -> None:
        self._lab = lab
        self._chance = random.Random(seed)
        self._began = time.monotonic()
        self.crew = [
            Member(lab, number, seed * 100 + number, logs / f"worker-{number}.log")
            for number in range(WORKERS)
        ]
        self.turns = 0

    def say(self, text: str) -> None:
        """A line of the story."""
        print(f"{time.monotonic() - self._began:7.1f} s  {text}", flush=True)

    def turn(self) -> None:
        """Work, a fault under it, healing, an audit. Raises: Violation, Wrong, HandLost."""
        primary = audit.await_pair(self._lab)
        (secondary,) = (host for host in plan.NODES if host != primary)
        fault = self._chance.choice(FAULTS)
        host = secondary if fault.only_second else self._chance.choice(plan.NODES)
        role = "PRIM" if host == primary else "SECOND"
        done = sum(member.worker.done for member in self.crew)
        for member in self.crew:
            member.begin()
        time.sleep(self._chance.uniform(0.0, WORK_S_MAX))  # the moment is part of the fault
        self.say(f"{self.turns:3} {fault.name} of {role} {host}")
        with suppress(LabVerbRefused):  # what it is to kill has gone by itself meanwhile
            fault.act(self._lab, host, self._chance)
        time.sleep(self._chance.uniform(0.0, FAULT_S_MAX))
        heal(self._lab)
        if self._chance.random() < 0.3:
            self._interrupt()
        audit.await_pair(self._lab)
        self._stop()
        survivor, settled = audit.check(self._lab, self.crew)
        done = sum(member.worker.done for member in self.crew) - done
        self.say(f"    {survivor} serves, {done} operations, under way: {', '.join(settled)}")
        self.turns += 1

    def _interrupt(self) -> None:
        """Once more while the pair heals: the node that does not serve, in its reintegration."""
        time.sleep(self._chance.uniform(0.0, 2.0))
        now = audit.states(self._lab)
        others = [host for host, state in now.items() if not state.startswith(("PRIM", "ALONE"))]
        if len(others) != 1:
            return
        fault = self._chance.choice(INTERRUPTIONS)
        self.say(f"    and {fault.name} of {others[0]}, {now[others[0]]}")
        with suppress(LabVerbRefused):  # it has gone by itself meanwhile
            fault.act(self._lab, others[0], self._chance)
        time.sleep(self._chance.uniform(0.0, 2.0))
        heal(self._lab)

    def _stop(self) -> None:
        for member in self.crew:
            member.ask_to_end()
        for member in self.crew:
            member.end()


def soak(seed: int, minutes: float) -> int:
    """Run. Returns: the exit code."""
    print(f"soak: seed {seed}, {minutes:g} min", flush=True)
    logs = Path(tempfile.mkdtemp(prefix=f"soak-{seed}-"))
    end = time.monotonic() + minutes * 60
    with Lab.up(f"soak-{seed}", bound=True) as lab:
        run = Soak(lab, seed, logs)
        try:
            module_setup.set_up(lab, MODULE_DIRECTORY)
            run.say("the pair is there")
            while time.monotonic() < end:
                run.turn()
        except (Violation, Wrong, HandLost, MirrorError, AssertionError) as error:
            run.say(f"{type(error).__name__}: {error}")
            print(f"soak: seed {seed}, turn {run.turns}: logs of the workers in {logs}")
            for host in plan.NODES:
                with suppress(MirrorError):
                    command = ["mirror", "log", "-m", MODULE, "-A", "-s", "60"]
                    print(host, lab.exec(host, command, check=False).stdout)
            return 1
    done = sum(member.worker.done for member in run.crew)
    print(f"soak: seed {seed}: {run.turns} faults, {done} operations, lost 0, different 0")
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

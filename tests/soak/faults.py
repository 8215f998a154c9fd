"""The faults of a soak: each hurts one host of a pair, and can be undone."""

import random
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from mirror.adapters.lab import plan
from mirror.adapters.lab.client import Lab
from mirror.errors import LabVerbRefused, MirrorError
from tests.soak.audit import MODULE

COMMAND_S_MAX = 60.0


@dataclass(frozen=True, slots=True)
class Fault:
    """only_second: of the primary it would be no single failure, or one that loses by design.

    A primary that is cut off from everybody goes on, and so does the other one, which clients
    reach: without a witness, as SafeKit. What the clients wrote there is kept aside afterwards.
    """

    name: str
    act: Callable[[Lab, str, random.Random], object]
    only_second: bool = False


def _cut_one(lab: Lab, host: str, chance: random.Random) -> None:
    lab.cut(host, chance.choice(plan.LANS), chance.choice(("both", "in", "out")))


def _command(lab: Lab, host: str, verb: str) -> None:
    lab.exec(host, ["mirror", verb, "-m", MODULE], check=False, timeout_s=COMMAND_S_MAX)


POWER_OFF = Fault("loss of power", lambda lab, host, _: lab.power_off(host))
KILL_DATA = Fault("death of the data plane", lambda lab, host, _: lab.kill(host, "data"))
CUT_ALL = Fault("cut from all networks", lambda lab, host, _: lab.cut(host), only_second=True)
FAULTS = (
    POWER_OFF,
    KILL_DATA,
    CUT_ALL,
    Fault("death of the control plane", lambda lab, host, _: lab.kill(host, "control")),
    Fault("death of all processes", lambda lab, host, _: lab.kill(host, "all")),
    Fault("cut of one network", _cut_one),
    Fault("pause", lambda lab, host, _: lab.pause(host)),
    Fault("full disk", lambda lab, host, _: lab.fill_disk(host), only_second=True),
    Fault("swap", lambda lab, host, _: _command(lab, host, "swap")),
    Fault("stop and start", lambda lab, host, _: _command(lab, host, "stopstart")),
)
INTERRUPTIONS = (POWER_OFF, KILL_DATA, CUT_ALL)


def heal(lab: Lab) -> None:
    """Undo whatever was done: power, cables, pauses, full disks."""
    facts = lab.facts()["hosts"]
    for host in plan.NODES:
        if not facts[host]["up"]:
            lab.boot(host)
        elif facts[host]["paused"]:
            with suppress(LabVerbRefused):
                lab.resume(host)
    lab.heal()
    for host in plan.NODES:
        with suppress(MirrorError):  # it was not full
            lab.free_disk(host)

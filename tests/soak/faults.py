"""The faults of a soak: each hurts one host of a pair, and can be undone."""

import random
from collections.abc import Callable
from contextlib import suppress

from mirror.adapters.lab import plan
from mirror.adapters.lab.client import Lab
from mirror.errors import LabVerbRefused

MODULE = "mirror"


def power_off(lab: Lab, host: str, _chance: random.Random) -> None:
    lab.power_off(host)


def kill_data(lab: Lab, host: str, _chance: random.Random) -> None:
    lab.kill(host, "data")


def kill_control(lab: Lab, host: str, _chance: random.Random) -> None:
    lab.kill(host, "control")


def kill_all(lab: Lab, host: str, _chance: random.Random) -> None:
    lab.kill(host, "all")


def cut_one(lab: Lab, host: str, chance: random.Random) -> None:
    lab.cut(host, chance.choice(("lan1", "lan2")), chance.choice(("both", "in", "out")))


def cut_all(lab: Lab, host: str, _chance: random.Random) -> None:
    lab.cut(host)


def pause(lab: Lab, host: str, _chance: random.Random) -> None:
    lab.pause(host)


def swap(lab: Lab, host: str, _chance: random.Random) -> None:
    lab.exec(host, ["mirror", "swap", "-m", MODULE], check=False, timeout_s=60)


def stop_and_start(lab: Lab, host: str, _chance: random.Random) -> None:
    lab.exec(host, ["mirror", "stopstart", "-m", MODULE], check=False, timeout_s=60)


Fault = Callable[[Lab, str, random.Random], None]
FAULTS: tuple[Fault, ...] = (
    power_off,
    kill_data,
    kill_control,
    kill_all,
    cut_one,
    cut_all,
    pause,
    swap,
    stop_and_start,
)


def heal(lab: Lab) -> None:
    """Undo whatever was done: power, cables, pauses."""
    facts = lab.facts()["hosts"]
    for host in plan.NODES:
        if not facts[host]["up"]:
            lab.boot(host)
        elif facts[host]["paused"]:
            with suppress(LabVerbRefused):
                lab.resume(host)
    lab.heal()

"""The watchdog on real nodes: a stand-in device is quiet only while the node may serve."""

import os
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from mirror.adapters.lab import module_setup, plan
from mirror.adapters.lab.client import Lab
from tests.lab.looking import RETURN_S
from tests.soak import partitions

pytestmark = [pytest.mark.lab, pytest.mark.slow]

DEVICE = "/run/dog"
# Longer than a profile has it: a machine at work must not look as one that stands still.
TIMEOUT_S = 20.0
FIRES_S = 8.0  # the part of it that daemon/watchdog_keeper.py gives it


class Dog(threading.Thread):
    """Outside of its host, as hardware is: resets the host when it is not petted in time."""

    def __init__(self, lab: Lab, host: str) -> None:
        super().__init__(daemon=True)
        self._lab = lab
        self._host = host
        root = f"/proc/{lab.pid(host)}/root"
        self._device = os.open(root + DEVICE, os.O_RDONLY | os.O_NONBLOCK)
        self.armed_s = 0.0
        self.fired_s = 0.0
        self._ended = threading.Event()

    def run(self) -> None:
        # As hardware, it waits for nobody.
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
        petted_s = 0.0
        while not self._ended.wait(0.02):
            said = b""
            with suppress(BlockingIOError):
                said = os.read(self._device, 4096)
            now_s = time.monotonic()
            if said:
                self.armed_s = self.armed_s or now_s
                petted_s = 0.0 if said.endswith(b"V") else now_s
            if petted_s and now_s - petted_s > FIRES_S:
                self._lab.power_off(self._host)
                self.fired_s = time.monotonic()
                return

    def end(self) -> None:
        """Look no more."""
        self._ended.set()
        self.join()
        os.close(self._device)


@pytest.fixture(name="lab")
def _lab(run_name: str) -> Iterator[Lab]:
    with Lab.up(f"{run_name}-dog", bound=True) as lab:
        yield lab


def module_with_a_watchdog(directory: Path) -> Path:
    module = directory / partitions.MODULE
    shutil.copytree(partitions.MODULE_DIRECTORY, module)
    file = module / "conf/userconfig.xml"
    file.write_text(
        file.read_text().replace(
            'profile="fast"', f'profile="standard" timeout="{TIMEOUT_S:.0f}s" watchdog="{DEVICE}"'
        )
    )
    return module


def await_word(lab: Lab, host: str, word: str) -> float:
    """Wait for a state. Returns: when it was seen."""
    command = ["mirror", "waitstate", "-m", partitions.MODULE, word]
    lab.exec(host, command, timeout_s=RETURN_S)
    return time.monotonic()


@pytest.fixture(name="dogs")
def _dogs(lab: Lab) -> Iterator[list[Dog]]:
    """One at each node; nothing pets them yet."""
    for host in plan.NODES:
        lab.exec(host, ["mkfifo", DEVICE])
    dogs = [Dog(lab, host) for host in plan.NODES]
    for dog in dogs:
        dog.start()
    yield dogs
    for dog in dogs:
        dog.end()


def first_acknowledged(lab: Lab) -> partitions.Acknowledged:
    ledgers, deadline = partitions.Ledgers(lab), time.monotonic() + RETURN_S
    while not (lines := ledgers.read()):
        assert time.monotonic() < deadline, "nothing is acknowledged"
        time.sleep(0.1)
    return lines[0]


def test_a_node_that_stands_still_is_reset_before_the_other_serves(
    lab: Lab, dogs: list[Dog], tmp_path: Path
) -> None:
    module_setup.set_up(lab, module_with_a_watchdog(tmp_path))
    first = first_acknowledged(lab)
    assert dogs[0].armed_s < first.before / 1e9  # armed before anything was acknowledged
    assert all(dog.armed_s and not dog.fired_s for dog in dogs)
    module_setup.await_spare(lab, "n1")
    lab.kill("n1", "control")  # a new one is there in time
    time.sleep(FIRES_S + 0.5)
    assert not dogs[0].fired_s
    lab.pause("n1")
    alone_s = await_word(lab, "n2", "ALONE")
    dogs[0].join(RETURN_S)
    assert dogs[0].fired_s
    assert dogs[0].fired_s < alone_s
    lab.exec("n2", ["mirror", "stop", "-m", partitions.MODULE], timeout_s=RETURN_S)
    await_word(lab, "n2", "STOP")
    time.sleep(FIRES_S + 0.5)
    assert not dogs[1].fired_s  # disarmed by an orderly stop

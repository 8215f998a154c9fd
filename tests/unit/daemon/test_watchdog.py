"""The watchdog by a FIFO that stands in for the device: armed, petted, left alone, disarmed."""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from mirror.adapters.cgroups import ROOT_GROUP, ControlGroup, find_cgroup2
from mirror.adapters.watchdog import Watchdog
from mirror.config.layout import Layout
from mirror.daemon.node.health import Health
from mirror.daemon.watchdog_keeper import PET_MS, WatchdogKeeper
from mirror.errors import WatchdogNotArmed


class Dog:
    """The other end of the FIFO."""

    def __init__(self, path: Path) -> None:
        os.mkfifo(path)
        self.path = path
        self._descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)

    def heard(self) -> bytes:
        try:
            return os.read(self._descriptor, 4096)
        except BlockingIOError:
            return b""

    def close(self) -> None:
        os.close(self._descriptor)


@pytest.fixture(name="dog")
def _dog(tmp_path: Path) -> Iterator[Dog]:
    dog = Dog(tmp_path / "watchdog")
    yield dog
    dog.close()


@pytest.fixture(name="module")
def _module(run_name: str) -> str:
    return f"{run_name}w"


@pytest.fixture(name="keeper")
def _keeper(tmp_path: Path, dog: Dog, module: str) -> WatchdogKeeper:
    layout = Layout(tmp_path / "safe", tmp_path / "var")
    state = layout.module(module).state
    state.mkdir(parents=True)
    facts = {"module": module, "node": "n1", "peer": "n2", "timeout_ms": 5000, "addresses": []}
    facts |= {"directories": [], "watchdog": str(dog.path)}
    (state / "guardian.json").write_text(json.dumps(facts))
    return WatchdogKeeper(layout)


def test_a_device_is_armed_petted_and_disarmed(dog: Dog) -> None:
    watchdog = Watchdog(dog.path, 3)
    watchdog.arm()
    watchdog.arm()
    assert watchdog.armed
    assert dog.heard() == b"\0"
    assert watchdog.pet()
    assert dog.heard() == b"\0"
    watchdog.disarm()
    watchdog.disarm()
    assert dog.heard() == b"V"


def test_a_device_that_is_not_there_or_is_none_is_said(tmp_path: Path) -> None:
    with pytest.raises(WatchdogNotArmed, match="No such file"):
        Watchdog(tmp_path / "none", 3).arm()
    with pytest.raises(WatchdogNotArmed, match="MIR-222"):
        Watchdog(Path("/dev/null"), 3).arm()  # a device, but it knows no timeout


def test_it_counts_while_a_module_wants_it(keeper: WatchdogKeeper, dog: Dog) -> None:
    keeper.turn(1000, wanted=False, alive=True)
    assert dog.heard() == b""
    keeper.turn(2000, wanted=True, alive=True)
    assert keeper.armed
    assert dog.heard() == b"\0"
    keeper.turn(2000 + PET_MS - 1, wanted=True, alive=True)
    assert dog.heard() == b""
    keeper.turn(2000 + PET_MS, wanted=True, alive=True)
    assert dog.heard() == b"\0"
    keeper.turn(3000, wanted=False, alive=True)
    assert dog.heard() == b"V"


def test_without_a_control_plane_it_fires_unless_nothing_is_left_here(
    keeper: WatchdogKeeper, dog: Dog, module: str
) -> None:
    cgroup2 = find_cgroup2()
    if cgroup2 is None:
        pytest.skip("no control groups of version 2 here")
    everything = ControlGroup(cgroup2 / ROOT_GROUP / module)
    group = ControlGroup(everything.path / "app")
    group.create()
    keeper.turn(1000, wanted=True, alive=True)
    dog.heard()
    application = subprocess.Popen(group.enter(["sleep", "1000"]))
    try:
        while not group.populated():
            pass
        for at_ms in range(2000, 8000, 100):
            keeper.turn(at_ms, wanted=True, alive=False)
        assert dog.heard() == b""
        keeper.end(in_order=False)
        assert dog.heard() == b""  # not disarmed either: somebody still could write
    finally:
        application.kill()
        application.wait()
    while group.populated():
        pass
    keeper.turn(9000, wanted=True, alive=False)
    assert dog.heard() == b"\0"
    keeper.end(in_order=False)
    assert dog.heard() == b"V"
    everything.remove()


def test_what_the_guardian_hears_says_whether_it_is_wanted() -> None:
    for loaded in (False, True):
        for guarded in (False, True):
            health = Health(loaded, 3, 5000, guarded)
            assert Health.decode(health.encode()) == health

"""What no kernel mechanism removes when a lab ends: control groups, disk images, its name.

A small process forked by the keeper does it, whatever the keeper dies of. While it lives it holds
a lock on the lab's directory in the registry: who gets the lock knows that the lab is gone.
"""

import fcntl
import os
import shutil
import sys
import time
from contextlib import suppress
from pathlib import Path

from mirror.adapters.lab import linux, plan
from mirror.adapters.lab.cgroup import ControlGroup

_DEATH_S = 20.0
_POLL_S = 0.01


def start(lab: plan.LabPlan, registry: Path, keeper_only: tuple[int, ...]) -> None:
    """Fork the sweeper; the caller's end makes it act.

    keeper_only: descriptors that the sweeper must not hold.
    """
    read_end, write_end = os.pipe()
    started, starting = os.pipe()
    if os.fork():
        os.close(read_end)
        os.close(starting)
        assert os.read(started, 1) == b"l", "the lab's name could not be locked"
        os.close(started)
        # write_end stays open, unnamed, for as long as the keeper lives.
        return
    for descriptor in (write_end, started, *keeper_only):
        if descriptor >= 0:
            os.close(descriptor)
    os.setsid()  # a signal to the keeper's process group must not reach this one
    linux.set_name("lab-sweeper")
    lock = os.open(registry, os.O_RDONLY | os.O_CLOEXEC)
    fcntl.flock(lock, fcntl.LOCK_EX)
    os.write(starting, b"l")
    os.close(starting)
    os.read(read_end, 1)
    try:
        sweep(lab, registry)
    except OSError as error:
        sys.stderr.write(f"lab sweeper: {error}\n")
    os._exit(0)


def sweep(lab: plan.LabPlan, registry: Path) -> None:
    """Remove all that a dead keeper's lab left; its cgroup mount must be this process's own.

    Never follows a mount: the hierarchy is unmounted before anything is removed.
    """
    groups = registry / "cgroup" / f"mirror-lab-{lab.lab_id}"
    for host in lab.hosts:
        ControlGroup(groups / host.name).kill(_DEATH_S)
    ControlGroup(groups).remove()
    _await_free_disks(lab)
    faulty = [Path(lab.directory) / host.name / plan.FAULTY for host in lab.hosts]
    for mount_point in (registry / "cgroup", *faulty):
        with suppress(OSError):  # not made, or not mounted
            linux.unmount(mount_point, linux.MNT_DETACH)
    forget(lab, registry)


def forget(lab: plan.LabPlan, registry: Path) -> None:
    """Remove the files of a lab, and its name."""
    if lab.kept:
        for host in lab.hosts:
            for name in ("root", plan.FAULTY):
                with suppress(OSError):
                    (Path(lab.directory) / host.name / name).rmdir()
    else:
        shutil.rmtree(lab.directory, ignore_errors=True)
    for name in ("keeper.sock", "lab.json", "module"):
        (registry / name).unlink(missing_ok=True)
    with suppress(OSError):
        (registry / "cgroup").rmdir()
    with suppress(OSError):
        registry.rmdir()


def _await_free_disks(lab: plan.LabPlan) -> None:
    deadline = time.monotonic() + _DEATH_S
    while any(linux.loop_label(loop).startswith(lab.label("")) for loop in _loop_devices()):
        if time.monotonic() > deadline:
            sys.stderr.write(f"lab sweeper: a disk of {lab.directory} stays mounted\n")
            return
        time.sleep(_POLL_S)


def _loop_devices() -> list[Path]:
    """Those in use; a free one has no such file."""
    backed = Path("/sys/block").glob("loop*/loop/backing_file")
    return [Path("/dev") / file.parts[-3] for file in backed]

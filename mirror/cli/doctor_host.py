"""Checks of `mirror doctor` that look at this host: control groups, limits, unit, rights."""

import os
import shutil
import stat
from pathlib import Path

from mirror.adapters.cgroups import find_cgroup2
from mirror.cli.finding import Finding, fine
from mirror.cli.session import Session
from mirror.config.systemd_unit import NAME

WATCHES_MIN = 65_536  # capture="watch" takes one for each directory
INSTANCES_MIN = 128
SYSTEMD = Path("/run/systemd/system")
UNIT = Path("/etc/systemd/system") / NAME
PROGRAMS = {"ip": "iproute2", "nft": "nftables", "setsid": "util-linux"}
INOTIFY = Path("/proc/sys/fs/inotify")


def control_groups(_session: Session) -> Finding:
    """Control groups."""
    mount = find_cgroup2()
    if mount is not None:
        return fine("control groups", f"version 2 at {mount}")
    return Finding(
        "control groups",
        "warning",
        "no writable cgroup2",
        "boot with systemd.unified_cgroup_hierarchy=1: a forced stop then ends everything",
    )


def watches(_session: Session) -> Finding:
    """Limits of inotify."""
    for name, least in (("max_user_watches", WATCHES_MIN), ("max_user_instances", INSTANCES_MIN)):
        value = int((INOTIFY / name).read_text(encoding="ascii"))
        if value < least:
            return Finding(
                "inotify",
                "warning",
                f"{name} is {value}",
                f"`sysctl fs.inotify.{name}={least}`, in /etc/sysctl.d too",
            )
    return fine("inotify", "its limits are high enough")


def programs(_session: Session) -> Finding:
    """Programs of the system."""
    missing = {name: package for name, package in PROGRAMS.items() if shutil.which(name) is None}
    if missing:
        words = ", ".join(missing)
        packages = " ".join(sorted(set(missing.values())))
        return Finding("programs", "problem", f"missing: {words}", f"`apt install {packages}`")
    return fine("programs", ", ".join(PROGRAMS))


def rights(session: Session) -> Finding:
    """Rights of the directories."""
    layout = session.layout
    for path in (layout.run, layout.pki):
        if path.is_dir() and stat.S_IMODE(path.stat().st_mode) & 0o077:
            return Finding("rights", "problem", f"{path} is open to others", f"`chmod 700 {path}`")
    for path in (layout.safe, layout.safevar):
        if path.exists() and not os.access(path, os.W_OK):
            return Finding("rights", "problem", f"{path} cannot be written", "run as root")
    return fine("rights", "sockets and keys are the owner's only")


def service(session: Session) -> Finding:
    """Start at boot."""
    if not SYSTEMD.is_dir():
        return fine("start at boot", "systemd does not run here: not looked at")
    if UNIT.is_file():
        return fine("start at boot", f"{NAME} is installed")
    del session
    return Finding("start at boot", "warning", f"no {NAME}", "`mirror service install`")


CHECKS = (control_groups, watches, programs, rights, service)

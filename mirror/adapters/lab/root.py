"""The root filesystem of a host: its own disk, with the real machine's programs shown read-only.

The disk is the root, so every directory that is not a program's is the host's own, and a
replicated directory may lie anywhere. Runs inside the host's mount namespace, before its root is
entered; what it mounts is seen by nobody else.
"""

import os
import shutil
import stat
import sys
from contextlib import suppress
from pathlib import Path

import mirror
from mirror.adapters.lab import linux, plan

# Top-level directories of the disk itself; every other one of the real machine is shown read-only.
_OWN = ("etc", "opt", "root", "srv", "tmp", "var")
# Made anew for each host, on no disk; or of no use inside one.
_KERNEL = ("dev", "proc", "run", "sys")
_HIDDEN = ("boot", "lost+found", "media", "mnt")
_PREPARED = ".lab-prepared"
_DEVICES = {
    "null": (0o666, 1, 3),
    "zero": (0o666, 1, 5),
    "full": (0o666, 1, 7),
    "random": (0o666, 1, 8),
    "urandom": (0o666, 1, 9),
    "tty": (0o666, 5, 0),
    "fuse": (0o666, 10, 229),
}


def build(root: Path, host: plan.HostPlan, lab: plan.LabPlan) -> None:
    """Make `root`, where the host's disk is mounted, a root filesystem; fill a new disk first."""
    if not (root / _PREPARED).exists():
        _fill_new_disk(root)
        cluster = Path(lab.directory) / plan.CLUSTER_FILES / host.name
        if cluster.is_dir():
            shutil.copytree(cluster, root / plan.SAFEVAR[1:] / "cluster")
        (root / _PREPARED).touch()
    _name_host(root, host, lab.hosts)
    _show_programs(root)
    _mount_kernel_filesystems(root)
    _show_own_code(root)


def _fill_new_disk(root: Path) -> None:
    """What an installation would have written: /etc, and the empty places that programs expect."""
    for name in _OWN:
        (root / name).mkdir(exist_ok=True)
    (root / "tmp").chmod(0o1777)
    (root / "root").chmod(0o700)
    (root / "srv/mirror").mkdir()
    shutil.copytree("/etc", root / "etc", symlinks=True, dirs_exist_ok=True, copy_function=_copy)
    for directory, _, _ in os.walk("/etc"):
        _copy_owner(Path(directory), root / directory[1:])
    # The real machine's databases are not the host's.
    shutil.rmtree(root / "etc/postgresql", ignore_errors=True)
    (root / "etc/postgresql").mkdir()
    _copy_empty(Path("/var"), root / "var", depth=2)
    for name in (plan.SAFE, plan.SAFEVAR):
        (root / name[1:]).mkdir(parents=True, exist_ok=True)
    (root / plan.COMMANDS[1:]).mkdir(parents=True)
    # As an installation leaves it: scripts of modules say $SAFE/safekit.
    safekit = root / plan.SAFE[1:] / "safekit"
    # The scripts' own PATH is the system's: the wrapper names the program.
    safekit.write_text(f'#!/bin/sh\nexec {plan.COMMANDS}/mirror "$@"\n')
    safekit.chmod(0o755)


def _copy(source: str, target: str) -> None:
    if not stat.S_ISREG(os.lstat(source).st_mode):
        return  # a socket or a pipe of the real machine
    shutil.copy2(source, target)
    _copy_owner(Path(source), Path(target))


def _copy_owner(source: Path, target: Path) -> None:
    status = source.lstat()
    os.lchown(target, status.st_uid, status.st_gid)


def _copy_empty(source: Path, target: Path, depth: int) -> None:
    """Directories and links of `source` down to `depth`, without any file."""
    target.mkdir(exist_ok=True)
    target.chmod(stat.S_IMODE(source.stat().st_mode))
    _copy_owner(source, target)
    for entry in source.iterdir():
        if entry.is_symlink():
            with suppress(FileExistsError):
                (target / entry.name).symlink_to(entry.readlink())
        elif entry.is_dir() and depth > 0:
            _copy_empty(entry, target / entry.name, depth - 1)


def _name_host(root: Path, host: plan.HostPlan, hosts: tuple[plan.HostPlan, ...]) -> None:
    (root / "etc/hostname").write_text(f"{host.name}\n")
    lines = ["127.0.0.1 localhost", "::1 localhost ip6-localhost"]
    for other in hosts:
        for port in other.ports:
            names = [other.name] if port.lan == plan.LANS[0] else []
            lines.append(" ".join([port.address, *names, f"{other.name}.{port.lan}"]))
    lines.append(f"{plan.VIRTUAL_IP} virtual")
    (root / "etc/hosts").write_text("\n".join(lines) + "\n")


def _show_programs(root: Path) -> None:
    for entry in Path("/").iterdir():
        if entry.name in (*_OWN, *_KERNEL, *_HIDDEN):
            continue
        target = root / entry.name
        if entry.is_symlink():
            with suppress(FileExistsError):
                target.symlink_to(entry.readlink())
        elif entry.is_dir():
            target.mkdir(exist_ok=True)
            linux.bind(entry, target, read_only=True)
    packages = Path("/var/lib/dpkg")
    if packages.is_dir():
        linux.bind(packages, root / "var/lib/dpkg", read_only=True)


def _mount_kernel_filesystems(root: Path) -> None:
    for name in _KERNEL:
        (root / name).mkdir(exist_ok=True)
    protected = linux.MS_NOSUID | linux.MS_NODEV | linux.MS_NOEXEC
    linux.mount("proc", root / "proc", "proc", protected)
    linux.mount("sysfs", root / "sys", "sysfs", protected)
    # Without the fuse control filesystem nobody could end a connection that hangs.
    with suppress(OSError):
        linux.mount("fusectl", root / "sys/fs/fuse/connections", "fusectl", protected)
    linux.mount("cgroup2", root / "sys/fs/cgroup", "cgroup2", protected)
    linux.mount("tmpfs", root / "run", "tmpfs", linux.MS_NOSUID | linux.MS_NODEV, "mode=0755")
    (root / "run/lock").mkdir()
    (root / "run/lock").chmod(0o1777)
    _make_devices(root / "dev")


def _make_devices(dev: Path) -> None:
    linux.mount("tmpfs", dev, "tmpfs", linux.MS_NOSUID, "mode=0755")
    for name, (mode, major, minor) in _DEVICES.items():
        os.mknod(dev / name, stat.S_IFCHR | mode, os.makedev(major, minor))
        (dev / name).chmod(mode)
    for name, number in (("stdin", 0), ("stdout", 1), ("stderr", 2)):
        (dev / name).symlink_to(f"/proc/self/fd/{number}")
    (dev / "fd").symlink_to("/proc/self/fd")
    (dev / "ptmx").symlink_to("pts/ptmx")
    for name in ("pts", "shm"):
        (dev / name).mkdir()
    linux.mount("devpts", dev / "pts", "devpts", 0, "newinstance,ptmxmode=0666,mode=0620")
    linux.mount("tmpfs", dev / "shm", "tmpfs", linux.MS_NOSUID | linux.MS_NODEV, "mode=1777")


def _show_own_code(root: Path) -> None:
    """The interpreter and this package, where they are hidden by a directory of the disk."""
    package = Path(mirror.__file__).resolve().parent
    source_tree = package.parent
    code = source_tree if (source_tree / "pyproject.toml").exists() else package
    prefix = Path(sys.prefix).resolve()
    shown: list[Path] = []
    for tree in sorted(
        {prefix, Path(sys.base_prefix).resolve(), code}, key=lambda t: len(t.parts)
    ):
        hidden = tree.parts[1] in (*_OWN, *_KERNEL, *_HIDDEN)
        if not hidden or any(tree.is_relative_to(outer) for outer in shown):
            continue
        target = root / str(tree)[1:]
        target.mkdir(parents=True, exist_ok=True)
        linux.bind(tree, target, read_only=True)
        shown.append(tree)
    command = root / plan.COMMANDS[1:] / "mirror"
    command.unlink(missing_ok=True)
    command.symlink_to(prefix / "bin/mirror")

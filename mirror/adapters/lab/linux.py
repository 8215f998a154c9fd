"""The system calls a lab needs and Python 3.11 lacks, by ctypes. Each raises OSError.

Nothing here knows what a lab is. Constants are the kernel's (linux/mount.h, sched.h, loop.h).
"""

import ctypes
import errno
import fcntl
import os
import signal
import struct
from pathlib import Path

CLONE_NEWNS = 0x00020000
CLONE_NEWCGROUP = 0x02000000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000

MS_RDONLY = 0x1
MS_NOSUID = 0x2
MS_NODEV = 0x4
MS_NOEXEC = 0x8
MS_BIND = 0x1000
MS_REC = 0x4000
MS_PRIVATE = 0x40000
MS_SHARED = 0x100000

MNT_DETACH = 2

_PR_SET_PDEATHSIG = 1
_PR_SET_NAME = 15
_AT_FDCWD = -100
_AT_RECURSIVE = 0x8000
_MOUNT_ATTR_RDONLY = 0x1
# One number on every machine since Linux 5.12; pivot_root is older than that agreement.
_SYS_MOUNT_SETATTR = 442
_SYS_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}

_LOOP_CTL_GET_FREE = 0x4C82
_LOOP_CONFIGURE = 0x4C0A
_LOOP_GET_STATUS64 = 0x4C05
_LO_FLAGS_AUTOCLEAR = 4
_LOOP_INFO_BYTES = 232

# _IOR('X', 125, __u32): EXT4_IOC_SHUTDOWN and XFS_IOC_GOINGDOWN are one number.
_FS_IOC_SHUTDOWN = 0x8004587D
_SHUTDOWN_WITHOUT_LOG_FLUSH = 2

_libc = ctypes.CDLL(None, use_errno=True)


def _checked(result: int, what: str) -> int:
    if result == -1:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), what)
    return result


def unshare(flags: int) -> None:
    """Leave the shared namespaces named by `flags` (CLONE_NEW*)."""
    _checked(_libc.unshare(flags), "unshare")


def mount(source: str, target: Path, kind: str = "", flags: int = 0, options: str = "") -> None:
    """Mount; a relation like MS_BIND needs only source and target."""
    result = _libc.mount(
        source.encode(),
        str(target).encode(),
        kind.encode() or None,
        ctypes.c_ulong(flags),
        options.encode() or None,
    )
    _checked(result, str(target))


def bind(source: Path, target: Path, *, read_only: bool) -> None:
    """Show the tree `source`, with what is mounted beneath it, at `target`."""
    mount(str(source), target, flags=MS_BIND | MS_REC)
    if not read_only:
        return
    # MS_REMOUNT would leave the mounts beneath writable; only mount_setattr is recursive.
    attributes = struct.pack("QQQQ", _MOUNT_ATTR_RDONLY, 0, 0, 0)
    result = _libc.syscall(
        _SYS_MOUNT_SETATTR,
        _AT_FDCWD,
        str(target).encode(),
        _AT_RECURSIVE,
        attributes,
        ctypes.c_size_t(len(attributes)),
    )
    _checked(result, str(target))


def unmount(target: Path, flags: int = 0) -> None:
    """Unmount what is on top at `target`."""
    _checked(_libc.umount2(str(target).encode(), flags), str(target))


def pivot_root(new_root: Path) -> None:
    """Make `new_root`, a mount point, the root; the old root is gone from this namespace."""
    os.chdir(new_root)
    # pivot_root(".", ".") stacks the old root over the new one, so it needs no directory.
    _checked(_libc.syscall(_SYS_PIVOT_ROOT[os.uname().machine], b".", b"."), "pivot_root")
    unmount(Path(), MNT_DETACH)
    os.chdir("/")


def die_with_parent() -> None:
    """Have the kernel kill this process when the thread that forked it ends.

    The caller compares getppid() with what it expects: the parent may be gone already.
    """
    _checked(_libc.prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0), "prctl")


def set_name(name: str) -> None:
    """Name this thread, up to 15 bytes, as `ps` and `top` show it."""
    _checked(_libc.prctl(_PR_SET_NAME, name.encode(), 0, 0, 0), "prctl")


def attach_loop(image: Path, label: str) -> tuple[Path, int]:
    """Attach `image` to a free loop device: its path, and a descriptor the caller closes.

    label: up to 63 bytes, by which loop_label finds it again. The device frees itself when the
    descriptor is closed and nothing is mounted from it, so no end of any process leaves it behind.
    """
    with image.open("r+b") as backing:
        config = _loop_config(backing.fileno(), label)
        while True:
            with Path("/dev/loop-control").open("rb") as control:
                number = fcntl.ioctl(control, _LOOP_CTL_GET_FREE)
            device = Path(f"/dev/loop{number}")
            if not device.exists():
                os.mknod(device, 0o060600, os.makedev(7, number))
            descriptor = os.open(device, os.O_RDWR | os.O_CLOEXEC)
            try:
                fcntl.ioctl(descriptor, _LOOP_CONFIGURE, config)
            except OSError as error:
                os.close(descriptor)
                if error.errno == errno.EBUSY:  # somebody took this one between the two calls
                    continue
                raise
            return device, descriptor


def _loop_config(backing: int, label: str) -> bytes:
    """The kernel's loop_config: fd, block size, loop_info64 (232 bytes), 8 reserved words."""
    numbers = struct.pack("QQQQQIIII", 0, 0, 0, 0, 0, 0, 0, 0, _LO_FLAGS_AUTOCLEAR)
    info = (numbers + label.encode().ljust(64, b"\0")).ljust(_LOOP_INFO_BYTES, b"\0")
    return struct.pack("II", backing, 0) + info + b"\0" * 64


def loop_label(device: Path) -> str:
    """The label given by attach_loop; empty when the device is free.

    The kernel's own name of the backing file would not do: it is seen from a namespace that may
    be half taken apart.
    """
    try:
        with device.open("rb") as opened:
            info = fcntl.ioctl(opened, _LOOP_GET_STATUS64, bytes(_LOOP_INFO_BYTES))
    except OSError:
        return ""
    return info[56:120].split(b"\0")[0].decode(errors="replace")


def punch_hole(file: int, offset_bytes: int, size_bytes: int) -> None:
    """Free the blocks of a range of a file; it reads as zeros."""
    keep_size_and_punch = 3
    result = _libc.fallocate64(
        file, keep_size_and_punch, ctypes.c_int64(offset_bytes), ctypes.c_int64(size_bytes)
    )
    _checked(result, "fallocate")


def cut_power(directory: Path) -> None:
    """Stop the filesystem that holds `directory` as a loss of power does.

    Nothing that is not on its device by now will get there; what runs on it sees EIO.
    """
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.ioctl(descriptor, _FS_IOC_SHUTDOWN, struct.pack("I", _SHUTDOWN_WITHOUT_LOG_FLUSH))
    finally:
        os.close(descriptor)

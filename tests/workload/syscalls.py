"""The system calls that Python's os module lacks, raising OSError as it does."""

import ctypes
import fcntl
import os
import struct
from typing import Any

RENAME_NOREPLACE = 1
RENAME_EXCHANGE = 2
KEEP_SIZE = 1
PUNCH_HOLE = 2
COLLAPSE_RANGE = 8
ZERO_RANGE = 16
INSERT_RANGE = 32
FLAG_SYNC = 0x08
FLAG_IMMUTABLE = 0x10
FLAG_APPEND = 0x20
FLAG_NODUMP = 0x40
FLAG_NOATIME = 0x80
_FLAGS_SET_HERE = FLAG_SYNC | FLAG_IMMUTABLE | FLAG_APPEND | FLAG_NODUMP | FLAG_NOATIME

_FS_IOC_GETFLAGS = 0x80086601
_FS_IOC_SETFLAGS = 0x40086602
_CAPABILITY_VERSION_3 = 0x20080522
_MS_SYNC = 4
_libc = ctypes.CDLL(None, use_errno=True)


def call(name: str, *arguments: Any) -> int:
    """Call a function of the C library. Raises OSError when it returns -1."""
    result = int(getattr(_libc, name)(*arguments))
    if result == -1:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), name)
    return result


def rename(source_fd: int, source: str, target_fd: int, target: str, flags: int) -> None:
    """renameat2(2)."""
    call("renameat2", source_fd, os.fsencode(source), target_fd, os.fsencode(target), flags)


def fallocate(fd: int, mode: int, offset: int, length: int) -> None:
    """fallocate(2)."""
    call("fallocate", fd, mode, ctypes.c_long(offset), ctypes.c_long(length))


def syncfs(fd: int) -> None:
    """syncfs(2)."""
    call("syncfs", fd)


def get_flags(fd: int) -> int:
    """FS_IOC_GETFLAGS."""
    raw = fcntl.ioctl(fd, _FS_IOC_GETFLAGS, bytes(8))
    return int(struct.unpack("=I", raw[:4])[0])


def set_flags(fd: int, flags: int) -> None:
    """FS_IOC_SETFLAGS, of those named above; ext4 has flags of its own, which must stay."""
    kept = get_flags(fd) & ~_FLAGS_SET_HERE
    fcntl.ioctl(fd, _FS_IOC_SETFLAGS, struct.pack("=q", kept | flags))


def act_as(uid: int, gid: int, capabilities: tuple[int, ...]) -> None:
    """Touch files as this user from now on, with these capabilities beyond his own.

    Only the calling thread. The kernel takes the capabilities of the file system away when the
    user is not root; those named are raised again.
    """
    if uid != 0:
        _libc.setfsgid(gid)
        _libc.setfsuid(uid)
    else:
        _libc.setfsuid(uid)
        _libc.setfsgid(gid)
    header = struct.pack("=Ii", _CAPABILITY_VERSION_3, 0)
    data = ctypes.create_string_buffer(24)
    call("capget", header, data)
    effective, permitted, inheritable, effective_high, permitted_high, inheritable_high = (
        struct.unpack("=6I", data.raw)
    )
    if uid == 0:
        effective, effective_high = permitted, permitted_high
    else:
        effective = sum(1 << number for number in capabilities)
        effective_high = 0
    call(
        "capset",
        header,
        struct.pack(
            "=6I",
            *(effective, permitted, inheritable),
            *(effective_high, permitted_high, inheritable_high),
        ),
    )

"""A file handle opens the file that it was made for, or none (an NFS server, fanotify)."""

from __future__ import annotations

import ctypes
import errno
import os
from pathlib import Path

import pytest

from tests.mount.pair import open_pair

pytestmark = pytest.mark.mount

HANDLE_BYTES_MAX = 128
AT_FDCWD = -100
TRIES = 5000


class FileHandle(ctypes.Structure):
    """struct file_handle of name_to_handle_at(2)."""

    _fields_ = (
        ("size", ctypes.c_uint),
        ("kind", ctypes.c_int),
        ("content", ctypes.c_ubyte * HANDLE_BYTES_MAX),
    )

    def place(self) -> bytes:
        """What the kernel finds the object by, without its generation."""
        return bytes(self.content[: self.size - 4])


def handle_of(path: Path) -> FileHandle:
    handle, mount_id = FileHandle(size=HANDLE_BYTES_MAX), ctypes.c_int()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.name_to_handle_at(
        AT_FDCWD, bytes(path), ctypes.byref(handle), ctypes.byref(mount_id), 0
    ):
        raise OSError(ctypes.get_errno(), str(path))
    return handle


def open_by_handle(mount: int, handle: FileHandle) -> int:
    libc = ctypes.CDLL(None, use_errno=True)
    fd = int(libc.open_by_handle_at(mount, ctypes.byref(handle), os.O_RDONLY))
    if fd < 0:
        raise OSError(ctypes.get_errno(), "open_by_handle_at")
    return fd


def test_a_handle_of_a_deleted_file_opens_no_other(tmp_path: Path) -> None:
    with open_pair(tmp_path) as pair:
        pair.go_alone()  # what was deleted is forgotten at once, not at the next checkpoint
        mount = os.open(pair.mount, os.O_RDONLY)
        deleted: dict[bytes, FileHandle] = {}
        for at in range(TRIES):
            path = pair.mount / f"file-{at}"
            path.write_bytes(b"of another")
            handle = handle_of(path)
            os.close(open_by_handle(mount, handle))
            if handle.place() in deleted:
                break
            deleted[handle.place()] = handle
            path.unlink()
        else:
            pytest.fail("no place in memory was used twice")
        with pytest.raises(OSError, match="open_by_handle_at") as refused:
            os.close(open_by_handle(mount, deleted[handle.place()]))
        os.close(mount)
    assert refused.value.errno == errno.ESTALE

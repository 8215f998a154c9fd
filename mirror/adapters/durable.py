"""Files that are whole or absent: written beside, synced, renamed, and the directory synced.

A reader sees the old content or the new one, also after a power loss at any point. Blocking:
callers on an event loop use `asyncio.to_thread`.
"""

import contextlib
import errno
import fcntl
import os
import secrets
from pathlib import Path

_ROOM_BYTES = 4096  # a longer content next time finds room for that much more
# What a replacement needs on btrfs: a quota counts each block of the trees that it may touch.
_SPARE_NAME, _SPARE_BYTES = ".spare", 4 << 20
_BTRFS_IOC_FS_INFO, _BTRFS_FS_INFO_BYTES = 0x8400941F, 1024
_BTRFS_IOC_SYNC = 0x9408
_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT})


def write_durably(path: Path, content: bytes, *, mode: int = 0o600) -> None:
    """Replace `path` by `content`; on return both the bytes and the name are on disk.

    mode: rights of the new file, set before any byte is in it, whatever the umask.
    Raises: OSError; the old file is then untouched and nothing is left beside it.
    """
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}.new")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        try:
            os.fchmod(descriptor, mode)
            _write_all(descriptor, content)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    sync_directory(path.parent)


def write_into_reserve(path: Path, content: bytes, *, durably: bool = True) -> None:
    """Replace `path` by `content`, padded with spaces, as write_durably; on a full disk too.

    durably: False for what the next process needs, and not the next boot: nothing is synced.

    The file that is replaced stays beside as the room of the next one, so that only the first
    write, and one that is a block longer than all before, must find some. For text whose reader
    passes over spaces at its end. Writers in several processes take turns. Where nothing is
    overwritten in place (btrfs) a spare file of the directory makes room, once, until there is
    room for another one.
    Raises: OSError; the old content then still stands.
    """
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(directory, fcntl.LOCK_EX)
        spare = path.with_name(_SPARE_NAME)
        try:
            _replace(path, content, durably=durably)
        except OSError as error:
            if error.errno not in _NO_ROOM or not spare.exists():
                raise
            spare.unlink()
            fcntl.ioctl(directory, _BTRFS_IOC_SYNC)  # only then its room is free
            _replace(path, content, durably=durably)
        if durably:
            os.fsync(directory)
        if not overwrites_in_place(directory) and not spare.exists():
            _make_spare(spare)
    finally:
        os.close(directory)


def overwrites_in_place(directory: int) -> bool:
    """Whether what is written over a file goes where its content was: it then needs no room.

    btrfs writes elsewhere. With its disk full, or a quota exceeded, it refuses every write; and a
    store through a shared mapping ends the process.
    """
    try:
        fcntl.ioctl(directory, _BTRFS_IOC_FS_INFO, bytes(_BTRFS_FS_INFO_BYTES))
    except OSError:
        return True
    return False


def _make_spare(spare: Path) -> None:
    """Without a word when there is no room for it: the next write tries again."""
    try:
        descriptor = os.open(spare, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.posix_fallocate(descriptor, 0, _SPARE_BYTES)
        finally:
            os.close(descriptor)
    except OSError:
        with contextlib.suppress(OSError):
            spare.unlink(missing_ok=True)


def _replace(path: Path, content: bytes, *, durably: bool) -> None:
    reserve, before = (path.with_name(f".{path.name}.{each}") for each in ("reserve", "before"))
    before.unlink(missing_ok=True)
    _fill(reserve, content, len(content) + _ROOM_BYTES, durably=durably)
    with contextlib.suppress(FileNotFoundError):
        before.hardlink_to(path)
    reserve.replace(path)
    if before.exists():
        before.replace(reserve)
    size = path.stat().st_size
    if not reserve.exists() or reserve.stat().st_size < size:
        with contextlib.suppress(OSError):  # no room now: the next write needs some
            _fill(reserve, b"", size, durably=durably)


def _fill(reserve: Path, content: bytes, room: int, *, durably: bool) -> None:
    """Write into blocks that are there already, as far as they go; then as many as are wanted."""
    if reserve.exists() and reserve.stat().st_nlink > 1:  # cut between two names of one file
        reserve.unlink()
    descriptor = os.open(reserve, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        there = os.fstat(descriptor).st_size
        _write_all(descriptor, content.ljust(there))
        wanted = -(-room // _ROOM_BYTES) * _ROOM_BYTES
        with contextlib.suppress(OSError):
            _write_all(descriptor, b" " * (wanted - max(there, len(content))))
        if durably:
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_directory(directory: Path) -> None:
    """Put the names in a directory on disk. Raises: OSError."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def journal_mode(file: Path) -> str:
    """SQLite's for a file: WAL, whose index is a shared mapping, where that cannot end us."""
    descriptor = os.open(file.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        return "WAL" if overwrites_in_place(descriptor) else "TRUNCATE"
    finally:
        os.close(descriptor)


def make_directory(directory: Path, *, mode: int = 0o700) -> None:
    """Create a directory and its missing parents, each name on disk. Existing ones are kept as is.

    Raises: OSError.
    """
    missing = [directory]
    while not missing[-1].exists():
        missing.append(missing[-1].parent)
    for each in reversed(missing[:-1]):
        each.mkdir(mode=mode, exist_ok=True)
        sync_directory(each.parent)


def _write_all(descriptor: int, content: bytes) -> None:
    left = memoryview(content)
    while left:
        left = left[os.write(descriptor, left) :]

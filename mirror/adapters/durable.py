"""Files that are whole or absent: written beside, synced, renamed, and the directory synced.

A reader sees the old content or the new one, also after a power loss at any point. Blocking:
callers on an event loop use `asyncio.to_thread`.
"""

import os
import secrets
from pathlib import Path


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


def sync_directory(directory: Path) -> None:
    """Put the names in a directory on disk. Raises: OSError."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
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

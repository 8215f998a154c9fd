"""Configuration files on disk: written so that a power loss leaves the old one or the new one."""

import contextlib
import fcntl
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from mirror.errors import FileNotReadable
from mirror.vocabulary.said_system import system_said


def read_bytes(path: Path) -> bytes:
    """Read a whole file. Raises: FileNotReadable (MIR-108)."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise FileNotReadable(file=path, observed=system_said(error)) from error


def write_durably(path: Path, content: bytes, mode: int = 0o644) -> None:
    """Replace a file; on return the new content survives a power loss.

    Raises: FileNotReadable (MIR-108); the old file is then untouched.
    """
    temporary = beside(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with made_new(temporary, mode) as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        sync_directory(path.parent)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise FileNotReadable(file=path, observed=system_said(error)) from error


def beside(path: Path) -> Path:
    """Name a file beside this one, until it takes its place; nobody can guess it."""
    return path.with_name(f".{path.name}.{secrets.token_hex(4)}")


def made_new(path: Path, mode: int) -> BinaryIO:
    """Make a file that was not there, to be written; with these rights before a byte is in it.

    It may hold a secret, and its directory be everybody's (/tmp): what somebody has put at its
    name, a file of theirs or a link, is not written to. Raises: OSError.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(path, flags, 0o600)
    os.fchmod(descriptor, mode)
    return os.fdopen(descriptor, "wb")


def sync_directory(path: Path) -> None:
    """Make names created or removed in a directory durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def replace_directory(new: Path, target: Path) -> None:
    """Put a directory, complete and beside the target, in the target's place.

    A crash between the two renames leaves `.NAME.old`, which the next call removes or restores.
    """
    old = target.with_name(f".{target.name}.old")
    if old.exists() and not target.exists():
        old.rename(target)
    shutil.rmtree(old, ignore_errors=True)
    if target.exists():
        target.rename(old)
    new.rename(target)
    sync_directory(target.parent)
    shutil.rmtree(old, ignore_errors=True)


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold an exclusive lock between processes of this host, waiting for it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        fcntl.flock(file.fileno(), fcntl.LOCK_EX)
        yield

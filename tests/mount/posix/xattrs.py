"""Extended attributes of every namespace, on every kind of object."""

import os
import stat
from pathlib import Path

from tests.mount.posix.tools import attempt, case, make

NAMESPACES = ("user.x", "trusted.x", "security.x", "system.x", "other.x", "x", "user.", "user")


@case
def namespaces_and_kinds(top: Path) -> object:
    make(top / "file")
    (top / "directory").mkdir()
    os.symlink("file", top / "link")
    os.mkfifo(top / "fifo")
    os.mknod(top / "socket", stat.S_IFSOCK | 0o600)
    seen: dict[str, object] = {}
    for kind in ("file", "directory", "link", "fifo", "socket"):
        path = top / kind
        for name in NAMESPACES:
            seen[f"{kind} {name}"] = [
                attempt(os.getxattr, path, name, follow_symlinks=False),
                attempt(os.removexattr, path, name, follow_symlinks=False),
                attempt(os.setxattr, path, name, b"v", os.XATTR_REPLACE, follow_symlinks=False),
                attempt(os.setxattr, path, name, b"v", follow_symlinks=False),
                attempt(os.setxattr, path, name, b"v", os.XATTR_CREATE, follow_symlinks=False),
                attempt(os.getxattr, path, name, follow_symlinks=False),
            ]
        seen[kind] = sorted(os.listxattr(path, follow_symlinks=False))
    return seen


@case
def sizes(top: Path) -> object:
    make(top / "f")
    seen: list[object] = [
        attempt(os.setxattr, top / "f", "user." + "n" * length, b"v")
        for length in (1, 249, 250, 251, 300)
    ]
    for name in os.listxattr(top / "f"):
        os.removexattr(top / "f", name)
    for size in (0, 1, 100, 1000, 3000):
        seen.append(attempt(os.setxattr, top / "f", "user.v", b"v" * size))
        seen.append(attempt(os.getxattr, top / "f", "user.v"))
    return seen


@case
def more_than_fits(top: Path) -> object:
    """ext4 has a block for them: too large a value is ENOSPC, and nothing else happens."""
    make(top / "f", b"content")
    seen = [
        attempt(os.setxattr, top / "f", "user.large", b"v" * size)
        for size in (5000, 60_000, 65_536)
    ]
    seen.append(attempt(os.setxattr, top / "f", "user.large", b"v" * 65_537))
    make(top / "after", b"works")
    return [*seen, os.listxattr(top / "f"), (top / "after").read_bytes().decode()]


@case
def what_is_the_products_own(top: Path) -> object:
    make(top / "f")
    names = os.listxattr(top / "f")
    return [names, attempt(os.getxattr, top / "f", "trusted.overlay.opaque")]


@case
def values_of_any_byte(top: Path) -> object:
    make(top / "f")
    value = bytes(range(256))
    os.setxattr(top / "f", "user.bytes", value)
    os.setxattr(top / "f", "user.größe", b"")
    os.setxattr(top / "f", b"user.\xff\xfe", b"odd")
    return [
        os.getxattr(top / "f", "user.bytes") == value,
        sorted(os.fsencode(name).hex() for name in os.listxattr(top / "f")),
    ]

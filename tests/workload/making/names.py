"""Operations that make, move and remove names."""

import os
import stat

from tests.workload import syscalls
from tests.workload.choices import DEPTH_MAX, MODES, UMASKS, Choices, Maker
from tests.workload.operations import Operation


def _mkdir(gen: Choices) -> Operation | None:
    if not gen.room():
        return None
    return {
        "do": "mkdir",
        "path": gen.new_path(),
        "mode": gen.random.choice(MODES),
        "umask": gen.random.choice(UMASKS),
        **gen.some_user(),
    }


def _mknod(gen: Choices) -> Operation | None:
    if not gen.room():
        return None
    kind = gen.random.choice((stat.S_IFIFO, stat.S_IFSOCK, stat.S_IFCHR, stat.S_IFBLK, 0))
    device = kind in (stat.S_IFCHR, stat.S_IFBLK)
    rdev = os.makedev(gen.random.randrange(300), gen.random.randrange(70_000)) if device else 0
    return {
        "do": "mknod",
        "path": gen.new_path(),
        "rdev": rdev,
        "mode": (kind or stat.S_IFREG) | gen.random.choice(MODES),
        "umask": gen.random.choice(UMASKS),
        **({} if device else gen.some_user()),
    }


def _symlink(gen: Choices) -> Operation | None:
    if not gen.room():
        return None
    target = gen.random.choice(("../nowhere", "a", "/etc/passwd", "t" * 3000, "ü" * 30))
    return {"do": "symlink", "path": gen.new_path(), "target": target, **gen.some_user()}


def _link(gen: Choices) -> Operation | None:
    path = gen.some_path(lambda inode: not inode.is_directory or gen.random.random() < 0.05)
    if path is None or not gen.room():
        return None
    return {"do": "link", "path": path, "to": gen.new_path()}


def _unlink(gen: Choices) -> Operation | None:
    path = gen.some_path(lambda inode: not inode.is_directory or gen.random.random() < 0.05)
    return None if path is None else {"do": "unlink", "path": path}


def _rmdir(gen: Choices) -> Operation | None:
    path = gen.some_path(lambda inode: inode.is_directory and not inode.entries)
    if path is None or gen.random.random() < 0.2:
        path = gen.any_path()
    return None if gen.is_fixed(path) else {"do": "rmdir", "path": path}


def _clear(gen: Choices) -> Operation | None:
    """Keeps the tree bounded: empties it from below when it is full."""
    if gen.room():
        return None
    path = gen.some_path(lambda inode: not inode.entries)
    if path is None:
        return None
    directory = gen.model.tree.lookup(path).is_directory
    return {"do": "rmdir" if directory else "unlink", "path": path}


def _rename(gen: Choices) -> Operation | None:
    flags = gen.random.choice((0, 0, 0, syscalls.RENAME_NOREPLACE, syscalls.RENAME_EXCHANGE))
    existing = flags == syscalls.RENAME_EXCHANGE or gen.random.random() < 0.4
    to = gen.some_path() if existing else gen.new_path()
    path = gen.any_path()
    if to is None or gen.is_fixed(path) or gen.is_fixed(to):
        return None
    if _goes_too_deep(gen, path, to) or _goes_too_deep(gen, to, path):
        return None
    return {"do": "rename", "path": path, "to": to, "flags": flags}


def _goes_too_deep(gen: Choices, path: str, to: str) -> bool:
    below = [each for each, _ in gen.model.tree.walk() if each.startswith(path + "/")]
    depth = max((each.count("/") for each in below), default=path.count("/"))
    return depth - path.count("/") + to.count("/") > DEPTH_MAX


WEIGHTS: tuple[tuple[Maker, int], ...] = (
    *((_mkdir, 6), (_mknod, 4), (_symlink, 3), (_link, 5), (_unlink, 6), (_rmdir, 4)),
    *((_clear, 40), (_rename, 10)),
)

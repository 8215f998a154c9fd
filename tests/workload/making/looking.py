"""Operations that change nothing."""

import stat

from tests.workload.choices import XATTRS, Choices, Maker
from tests.workload.operations import Operation


def _look(gen: Choices) -> Operation | None:
    do = gen.random.choice(("stat", "list", "listxattr"))
    return {"do": do, "path": gen.any_path()}


def _fstat(gen: Choices) -> Operation | None:
    found = gen.some_slot(lambda _: True)
    return None if found is None else {"do": "fstat", "slot": found[0]}


def _getxattr(gen: Choices) -> Operation | None:
    return {"do": "getxattr", "path": gen.any_path(), "name": gen.random.choice(XATTRS)}


def _readlink(gen: Choices) -> Operation | None:
    path = gen.some_path(lambda inode: inode.is_kind(stat.S_IFLNK))
    return None if path is None else {"do": "readlink", "path": path}


def _syncdir(gen: Choices) -> Operation | None:
    path = gen.some_path(lambda inode: inode.is_directory)
    return None if path is None else {"do": "syncdir", "path": path}


WEIGHTS: tuple[tuple[Maker, int], ...] = (
    *((_look, 6), (_fstat, 3), (_getxattr, 2), (_readlink, 2), (_syncdir, 1)),
)

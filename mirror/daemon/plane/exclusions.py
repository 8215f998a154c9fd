"""What of a replicated directory is local to each node (<notreplicated>), for reintegration.

The rules themselves are C (native/lower/rules.h): the same code says what a live change and what a
reintegration leaves alone. This file says them by paths, as they are found from descriptors.

    path    a path relative to the replicated directory, and what is beneath it
    regex   what a POSIX extended regular expression is found in
    only    of what is no directory, only what the expression is found in is replicated
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Iterable, Sequence

from mirror.adapters.native import Plane
from mirror.daemon.plane.objects import (
    DIRECTORY,
    HIDDEN_NAME,
    Root,
    opened,
    path_of,
)
from mirror.daemon.plane.stash import ORIGIN_XATTR, STASH_NAME

KINDS = {"path": 1, "regex": 2, "only": 3}

Rule = tuple[str, str]  # a kind of KINDS, and its text


def add_rules(plane: Plane, number: int, rules: Sequence[Rule]) -> None:
    """Tell the library. Before the root is mounted or followed. Raises: OSError (EINVAL)."""
    for kind, text in rules:
        plane.root_rule(number, KINDS[kind], text)


def digest_of(rules: Sequence[Rule]) -> str:
    """A text that is another one for other rules, whatever their order; "" for none."""
    if not rules:
        return ""
    lines = sorted(f"{kind} {text}\n" for kind, text in rules)
    return hashlib.sha256("".join(lines).encode()).hexdigest()[:32]


class Exclusions:
    """The local entries of one replicated directory. Any thread."""

    def __init__(self, plane: Plane, root: Root) -> None:
        self._plane = plane
        self._root = root
        self.exist = plane.has_rules(root.number)

    def without_local(self, fd: int, names: Iterable[bytes]) -> list[bytes]:
        """Those of the names of a directory that are replicated, if anything stands there.

        fd: of the directory. Raises: OSError.
        """
        if not self.exist:
            return list(names)
        path = self.path_of(fd)
        return [name for name in names if not self._is_local(fd, path, name)]

    def is_local(self, fd: int, name: bytes) -> bool:
        """Whether what stands at a name is local. False: nothing does."""
        return self.exist and self._is_local(fd, self.path_of(fd), name)

    def _is_local(self, fd: int, path: tuple[bytes, ...], name: bytes) -> bool:
        try:
            mode = os.stat(name, dir_fd=fd, follow_symlinks=False).st_mode
        except FileNotFoundError:
            return False
        return self._plane.is_local(
            self._root.number, b"/".join((*path, name)), directory=stat.S_ISDIR(mode)
        )

    def path_of(self, fd: int) -> tuple[bytes, ...]:
        """Names from the top down to a directory; of one in the stash, those it had before.

        Raises: OSError (ESTALE: not known).
        """
        with opened(self._plane, self._root.number, self._root.handle, DIRECTORY) as top:
            path = path_of(fd, top)
            if path is None:
                raise OSError(errno.ESTALE, "a directory without a path")
            if path[:2] != (HIDDEN_NAME, STASH_NAME) or len(path) == 2:
                return path
            where = f"/proc/self/fd/{top}/".encode() + b"/".join(path[:3])
            try:
                origin = os.getxattr(where, ORIGIN_XATTR, follow_symlinks=False)
            except OSError as error:
                if error.errno == errno.ENODATA:  # too long to be remembered: no rule knows it
                    return path
                raise
            return (*origin.split(b"/"), *path[3:])

    def keep_beneath(self, fd: int, name: bytes, path: Sequence[bytes]) -> None:
        """Keep aside what is local beneath a directory that is about to be removed."""
        if self.exist:
            self._plane.local_keep(self._root.number, fd, name, b"/".join(path))

    def keep(self, fd: int, name: bytes) -> None:
        """Keep aside what stands at a name: something replicated must stand there."""
        path = b"/".join((*self.path_of(fd), name))
        self._plane.local_keep(self._root.number, fd, name, path, itself=True)

    def may_move(self, fd: int, name: bytes, path: Sequence[bytes], new: Sequence[bytes]) -> bool:
        """Prepare a directory to move with its local entries. False: a rule forbids it."""
        if not self.exist:
            return True
        try:
            self._plane.local_move(self._root.number, fd, name, b"/".join(path), b"/".join(new))
        except OSError as error:
            if error.errno not in (errno.EXDEV, errno.ENOTDIR, errno.ELOOP):
                raise
            return error.errno != errno.EXDEV
        return True

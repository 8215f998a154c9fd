"""The stash of the target: where detached objects wait for their new name (design 10.1).

A hidden directory of the same file system, so that a whole subtree goes in and comes out by one
rename. An entry is named by the identity in hexadecimal: what was interrupted goes on with it.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable

from mirror.adapters.native import Plane
from mirror.core.reintegration.names import NO_ID
from mirror.daemon.plane.attributes import allow_changes
from mirror.daemon.plane.objects import (
    DIRECTORY,
    HIDDEN_NAME,
    OURS_PREFIX,
    Root,
    by_descriptor,
    names_in,
    opened,
)

STASH_NAME = b"stash"
ORIGIN_XATTR = OURS_PREFIX + "origin"  # the path it was detached from: for what is kept aside
ORIGIN_BYTES_MAX = 2048  # longer ones are not worth an inode's spare room


def open_hidden(plane: Plane, root: Root, *names: bytes) -> int:
    """A directory beneath the hidden one, made when missing; the descriptor is the caller's."""
    with opened(plane, root.number, root.handle, DIRECTORY) as top:
        fd = os.open(HIDDEN_NAME, DIRECTORY | os.O_NOFOLLOW, dir_fd=top)
    for name in names:
        try:
            fd = _step(fd, name)
        except FileNotFoundError:
            os.mkdir(name, 0o700, dir_fd=fd)
            fd = _step(fd, name)
        except BaseException:
            os.close(fd)
            raise
    return fd


def _step(fd: int, name: bytes) -> int:
    below = os.open(name, DIRECTORY | os.O_NOFOLLOW, dir_fd=fd)
    os.close(fd)
    return below


class Stash:
    """The stash of one replicated directory. The thread of the lane CONTROL alone uses it."""

    def __init__(self, plane: Plane, root: Root) -> None:
        self._plane = plane
        self._root = root
        self.fd = open_hidden(plane, root, STASH_NAME)

    def close(self) -> None:
        """Give the descriptor back."""
        os.close(self.fd)

    def handle(self) -> bytes:
        """The handle of the stash itself, for a scan."""
        seen = self._plane.look(self.fd, b".")
        assert seen is not None
        return seen.handle

    def names(self) -> list[bytes]:
        """What is in it."""
        return names_in(self.fd)

    def holds(self, identity: bytes) -> bool:
        """Say whether an object of this identity is in it."""
        return os.access(identity.hex(), os.F_OK, dir_fd=self.fd, follow_symlinks=False)

    def take(self, directory_fd: int, name: bytes, identity: bytes, origin: bytes = b"") -> None:
        """Move what stands at a name into the stash.

        identity: NO_ID when it has none. origin: its path, remembered when given.
        Raises: OSError.
        """
        into = identity.hex().encode()
        if identity == NO_ID:
            into = b"none-" + self._plane.identity_new().hex().encode()
        elif self.holds(identity):
            there = os.stat(into, dir_fd=self.fd, follow_symlinks=False)
            here = os.stat(name, dir_fd=directory_fd, follow_symlinks=False)
            if (there.st_dev, there.st_ino) == (here.st_dev, here.st_ino):
                # One more name of an object that is here: rename would do nothing at all.
                self._try_hard(directory_fd, name, lambda: os.unlink(name, dir_fd=directory_fd))
                return
            into = b"again-" + self._plane.identity_new().hex().encode()
        self._try_hard(
            directory_fd,
            name,
            lambda: os.rename(name, into, src_dir_fd=directory_fd, dst_dir_fd=self.fd),
        )
        if origin and len(origin) <= ORIGIN_BYTES_MAX:
            path = by_descriptor(self.fd).encode() + b"/" + into
            os.setxattr(path, ORIGIN_XATTR, origin, follow_symlinks=False)

    def give(self, identity: bytes, directory_fd: int, name: bytes) -> bool:
        """Move an object out of the stash to a name, where nothing stands. False: not here.

        Raises: OSError (EINVAL: into its own subtree).
        """
        into = identity.hex().encode()
        try:
            self._try_hard(
                self.fd,
                into,
                lambda: os.rename(into, name, src_dir_fd=self.fd, dst_dir_fd=directory_fd),
                directory_fd,
            )
        except FileNotFoundError:
            return False
        return True

    def origin_of(self, name: bytes) -> tuple[bytes, ...]:
        """The path that an entry had; empty when nothing remembers it."""
        path = by_descriptor(self.fd).encode() + b"/" + name
        try:
            origin = os.getxattr(path, ORIGIN_XATTR, follow_symlinks=False)
        except OSError as error:
            if error.errno != errno.ENODATA:
                raise
            return ()
        return tuple(origin.split(b"/"))

    def _try_hard(
        self, directory_fd: int, name: bytes, act: Callable[[], None], other_fd: int = -1
    ) -> None:
        """Act; if flags forbid it, take them away first: the source's are set in the end."""
        try:
            act()
            return
        except PermissionError:
            pass
        for fd in (directory_fd, other_fd):
            if fd >= 0:
                allow_changes(self._plane, fd, stat.S_IFDIR)
        status = os.stat(name, dir_fd=directory_fd, follow_symlinks=False)
        if stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode):
            fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=directory_fd)
            try:
                allow_changes(self._plane, fd, status.st_mode)
            finally:
                os.close(fd)
        act()

    def remove(self, name: bytes) -> None:
        """Remove an entry with all beneath it. Directories come up here first: no recursion."""
        status = os.stat(name, dir_fd=self.fd, follow_symlinks=False)
        if not stat.S_ISDIR(status.st_mode):
            self._try_hard(self.fd, name, lambda: os.unlink(name, dir_fd=self.fd))
            return
        pending = [name]
        while pending:
            directory = pending.pop()
            pending.extend(self._empty(directory))
            os.rmdir(directory, dir_fd=self.fd)

    def _empty(self, directory: bytes) -> list[bytes]:
        """Remove the files of a directory in the stash; its directories move up beside it."""
        moved = []
        fd = os.open(directory, DIRECTORY | os.O_NOFOLLOW, dir_fd=self.fd)
        try:
            for below in names_in(fd):
                status = os.stat(below, dir_fd=fd, follow_symlinks=False)
                if stat.S_ISDIR(status.st_mode):
                    up = b"none-" + self._plane.identity_new().hex().encode()
                    self._move_up(fd, below, up)
                    moved.append(up)
                else:
                    self._try_hard(fd, below, _unlinker(fd, below))
        finally:
            os.close(fd)
        return moved

    def _move_up(self, fd: int, name: bytes, up: bytes) -> None:
        self._try_hard(fd, name, lambda: os.rename(name, up, src_dir_fd=fd, dst_dir_fd=self.fd))


def _unlinker(fd: int, name: bytes) -> Callable[[], None]:
    return lambda: os.unlink(name, dir_fd=fd)

"""What the target keeps of its own before it is overwritten or deleted (invariant 7).

    .mirror/aside/NAME/files/...    the objects, under the paths they had
    .mirror/aside/NAME/list.jsonl   a line a file: path, kept, size_bytes, mtime_ns, kept_ns, side,
                                    what; names as os.fsdecode gives them

No room is an error that ends the reintegration: nothing is overwritten that was not kept.
"""

from __future__ import annotations

import errno
import json
import os
import stat

from mirror.adapters import clock
from mirror.adapters.native import Plane
from mirror.daemon.plane.objects import (
    DIRECTORY,
    OURS_PREFIX,
    Root,
    by_descriptor,
    is_made_here,
    names_in,
    opened,
    path_of,
)
from mirror.daemon.plane.stash import ORIGIN_XATTR, Stash, open_hidden

ASIDE_NAME, FILES_NAME, LIST_NAME = b"aside", b"files", b"list.jsonl"
COPY_BYTES_MAX = 64 << 20
LISTED_DEPTH_MAX, LISTED_BYTES_MAX = 200, 2_048  # of a path: half of what the kernel takes at once
REPLACED, DELETED, RESTORED_OVER = "replaced", "deleted", "restored over"


class Aside:
    """The folder of one reintegration in one replicated directory. One thread.

    name: of the folder; one component. side: this node, for the list.
    """

    def __init__(self, plane: Plane, root: Root, name: str, side: str) -> None:
        if not name or "/" in name or name in (".", ".."):
            raise OSError(errno.EINVAL, "no name of a folder", name)
        self._plane = plane
        self._root = root
        self._side = side
        self._name = name.encode()
        self._opened = -1
        self._kept: set[bytes] = set()  # handles of files whose version is kept

    def close(self) -> None:
        """Give descriptors back."""
        if self._opened >= 0:
            os.close(self._opened)

    @property
    def _folder(self) -> int:
        """The folder, made for the first thing that is kept."""
        if self._opened < 0:
            self._opened = open_hidden(self._plane, self._root, ASIDE_NAME, self._name)
        return self._opened

    def keep_data(self, handle: bytes, what: str = REPLACED) -> None:
        """Keep a copy of a file whose bytes are about to be overwritten; once.

        Raises: OSError (ENOSPC).
        """
        if handle in self._kept:
            return
        with (
            opened(self._plane, self._root.number, handle, os.O_RDONLY) as fd,
            opened(self._plane, self._root.number, self._root.handle, DIRECTORY) as top,
        ):
            if is_made_here(self._root, fd):
                return
            names = path_of(fd, top) or (b"unknown", handle.hex().encode())
            directory, name = self._place(names)
            try:
                copy = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600, dir_fd=directory)
                try:
                    _copy(fd, copy)
                    # What it was made of is overwritten next, and may be on the disk first.
                    os.fsync(copy)
                finally:
                    os.close(copy)
                self._note(names, directory, name, what)
            finally:
                os.close(directory)
        self._kept.add(handle)

    def keep_stash(self, stash: Stash) -> None:
        """Names are equal: what is left in the stash has no place any more. Raises: OSError."""
        for name in stash.names():
            status = os.stat(name, dir_fd=stash.fd, follow_symlinks=False)
            is_directory = stat.S_ISDIR(status.st_mode)
            if (not is_directory and status.st_nlink > 1) or self._is_unfinished(stash, name):
                stash.remove(name)  # it lives on under another name, or never was acknowledged
                continue
            self.keep_entry(stash.fd, name)

    def _is_unfinished(self, stash: Stash, name: bytes) -> bool:
        fd = os.open(name, os.O_PATH | os.O_NOFOLLOW, dir_fd=stash.fd)
        try:
            return is_made_here(self._root, fd)
        finally:
            os.close(fd)

    def keep_entry(self, fd: int, name: bytes) -> None:
        """Keep what stands at a name of a hidden directory, under the path it remembers.

        Raises: OSError.
        """
        origin = _origin(by_descriptor(fd).encode() + b"/" + name) or name
        names = tuple(part for part in origin.split(b"/") if part not in (b"", b".", b".."))
        directory, into = self._place(names or (name,))
        try:
            os.rename(name, into, src_dir_fd=fd, dst_dir_fd=directory)
            self._list_below(names, directory, into)
        finally:
            os.close(directory)

    def _place(self, names: tuple[bytes, ...]) -> tuple[int, bytes]:
        """The directory for a path among the kept files, and a name that is free there."""
        fd = os.dup(self._folder)
        for part in (FILES_NAME, *names[:-1]):
            name = _free_name(fd, part, want_directory=True)
            below = os.open(name, DIRECTORY | os.O_NOFOLLOW, dir_fd=fd)
            os.close(fd)
            fd = below
        return fd, _free_name(fd, names[-1], want_directory=False)

    def _what(self, names: tuple[bytes, ...]) -> str:
        with opened(self._plane, self._root.number, self._root.handle, DIRECTORY) as fd:
            there = os.path.lexists(os.path.join(by_descriptor(fd).encode(), *names))
        return REPLACED if there else DELETED

    def _list_below(self, names: tuple[bytes, ...], directory: int, name: bytes) -> None:
        """A line for each file of what was moved here; one for a directory that is deep."""
        status = os.stat(name, dir_fd=directory, follow_symlinks=False)
        is_deep = len(names) > LISTED_DEPTH_MAX or sum(map(len, names)) > LISTED_BYTES_MAX
        if is_deep or not stat.S_ISDIR(status.st_mode):
            self._note(names, directory, name, self._what(names))
            return
        fd = os.open(name, DIRECTORY | os.O_NOFOLLOW, dir_fd=directory)
        try:
            for below in names_in(fd):
                self._list_below((*names, below), fd, below)
        finally:
            os.close(fd)

    def _note(self, names: tuple[bytes, ...], directory: int, name: bytes, what: str) -> None:
        status = os.stat(name, dir_fd=directory, follow_symlinks=False)
        kept = path_of(directory, self._folder)
        line = {
            "path": _text(names),
            "kept": _text((*(kept or ()), name)),
            "size_bytes": status.st_size,
            "mtime_ns": status.st_mtime_ns,
            "kept_ns": clock.wall_us() * 1_000,
            "side": self._side,
            "what": what,
        }
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        fd = os.open(LIST_NAME, flags, 0o600, dir_fd=self._folder)
        try:
            os.write(fd, json.dumps(line).encode() + b"\n")
        finally:
            os.close(fd)


def _text(names: tuple[bytes, ...]) -> str:
    return os.fsdecode(b"/".join(names))


def _origin(path: bytes) -> bytes:
    try:
        return os.getxattr(path, ORIGIN_XATTR, follow_symlinks=False)
    except OSError as error:
        if error.errno != errno.ENODATA:
            raise
        return b""


def _free_name(fd: int, name: bytes, *, want_directory: bool) -> bytes:
    """A name that is free, or that a directory has; want_directory: it is made if need be."""
    for number in range(1_000_000):
        candidate = name if number == 0 else b"%s.%d" % (name[:240], number)
        try:
            status = os.stat(candidate, dir_fd=fd, follow_symlinks=False)
        except FileNotFoundError:
            if want_directory:
                os.mkdir(candidate, 0o700, dir_fd=fd)
            return candidate
        if want_directory and stat.S_ISDIR(status.st_mode):
            return candidate
    raise OSError(errno.EEXIST, "too many versions kept aside", os.fsdecode(name))


def _copy(source: int, copy: int) -> None:
    """Content with its holes, owner, mode, extended attributes, times."""
    status = os.fstat(source)
    end = status.st_size
    os.ftruncate(copy, end)
    offset = 0
    while offset < end:
        try:
            offset = os.lseek(source, offset, os.SEEK_DATA)
        except OSError as error:
            if error.errno != errno.ENXIO:  # only a hole is left
                raise
            break
        stop = min(os.lseek(source, offset, os.SEEK_HOLE), end)
        while offset < stop:
            size = min(COPY_BYTES_MAX, stop - offset)
            done = os.copy_file_range(source, copy, size, offset, offset)
            if done == 0:
                break
            offset += done
    os.fchown(copy, status.st_uid, status.st_gid)
    os.fchmod(copy, stat.S_IMODE(status.st_mode))
    for name in os.listxattr(source):
        if not name.startswith(OURS_PREFIX):
            os.setxattr(copy, name, os.getxattr(source, name))
    os.utime(copy, ns=(status.st_atime_ns, status.st_mtime_ns))

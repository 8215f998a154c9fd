"""A file system of its own over a directory: one that can be full, and break."""

from __future__ import annotations

import fcntl
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from mirror.adapters.lab import bad_disk
from mirror.adapters.lab.linux import punch_hole

FIFREEZE, FITHAW = 0xC0045877, 0xC0045878


@contextmanager
def mounted_image(image: Path, directory: Path, options: Sequence[str] = ()) -> Iterator[None]:
    """Over the directory, which is made."""
    directory.mkdir(parents=True)
    with_loop = ",".join(("loop", *options))
    subprocess.run(["mount", "-o", with_loop, str(image), str(directory)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(directory)], check=True)


@contextmanager
def small_disk(
    directory: Path,
    size_bytes: int,
    *,
    features: str = "^has_journal",
    block_bytes: int = 1024,
    options: Sequence[str] = (),
) -> Iterator[None]:
    """features, block_bytes: for mkfs.ext4; options: of the mount."""
    directory.parent.mkdir(parents=True, exist_ok=True)
    image = directory.with_suffix(".img")
    with image.open("wb") as file:
        file.truncate(size_bytes)
    # What a small file system's blocks are like is else for the distribution to say.
    make = ["mkfs.ext4", "-q", "-b", str(block_bytes), "-m", "0", "-O", features, str(image)]
    subprocess.run(make, check=True)
    with mounted_image(image, directory, options):
        yield


def mount_again(directory: Path) -> None:
    """Of a small disk whose power was cut: what it holds now.

    Of the image itself the kernel would give the file system that was shut down, as long as any
    other mount namespace has a copy of that mount: it is mounted by a copy, which takes its name.
    """
    image, copy = directory.with_suffix(".img"), directory.with_suffix(".copy")
    subprocess.run(["umount", str(directory)], check=True)
    subprocess.run(["cp", "--sparse=always", str(image), str(copy)], check=True)
    copy.replace(image)
    subprocess.run(["mount", "-o", "loop", str(image), str(directory)], check=True)


class FailingDisk:
    """Served by bad_disk.py; say: what its process is told."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say

    def lose(self, file: Path, first: int, count: int) -> None:
        """These blocks of 4 KiB of a file, side by side on the disk, cannot be read any more."""
        listing = subprocess.run(
            ["filefrag", "-v", "-b4096", file], check=True, capture_output=True, text=True
        )
        extents = re.findall(
            r"^ +\d+: +(\d+)\.\. +(\d+): +(\d+)\.\.", listing.stdout, re.MULTILINE
        )
        (at,) = (
            int(where) + first - int(begin)
            for begin, end, where in extents
            if int(begin) <= first <= int(end)
        )
        self.forget(file)
        self._say(f"unread {at << 12} {count << 12}")

    def forget(self, file: Path) -> None:
        """Empty the kernel's cache of a file, as it is after a while, or a boot."""
        with file.open("rb") as opened:
            os.fsync(opened.fileno())
            os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)

    def fail(self) -> None:
        """Nothing can be read or written."""
        self._say("error")


@contextmanager
def failing_disk(directory: Path, size_bytes: int) -> Iterator[FailingDisk]:
    """An ext4 over the directory, which is made; whole again at the end."""
    image, shown = directory.with_suffix(".img"), directory.with_suffix(".shown")
    with image.open("wb") as file:
        file.truncate(size_bytes)
    subprocess.run(["mkfs.ext4", "-q", "-m", "0", str(image)], check=True)
    shown.mkdir()
    serve = [sys.executable, "-m", "mirror.adapters.lab.bad_disk"]
    command = [*serve, str(image), str(shown), str(os.getpid())]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, bufsize=1) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        told, heard = server.stdin, server.stdout
        assert heard.readline() == "mounted\n"

        def say(command: str) -> None:
            told.write(command + "\n")
            assert heard.readline() == "done\n"

        with mounted_image(shown / bad_disk.FILE_NAME, directory):
            yield FailingDisk(say)
            say("heal")
        subprocess.run(["umount", "-l", str(shown)], check=True)


@contextmanager
def btrfs_disk(directory: Path, size_bytes: int) -> Iterator[None]:
    """Over the directory, which is made. 128 MiB at least; the image is sparse."""
    directory.parent.mkdir(parents=True, exist_ok=True)
    image = directory.with_suffix(".img")
    with image.open("wb") as file:
        file.truncate(size_bytes)
    subprocess.run(["mkfs.btrfs", "--quiet", str(image)], check=True, capture_output=True)
    with mounted_image(image, directory):
        yield


@contextmanager
def xfs_disk(directory: Path, size_bytes: int) -> Iterator[None]:
    """Over the directory, which is made. 300 MiB at least; the image is sparse."""
    directory.parent.mkdir(parents=True, exist_ok=True)
    image = directory.with_suffix(".img")
    with image.open("wb") as file:
        file.truncate(size_bytes)
    subprocess.run(["mkfs.xfs", "-q", str(image)], check=True)
    with mounted_image(image, directory):
        yield


class Quota:
    """What a subvolume of btrfs may hold, its metadata included; root is no exception."""

    def __init__(self, top: Path) -> None:
        self.subvolume = top / "data"
        self._top = str(top)
        self._btrfs("quota", "enable", self._top)
        self._btrfs("subvolume", "create", str(self.subvolume))

    def limit(self, size_bytes: int) -> None:
        """Nothing that is there goes."""
        self._limit(str(size_bytes))

    def exceed(self) -> None:
        """Refuse everything but to remove names."""
        os.sync()  # what is promised already
        self.limit(1)

    def lift(self) -> None:
        """There is room again."""
        self._limit("none")

    def _limit(self, what: str) -> None:
        # Through the top: the order itself needs room in the subvolume that it comes by.
        number = self._btrfs("inspect-internal", "rootid", str(self.subvolume)).strip()
        self._btrfs("qgroup", "limit", what, f"0/{number}", self._top)

    @staticmethod
    def _btrfs(*command: str) -> str:
        done = subprocess.run(["btrfs", *command], check=True, capture_output=True, text=True)
        return done.stdout


@contextmanager
def quota_disk(directory: Path) -> Iterator[Quota]:
    """A disk with room enough, and a quota that is not: EDQUOT, where a full disk is ENOSPC."""
    top = directory.with_suffix(".top")
    with btrfs_disk(top, 256 << 20):
        quota = Quota(top)
        directory.mkdir()
        subprocess.run(["mount", "--bind", str(quota.subvolume), str(directory)], check=True)
        try:
            yield quota
        finally:
            subprocess.run(["umount", "-l", str(directory)], check=True)


class ThinDisk:
    """A disk whose blocks come from a pool, which may have none left: then a write fails later.

    As with thin provisioning. Its journal and all else it has written keep their blocks.
    """

    def __init__(self, pool: Path) -> None:
        self._image = pool / "image"
        self._filler = pool / "filler"

    def exhaust(self, path: Path) -> None:
        """The pool takes the blocks of this file, and has none for whoever writes it again."""
        listing = subprocess.run(
            ["filefrag", "-v", "-b1024", str(path)], check=True, capture_output=True, text=True
        )
        extents = re.findall(
            r"^ +\d+: +\d+\.\. +\d+: +(\d+)\.\. +(\d+):", listing.stdout, re.MULTILINE
        )
        assert extents
        with self._image.open("r+b") as image:
            for first, last in extents:
                offset, size = int(first) << 10, int(last) - int(first) + 1 << 10
                punch_hole(image.fileno(), offset, size)
        with self._filler.open("wb") as filler, suppress(OSError):
            while True:
                os.posix_fallocate(filler.fileno(), filler.seek(0, os.SEEK_END), 4096)

    def refill(self) -> None:
        """The pool has blocks again."""
        self._filler.unlink()


@contextmanager
def thin_disk(directory: Path, size_bytes: int) -> Iterator[ThinDisk]:
    """Over the directory, which is made."""
    pool = directory.with_suffix(".pool")
    pool.mkdir(parents=True)
    size = f"size={size_bytes + (1 << 20)}"
    subprocess.run(["mount", "-t", "tmpfs", "-o", size, "pool", str(pool)], check=True)
    try:
        image = pool / "image"
        with image.open("wb") as file:
            file.truncate(size_bytes)
            options = "nodiscard,lazy_itable_init=0,lazy_journal_init=0"
            make = ["mkfs.ext4", "-q", "-b", "4096", "-m", "0", "-E", options, str(image)]
            subprocess.run(make, check=True)
            os.posix_fallocate(file.fileno(), 0, size_bytes)
        with mounted_image(image, directory):
            yield ThinDisk(pool)
    finally:
        subprocess.run(["umount", "-l", str(pool)], check=True)


def fill(directory: Path) -> Path:
    """Take every free block of the disk with one file, beside what is replicated; its path."""
    filler = directory / ".mirror" / "filler"
    with filler.open("wb") as file:
        piece, end = 1 << 22, 0
        while piece >= 1024:  # the smallest block of ext4
            try:
                os.posix_fallocate(file.fileno(), end, piece)
                end += piece
            except OSError:
                piece //= 2
        os.fsync(file.fileno())
    return filler


@contextmanager
def standing_still(directory: Path) -> Iterator[Callable[[], None]]:
    """Whoever changes anything on this disk waits. Yields what ends it before its time."""
    fd = os.open(directory, os.O_RDONLY)

    def thaw() -> None:
        with suppress(OSError):  # it is thawed
            fcntl.ioctl(fd, FITHAW, 0)

    try:
        fcntl.ioctl(fd, FIFREEZE, 0)
        try:
            yield thaw
        finally:
            thaw()
    finally:
        os.close(fd)


def break_down(directory: Path) -> None:
    """As after an error of the device: with the option errors=remount-ro, no change any more."""
    device = os.stat(directory).st_dev
    name = Path(f"/sys/dev/block/{os.major(device)}:{os.minor(device)}").resolve().name
    Path(f"/sys/fs/ext4/{name}/trigger_fs_error").write_text("as asked")

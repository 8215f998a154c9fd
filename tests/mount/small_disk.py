"""A file system of its own over a directory: one that can be full, and break."""

from __future__ import annotations

import fcntl
import os
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

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
    options: Sequence[str] = (),
) -> Iterator[None]:
    """features: of mkfs.ext4 -O; options: of the mount."""
    directory.parent.mkdir(parents=True, exist_ok=True)
    image = directory.with_suffix(".img")
    with image.open("wb") as file:
        file.truncate(size_bytes)
    subprocess.run(["mkfs.ext4", "-q", "-m", "0", "-O", features, str(image)], check=True)
    with mounted_image(image, directory, options):
        yield


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

"""Two nodes that were joined earlier, without the hour that a first copy of their files takes.

A tree is made once, every object of it gets its identity, and the image of its disk is copied: the
copy has the same inodes, so the identities hold there too.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TypeVar

from bench.hosts import BYTES_PER_INODE, Hosts, run
from mirror.adapters.native import bulk

Made = TypeVar("Made")


@contextmanager
def alike(
    hosts: Hosts, tops: Sequence[Path], make: Callable[[Path], Made], size_bytes: int
) -> Iterator[Made]:
    """Mount disks with one content at these directories. make: fills the first."""
    first, *others = (hosts.directory / f"alike{number}.img" for number in range(len(tops)))
    with first.open("wb") as file:
        file.truncate(size_bytes)
    run("mkfs.ext4", "-q", "-E", "nodiscard", "-i", str(BYTES_PER_INODE), first)
    with mounted(first, tops[0]):
        made = make(tops[0])
        identify(tops[0])
    for image in others:
        run("cp", "--sparse=always", first, image)
    with ExitStack() as stack:
        for image, top in zip((first, *others), tops, strict=True):
            stack.callback(image.unlink)
            stack.enter_context(mounted(image, top))
        yield made


@contextmanager
def mounted(image: Path, top: Path, *options: str) -> Iterator[None]:
    """Mount a disk for a while."""
    run("mount", "-o", ",".join(("loop", *options)), image, top)
    try:
        yield
    finally:
        run("umount", top)


def identify(top: Path) -> None:
    """Give everything beneath an identity, as the first reintegration does."""
    for directory, directories, files in os.walk(os.fsencode(top)):
        fd = os.open(directory, os.O_RDONLY)
        for name in (*directories, *files):
            bulk.see(fd, name)
        os.close(fd)

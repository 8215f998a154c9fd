"""A local disk that the page cache holds in single pages, as it holds what FUSE serves.

Reads that the cache answers are the kernel's own work on either, but ext4 keeps files in folios of
many pages where it may (Linux 6.16), FUSE does not (6.18), and copying out of single pages takes
longer. With data=journal ext4 has single pages too.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.alike import mounted
from bench.hosts import Hosts, run

DISK_BYTES = 256 << 20


@contextmanager
def single_pages(hosts: Hosts) -> Iterator[Path]:
    """Mount such a disk, empty, for a while."""
    image, top = hosts.directory / "single_pages.img", hosts.directory / "single_pages"
    top.mkdir()
    with image.open("wb") as file:
        file.truncate(DISK_BYTES)
    run("mkfs.ext4", "-q", image)
    with mounted(image, top, "data=journal"):
        yield top
    image.unlink()
    top.rmdir()

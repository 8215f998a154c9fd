"""Unpacking the Python standard library: many small files and their names, as `tar` makes them."""

import subprocess
import sysconfig
import tarfile
import time
from pathlib import Path

from bench.hosts import Hosts
from bench.row import Figures


def stdlib_archive(hosts: Hosts) -> Path:
    """The standard library as a tar, without what is installed beside it."""
    archive = hosts.directory / "stdlib.tar"
    if not archive.exists():
        top = Path(sysconfig.get_path("stdlib"))
        with tarfile.open(archive, "w") as tar:
            tar.add(top, "stdlib", filter=lambda m: None if "site-packages" in m.name else m)
    return archive


def unpacked_stdlib(archive: Path, path: Path) -> Figures:
    """Unpack it into a directory, anew. Returns: the seconds of tar."""
    subprocess.run(["rm", "-rf", path / "stdlib"], check=True)
    return timed("tar", "-xf", archive, "-C", path)


def timed(*command: str | Path) -> Figures:
    """Run a command that must succeed. Returns: its seconds."""
    started = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return {"s": time.perf_counter() - started}

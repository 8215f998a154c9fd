"""Disk images: made sparse, with a filesystem, ready to be attached to a loop device."""

import subprocess
from pathlib import Path

from mirror.errors import LabToolFailed

_MAKE = {
    # The journal is small because the disks are: 1 GiB of it would be replayed at each boot.
    "ext4": ("mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=0,lazy_journal_init=0"),
    "xfs": ("mkfs.xfs", "-q", "-f"),
}


def make_image(image: Path, fs: str, size_bytes: int) -> None:
    """Make a disk with an empty filesystem; an existing one is left as it is.

    Raises: LabToolFailed (MIR-702).
    """
    if image.exists():
        return
    partial = image.with_suffix(".partial")
    with partial.open("wb") as file:
        partial.chmod(0o600)  # it will hold a copy of /etc/shadow
        file.truncate(size_bytes)
    run_tool([*_MAKE[fs], str(partial)])
    partial.rename(image)


def run_tool(command: list[str], *, stdin: str = "") -> str:
    """Run a system tool to its end and return what it wrote. Raises LabToolFailed (MIR-702)."""
    try:
        done = subprocess.run(command, input=stdin, capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise LabToolFailed(tool=command[0], observed="not installed") from error
    if done.returncode != 0:
        observed = done.stderr.strip() or f"exit code {done.returncode}"
        raise LabToolFailed(tool=" ".join(command[:6]), observed=observed)
    return done.stdout

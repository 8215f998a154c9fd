"""The disk of a host, as the keeper sees it: an image, good or served by bad_disk.py."""

import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from mirror.adapters.lab import bad_disk, linux, plan
from mirror.adapters.lab.image import make_image
from mirror.errors import LabToolFailed


class Disk:
    """A disk that never fails."""

    can_fail = False

    def __init__(self, directory: Path, fs: str, size_bytes: int) -> None:
        self.image = directory / "disk.img"
        self._fs = fs
        self._size_bytes = size_bytes

    @property
    def backing(self) -> Path:
        """The file for the loop device."""
        return self.image

    def prepare(self) -> None:
        """Make the image if there is none. Raises: LabToolFailed (MIR-702)."""
        make_image(self.image, self._fs, self._size_bytes)

    def set_mode(self, command: str) -> None:
        """Change how it behaves; see bad_disk.py."""
        assert self.can_fail, command

    def before_power_loss(self) -> None:
        """Nothing reaches it from now on, and nobody waits for it."""

    def after_power_loss(self) -> None:
        """Behave as before the loss of power."""


class FaultyDisk(Disk):
    """A disk that fails when asked."""

    can_fail = True

    def __init__(self, directory: Path, fs: str, size_bytes: int) -> None:
        super().__init__(directory, fs, size_bytes)
        self._mount_point = directory / plan.FAULTY
        self._server: subprocess.Popen[str] | None = None
        self._mode = "heal"

    @property
    def backing(self) -> Path:
        """The file that the server shows."""
        return self._mount_point / bad_disk.FILE_NAME

    def prepare(self) -> None:
        """Make the image, start the server."""
        super().prepare()
        if self._server is not None:
            return
        self._mount_point.mkdir(exist_ok=True)
        self._server = subprocess.Popen(
            [
                *(sys.executable, "-m", "mirror.adapters.lab.bad_disk"),
                *(str(self.image), str(self._mount_point), str(os.getpid())),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
        )
        self._hear("mounted")

    def set_mode(self, command: str) -> None:
        """Change how it behaves; in force when this returns."""
        self._mode = command
        self._say(command)

    def before_power_loss(self) -> None:
        """Refuse everything: what hangs would outlive the host's processes."""
        with suppress(LabToolFailed):  # a dead server serves nobody either
            self._say("error")

    def after_power_loss(self) -> None:
        """A broken disk is still broken after a reboot."""
        with suppress(LabToolFailed):  # the next boot says so
            self._say(self._mode)

    def _say(self, command: str) -> None:
        if self._server is None:
            return
        assert self._server.stdin is not None
        try:
            self._server.stdin.write(command + "\n")
        except BrokenPipeError as error:
            raise LabToolFailed(tool="the faulty disk", observed="its server died") from error
        self._hear("done")

    def _hear(self, expected: str) -> None:
        assert self._server is not None
        assert self._server.stdout is not None
        heard = self._server.stdout.readline().strip()
        if heard != expected:
            raise LabToolFailed(tool="the faulty disk", observed=f"{heard!r}, not {expected!r}")


def make_disk(directory: Path, fs: str, size_bytes: int, *, faulty: bool) -> Disk:
    """A disk whose image lies in `directory`."""
    return (FaultyDisk if faulty else Disk)(directory, fs, size_bytes)


def is_free(loop: Path, label: str) -> bool:
    """Whether the loop device no longer belongs to the disk of that label."""
    return linux.loop_label(loop) != label

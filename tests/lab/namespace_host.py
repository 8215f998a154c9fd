"""A host without the engine: its own mounts, processes, network and IPC, gone with the test."""

import os
import shutil
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

REPOSITORY = Path(__file__).resolve().parents[2]
MODULE = REPOSITORY / "modules" / "postgresql"

_NAMESPACES = ("--mount", "--pid", "--net", "--ipc")
# $SAFE/safekit as a script sees it: what the scripts say is kept for the test to read.
_RECORDER = """#!/bin/sh
echo "$@" >> {journal}
"""


@dataclass(slots=True)
class NamespaceHost:
    """`with NamespaceHost(path, data_root) as host`: run things in it.

    data_root becomes /var/lib/postgresql of the host, `etc` beside it /etc/postgresql; both
    outlive the host, as the disk of a machine does.
    """

    home: Path
    data_root: Path
    _holder: subprocess.Popen[bytes] | None = field(default=None)

    @property
    def journal(self) -> str:
        path = self.home / "journal"
        return path.read_text() if path.exists() else ""

    @property
    def safe(self) -> Path:
        return self.home / "safe"

    def __enter__(self) -> Self:
        safe = self.safe
        safe.mkdir(parents=True, exist_ok=True)
        self.data_root.mkdir(parents=True, exist_ok=True)
        (safe / "safekit").write_text(_RECORDER.format(journal=self.home / "journal"))
        (safe / "safekit").chmod(0o755)
        shutil.copytree(MODULE, safe / "modules" / "postgresql", dirs_exist_ok=True)
        etc = self.data_root.parent / "etc"
        etc.mkdir(exist_ok=True)
        ready = self.home / "ready"
        ready.unlink(missing_ok=True)
        script = f"""
            set -e
            mount -t tmpfs none /run
            mount -t tmpfs none /var/log/postgresql
            mount --bind {self.data_root} /var/lib/postgresql
            mount --bind {etc} /etc/postgresql
            ip link set lo up
            touch {ready}
            exec sleep infinity
        """
        self._holder = subprocess.Popen(
            ["unshare", *_NAMESPACES, "--fork", "--kill-child", "--mount-proc", "sh", "-c", script]
        )
        while not ready.exists():
            assert self._holder.poll() is None, "the namespaces could not be made"
            time.sleep(0.005)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.power_off()

    def power_off(self) -> None:
        """Kill every process of the host at once."""
        if self._holder is not None:
            self._first_pid_kill()
            self._holder.wait()
            self._holder = None

    def _first_pid(self) -> int:
        assert self._holder is not None, "the host is off"
        children = Path(f"/proc/{self._holder.pid}/task/{self._holder.pid}/children")
        return int(children.read_text().split()[0])

    def _first_pid_kill(self) -> None:
        os.kill(self._first_pid(), 9)

    def enter(self, arguments: Sequence[str | Path]) -> list[str]:
        """Return the command line that runs `arguments` inside the host."""
        pid = str(self._first_pid())
        inside = ["nsenter", "--target", pid, *_NAMESPACES, "--"]
        return inside + [str(argument) for argument in arguments]

    def run(self, *arguments: str | Path, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run to the end inside the host; its output is text."""
        return subprocess.run(
            self.enter(arguments), check=check, capture_output=True, text=True, timeout=120
        )

    def script(
        self, name: str, *arguments: str, data: Path, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Run a script of the module as the engine does: its environment, nothing else."""
        module = self.safe / "modules" / "postgresql"
        environment = {
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "SAFE": str(self.safe),
            "SAFEMODULE": "postgresql",
            "SAFEUSERBIN": str(module / "bin"),
            "SAFEUSERVAR": str(self.home / "var"),
            "PGDATA": str(data),
            "START_TIMEOUT_S": "60",
        }
        command = [f"{key}={value}" for key, value in environment.items()]
        return self.run("env", "-i", *command, module / "bin" / name, *arguments, check=check)

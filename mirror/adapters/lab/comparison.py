"""Both lower directories of a module in a lab, compared bit by bit.

Each side is read inside its own host and compared here. On a node whose module runs, the lower
directory lies beneath a mount; the data plane keeps a private bind of it, which is what is read.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import IO

from mirror import errors
from mirror.adapters.compare import Difference, Entry, compare
from mirror.adapters.compare.digest import HIDDEN_DIRECTORY
from mirror.adapters.lab import plan, status
from mirror.adapters.lab.client import Lab

_READ_S = 600.0


def lower_directories(lab: Lab, host: str, module: str) -> list[str]:
    """Where each replicated directory of the module is on the host's disk, by the host's names."""
    pid = lab.pid(host)
    directories = status.configured(pid)[module]["directories"]
    found = []
    for index, directory in enumerate(directories):
        bind = f"{plan.SAFEVAR}/run/{module}.lower.{index}"
        running = Path(f"/proc/{pid}/root{bind}").is_dir()
        found.append(bind if running else str(directory))
    return found


def compare_hosts(lab: Lab, module: str) -> list[Difference]:
    """Every difference between the lower directories of both nodes; writes must have stopped.

    Raises: LabCommandFailed (MIR-705) when a side cannot be read whole.
    """
    left, right = (lower_directories(lab, host, module) for host in plan.NODES)
    rules = status.configured(lab.pid(plan.NODES[0]))[module]["rules"]
    found: list[Difference] = []
    for index, pair in enumerate(zip(left, right, strict=True)):
        entries = _read_both(lab, dict(zip(plan.NODES, pair, strict=True)), rules[index])
        differences = compare(*entries)
        found += [
            replace(difference, path=f"{index}:{difference.path}") if len(left) > 1 else difference
            for difference in differences
        ]
    return found


def plant_difference(lab: Lab, host: str, module: str) -> str:
    """Change a bit beneath the module of `host`, keeping the file's time; return its name.

    For the test that a difference is found: nothing but a comparison of the bytes can see it.
    """
    (directory, *_) = lower_directories(lab, host, module)
    top = Path(f"/proc/{lab.pid(host)}/root{directory}")
    files = [path for path in top.rglob("*") if path.is_file() and not path.is_symlink()]
    victim = max(
        (path for path in files if HIDDEN_DIRECTORY not in path.relative_to(top).parts),
        key=lambda path: path.stat().st_size,
    )
    before = victim.stat()
    with victim.open("r+b") as file:
        first = file.read(1)[0]
        file.seek(0)
        file.write(bytes([first ^ 1]))
    os.utime(victim, ns=(before.st_atime_ns, before.st_mtime_ns))
    return str(victim.relative_to(top))


def _read_both(
    lab: Lab, directories: dict[str, str], rules: Sequence[tuple[str, str]]
) -> list[list[Entry]]:
    words = [word for rule in rules for word in rule]
    with ExitStack() as stack:
        started = []
        for host, directory in directories.items():
            output: IO[str] = stack.enter_context(tempfile.TemporaryFile("w+"))
            complaint: IO[str] = stack.enter_context(tempfile.TemporaryFile("w+"))
            command = [sys.executable, "-m", "mirror.adapters.compare", directory, *words]
            process = lab.popen(host, command, stdout=output, stderr=complaint, text=True)
            started.append((host, command, process, output, complaint))
        sides = []
        for host, command, process, output, complaint in started:
            _await(lab, host, command, process, complaint)
            output.seek(0)
            sides.append([Entry.from_json(line) for line in output])
        return sides


def _await(
    lab: Lab,
    host: str,
    command: list[str],
    process: "subprocess.Popen[str]",
    complaint: IO[str],
) -> None:
    code = process.wait(timeout=_READ_S)
    if code != 0:
        complaint.seek(0)
        raise errors.LabCommandFailed(
            host=host,
            command=" ".join(command),
            observed=f"exit code {code}: {complaint.read().strip()[-1000:]}",
            log=lab.facts()["hosts"][host]["log"],
        )

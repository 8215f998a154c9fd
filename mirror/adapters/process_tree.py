"""Processes and their descendants, by name or number: for the helpers that scripts call.

Reads /proc/PID/stat only, which never blocks; a command line may (design 3), and is left alone.
"""

import contextlib
import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")
_PARENT_FIELD = 1  # after the name, which may hold blanks and brackets


@dataclass(frozen=True, slots=True)
class Process:
    """One process as the kernel names it."""

    pid: int
    parent: int
    name: str


def processes() -> dict[int, Process]:
    """Every process of this host (of this PID namespace), by its number."""
    found = {}
    for entry in os.scandir(_PROC):
        if entry.name.isdecimal():
            with contextlib.suppress(OSError):
                found[int(entry.name)] = _read(int(entry.name))
    return found


def _read(pid: int) -> Process:
    before, _, after = (_PROC / str(pid) / "stat").read_text(errors="replace").rpartition(")")
    return Process(pid, int(after.split()[_PARENT_FIELD]), before.partition("(")[2])


def heads(known: dict[int, Process], wanted: str) -> list[int]:
    """Processes of that number or name; "all": those without a parent here.

    One whose ancestor is among them is not listed again.
    """
    if wanted == "all":
        return [pid for pid, one in known.items() if one.parent not in known]
    chosen = {pid for pid, one in known.items() if wanted in (str(pid), one.name)}
    return [pid for pid in sorted(chosen) if not chosen.intersection(_ancestors(known, pid))]


def _ancestors(known: dict[int, Process], pid: int) -> Iterator[int]:
    while pid in known and known[pid].parent:
        pid = known[pid].parent
        yield pid


def tree(known: dict[int, Process], head: int, depth: int = 0) -> Iterator[tuple[int, Process]]:
    """Yield (depth, process) of a process and all beneath it, parents first."""
    yield depth, known[head]
    for child in sorted(pid for pid, one in known.items() if one.parent == head):
        yield from tree(known, child, depth + 1)


def kill_tree(head: int) -> list[int]:
    """Kill a process and all beneath it; return the killed ones.

    Each is stopped before its children are listed, so that none is born meanwhile unseen.
    """
    stopped: list[int] = []
    waiting = [head]
    while waiting:
        pid = waiting.pop()
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGSTOP)
            stopped.append(pid)
            waiting += [one.pid for one in processes().values() if one.parent == pid]
    for pid in stopped:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return stopped

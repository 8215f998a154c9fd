"""Where there are no control groups: processes of an application found by session and by mark.

Every script runs in a session of its own with MIRROR_GROUP in its environment. Its processes are
those of that session, those with the mark, and all their descendants. A daemon that both cleans
its environment and leaves its parents is not found; that is why control groups are preferred,
and why the module log says when they are missing. Same interface as ControlGroup.
"""

import asyncio
import contextlib
import os
import signal
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

MARK_VARIABLE = "MIRROR_GROUP"
_POLL_S = 0.05
_PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class _Process:
    pid: int
    parent: int
    session: int


class MarkedGroup:
    """Processes of one group, by their mark. name: `AM/app`, or `AM` for all groups of AM."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._sessions: set[int] = set()
        self._killing = False

    def create(self) -> None:
        """Do nothing: a mark needs no place."""

    def enter(self, command: Sequence[str]) -> list[str]:
        """The command itself: whoever starts it sets the mark."""
        return list(command)

    def note_session(self, session: int) -> None:
        """Remember the session of a script that was started in this group."""
        self._sessions.add(session)

    def processes(self) -> list[int]:
        """Living processes of the group. May block while one of them holds its memory locked."""
        everything = _living()
        found = {each.pid for each in everything if self._is_ours(each)}
        while True:
            born = {each.pid for each in everything if each.parent in found} - found
            if not born:
                return sorted(found - {os.getpid()})
            found |= born

    def populated(self) -> bool:
        """Whether any process is left."""
        return bool(self.processes())

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to every process; after SIGKILL, wait_empty kills who was missed."""
        self._killing = number is signal.SIGKILL
        _send(number, self.processes())

    async def wait_empty(self, timeout_s: float) -> bool:
        """Wait until no process is left. Returns: whether that came true in time."""
        try:
            async with asyncio.timeout(timeout_s):
                # /proc has no event for this.
                while await asyncio.to_thread(self._is_anyone_left):  # noqa: ASYNC110
                    await asyncio.sleep(_POLL_S)
        except TimeoutError:
            return False
        finally:
            self._killing = False
        self._sessions.clear()
        return True

    def _is_anyone_left(self) -> bool:
        """Kill, too, who was born after the others were listed, or had no mark: amid an execve."""
        left = self.processes()
        if self._killing:
            _send(signal.SIGKILL, left)
        return bool(left)

    def remove(self) -> None:
        """Do nothing."""

    def _is_ours(self, process: _Process) -> bool:
        if process.session in self._sessions:
            return True
        with contextlib.suppress(OSError):
            mark = f"{MARK_VARIABLE}={self.name}".encode()
            environment = (_PROC / str(process.pid) / "environ").read_bytes().split(b"\0")
            return any(each == mark or each.startswith(mark + b"/") for each in environment)
        return False


def _send(number: signal.Signals, pids: Iterable[int]) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def _living() -> list[_Process]:
    found = []
    for entry in _PROC.iterdir():
        if not entry.name.isdecimal():
            continue
        with contextlib.suppress(OSError):
            # After the last ')': the name may hold spaces and brackets (proc(5)).
            rest = (entry / "stat").read_text().rpartition(")")[2].split()
            if rest[0] not in {"Z", "X"}:
                found.append(_Process(int(entry.name), int(rest[1]), int(rest[3])))
    return found

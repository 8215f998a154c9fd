"""Looks for processes in /proc, in a process of its own: reading /proc can block for ever.

The command line of a process lies in that process's memory, and reading it waits for a page
fault that waits for a frozen mount. So whoever needs it asks here, with a deadline, and kills
this process when the deadline is over. Names do not block, and are looked at first.

On descriptor 0 is a SOCK_SEQPACKET socket. A request is JSON: {"id", "wanted": [{"name",
"nameregex", "argregex", "watch_max"}]}. Answers: {"id", "index", "count"} with descriptors of at
most watch_max of those processes, and at the end {"id", "done": true}. A pid may be used again
at once; a descriptor opened before looking means exactly the process that was looked at.
"""

import contextlib
import json
import os
import select
import socket
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mirror.adapters.checkers.posix_regex import PosixRegex

DESCRIPTORS_MAX = 200  # of one message; the kernel's limit is 253
REQUEST_BYTES_MAX = 1 << 17
NAME_CHARS_MAX = 15  # of a command in the kernel

_PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to look for. nameregex replaces the name; argregex is asked in addition."""

    name: bytes
    nameregex: PosixRegex | None
    argregex: PosixRegex | None
    watch_max: int

    @classmethod
    def from_request(cls, request: dict[str, Any]) -> "Wanted":
        """Compile a part of a request. Raises: ValueError for an expression that is none."""
        return cls(
            name=request["name"].encode()[:NAME_CHARS_MAX],
            nameregex=PosixRegex(request["nameregex"]) if request["nameregex"] else None,
            argregex=PosixRegex(request["argregex"]) if request["argregex"] else None,
            watch_max=min(request["watch_max"], DESCRIPTORS_MAX),
        )

    def has_name(self, name: bytes) -> bool:
        """Whether a command of this name may be one."""
        return self.nameregex.found_in(name) if self.nameregex else name == self.name


def scan(wanted: Wanted) -> tuple[int, list[int]]:
    """Count the processes that match. Returns: how many, and descriptors of the first ones.

    A zombie does not count. The descriptors are the caller's to close.
    """
    count = 0
    descriptors: list[int] = []
    for pid in _pids():
        with contextlib.suppress(OSError):
            pidfd = os.pidfd_open(pid)
            if not _matches(pid, wanted) or _has_ended(pidfd):
                os.close(pidfd)
                continue
            count += 1
            if len(descriptors) < wanted.watch_max:
                descriptors.append(pidfd)
            else:
                os.close(pidfd)
    return count, descriptors


def _pids() -> Iterator[int]:
    """Every process but this one."""
    ours = os.getpid()
    for entry in os.scandir(_PROC):
        if entry.name.isdecimal() and int(entry.name) != ours:
            yield int(entry.name)


def _matches(pid: int, wanted: Wanted) -> bool:
    try:
        name = (_PROC / str(pid) / "comm").read_bytes().rstrip(b"\n")
        if not wanted.has_name(name):
            return False
        if wanted.argregex is None:
            return True
        arguments = (_PROC / str(pid) / "cmdline").read_bytes()  # here it may block
    except OSError:  # it ended meanwhile
        return False
    return wanted.argregex.found_in(arguments.rstrip(b"\0").replace(b"\0", b" "))


def _has_ended(pidfd: int) -> bool:
    return bool(select.select([pidfd], [], [], 0)[0])


def answer(channel: socket.socket, request: dict[str, Any]) -> None:
    """Answer one request, what cannot block first."""
    wanted = list(enumerate(map(Wanted.from_request, request["wanted"])))
    for index, each in sorted(wanted, key=lambda pair: pair[1].argregex is not None):
        count, descriptors = scan(each)
        reply = json.dumps({"id": request["id"], "index": index, "count": count}).encode()
        socket.send_fds(channel, [reply], descriptors)
        for descriptor in descriptors:
            os.close(descriptor)
    channel.send(json.dumps({"id": request["id"], "done": True}).encode())


def main() -> int:
    """Answer requests until the other end is closed."""
    with socket.socket(fileno=0) as channel:
        while request := channel.recv(REQUEST_BYTES_MAX):
            answer(channel, json.loads(request))
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""The book of commands given on this node (`cmdlog`): who, when, what, and with which result.

One JSON text a line, so that a line torn by a power loss spoils no other. Bounded: when the file
is full it becomes the former one, and the one before that goes. Never holds a secret: passwords
and tokens are no arguments of any command.
"""

import contextlib
import fcntl
import json
import os
import pwd
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from mirror.adapters import clock

FILE_BYTES_MAX = 1024 * 1024
NAME, FORMER = "commands.jsonl", "commands.1.jsonl"
LINE_BYTES_MAX = 4096


@dataclass(frozen=True, slots=True)
class Given:
    """One command. user: who typed it; identity: of -i, when a script did."""

    time_us: int
    user: str
    identity: str
    command: str
    exit_code: int


def note_command(
    safevar: Path, arguments: Sequence[str], *, identity: str, exit_code: int
) -> None:
    """Add a line; a disk that refuses must not fail the command, which was done."""
    given = Given(clock.wall_us(), user_name(), identity, " ".join(arguments), exit_code)
    line = json.dumps(asdict(given))[:LINE_BYTES_MAX] + "\n"
    with contextlib.suppress(OSError):
        file = safevar / NAME
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        with open(descriptor, "a", encoding="utf-8") as book:  # noqa: PTH123 - a descriptor
            fcntl.flock(book, fcntl.LOCK_EX)
            if os.fstat(descriptor).st_size > FILE_BYTES_MAX:
                file.replace(safevar / FORMER)
            book.write(line)


def last_commands(safevar: Path, count: int) -> list[Given]:
    """The newest commands, oldest first."""
    lines: list[str] = []
    for name in (FORMER, NAME):
        with contextlib.suppress(OSError):
            lines += (safevar / name).read_text(encoding="utf-8", errors="replace").splitlines()
    return list(_read(lines))[-count:]


def _read(lines: Sequence[str]) -> Iterator[Given]:
    for line in lines:
        with contextlib.suppress(ValueError, TypeError):
            yield Given(**json.loads(line))


def user_name() -> str:
    """Who gives this command: the person behind sudo, when there is one."""
    if behind := os.environ.get("SUDO_USER"):
        return f"{behind} (sudo)"
    with contextlib.suppress(KeyError):
        return pwd.getpwuid(os.getuid()).pw_name
    return str(os.getuid())

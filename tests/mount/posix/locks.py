"""Locks between processes: flock, POSIX, open file description."""

import fcntl
import os
import struct
from pathlib import Path

from tests.mount.posix.tools import attempt, case, in_child, make, parallel

F_OFD_SETLK = 37
_WHOLE = struct.pack("hhllixxxx", fcntl.F_WRLCK, 0, 0, 0, 0)


@case
def flock_between_processes(top: Path) -> object:
    make(top / "f")
    fd = os.open(top / "f", os.O_RDWR)
    seen: list[object] = []

    def other(how: int) -> object:
        def act() -> object:
            mine = os.open(top / "f", os.O_RDWR)
            return attempt(fcntl.flock, mine, how | fcntl.LOCK_NB)

        return in_child(act)

    for held in (fcntl.LOCK_SH, fcntl.LOCK_EX, fcntl.LOCK_UN):
        fcntl.flock(fd, held)
        seen += [other(fcntl.LOCK_SH), other(fcntl.LOCK_EX)]
    fcntl.flock(fd, fcntl.LOCK_EX)
    second = os.open(top / "f", os.O_RDWR)
    seen.append(attempt(fcntl.flock, second, fcntl.LOCK_EX | fcntl.LOCK_NB))
    os.close(fd)
    seen.append(attempt(fcntl.flock, second, fcntl.LOCK_EX | fcntl.LOCK_NB))
    os.close(second)
    return seen


@case
def posix_locks_between_processes(top: Path) -> object:
    make(top / "f", b"x" * 100)
    fd = os.open(top / "f", os.O_RDWR)
    fcntl.lockf(fd, fcntl.LOCK_EX, 10, 20)
    seen: list[object] = []

    def other(how: int, length: int, start: int) -> object:
        def act() -> object:
            mine = os.open(top / "f", os.O_RDWR)
            return attempt(fcntl.lockf, mine, how | fcntl.LOCK_NB, length, start)

        return in_child(act)

    for start, length in ((0, 20), (0, 21), (29, 1), (30, 5), (25, 1), (50, 0)):
        seen += [other(fcntl.LOCK_EX, length, start), other(fcntl.LOCK_SH, length, start)]

    def who() -> object:
        mine = os.open(top / "f", os.O_RDWR)
        found = fcntl.fcntl(mine, fcntl.F_GETLK, _WHOLE)
        kind, _, start, length, pid = struct.unpack("hhllixxxx", found)
        return [kind, start, length, pid == os.getppid()]

    seen.append(in_child(who))
    os.close(os.open(top / "f", os.O_RDONLY))  # closing any descriptor drops them: POSIX
    seen.append(other(fcntl.LOCK_EX, 5, 12))
    os.close(fd)
    return seen


@case
def locks_of_open_file_descriptions(top: Path) -> object:
    make(top / "f")
    one, two = (os.open(top / "f", os.O_RDWR) for _ in range(2))
    seen = [attempt(lambda: len(fcntl.fcntl(one, F_OFD_SETLK, _WHOLE)))]
    seen += [attempt(lambda: len(fcntl.fcntl(two, F_OFD_SETLK, _WHOLE)))]
    os.close(one)
    seen += [attempt(lambda: len(fcntl.fcntl(two, F_OFD_SETLK, _WHOLE)))]
    os.close(two)
    return seen


@case
def locks_exclude(top: Path) -> object:
    """Processes that wait for each other count without losing one."""
    make(top / "counter", b"0")

    def count(number: int) -> int:
        for _ in range(50):
            fd = os.open(top / "counter", os.O_RDWR)
            lock = fcntl.flock if number % 2 else fcntl.lockf
            fcntl.lockf(fd, fcntl.LOCK_EX)
            if lock is fcntl.flock:
                fcntl.flock(fd, fcntl.LOCK_EX)
            value = int(os.pread(fd, 20, 0))
            os.pwrite(fd, b"%d" % (value + 1), 0)
            os.close(fd)
        return 0

    parallel(count, 4)
    return (top / "counter").read_bytes().decode()


@case
def a_lock_ends_with_its_process(top: Path) -> object:
    make(top / "f")

    def die() -> None:
        fd = os.open(top / "f", os.O_RDWR)
        fcntl.flock(fd, fcntl.LOCK_EX)
        fcntl.lockf(fd, fcntl.LOCK_EX)
        os.kill(os.getpid(), 9)

    in_child(die)
    fd = os.open(top / "f", os.O_RDWR)
    seen = [attempt(fcntl.flock, fd, fcntl.LOCK_EX | fcntl.LOCK_NB)]
    seen += [attempt(fcntl.lockf, fd, fcntl.LOCK_EX | fcntl.LOCK_NB)]
    os.close(fd)
    return seen

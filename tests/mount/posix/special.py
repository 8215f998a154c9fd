"""Devices, fifos, sockets, programs, flags of files, what the file system says of itself."""

import os
import select
import shutil
import socket
import stat
import subprocess
from pathlib import Path

from tests.mount.posix.tools import (
    GROUP,
    USER,
    as_user,
    attempt,
    case,
    in_child,
    make,
    opened,
    shown,
)
from tests.workload import syscalls


@case
def devices(top: Path) -> object:
    os.mknod(top / "null", stat.S_IFCHR | 0o666, os.makedev(1, 3))
    os.mknod(top / "zero", stat.S_IFCHR | 0o666, os.makedev(1, 5))
    os.mknod(top / "large", stat.S_IFBLK | 0o600, os.makedev(4000, 1_000_000))
    return [
        attempt(lambda: (top / "null").write_bytes(b"x")),
        attempt(lambda: os.pread(os.open(top / "zero", os.O_RDONLY), 4, 0)),
        opened(top / "large", os.O_RDONLY),
        *(os.stat(top / name).st_rdev for name in ("null", "zero", "large")),
    ]


@case
def fifos_carry_data(top: Path) -> object:
    os.mkfifo(top / "p")
    seen: list[object] = [opened(top / "p", os.O_WRONLY | os.O_NONBLOCK)]
    reading = os.open(top / "p", os.O_RDONLY | os.O_NONBLOCK)

    def write() -> None:
        with (top / "p").open("wb") as pipe:
            pipe.write(b"through")

    in_child(write)
    select.select([reading], [], [], 5)
    seen.append(os.read(reading, 100).decode())
    os.close(reading)
    return seen


@case
def what_lost_its_name_is_still_open(top: Path) -> object:
    os.mkfifo(top / "p")
    os.mknod(top / "zero", stat.S_IFCHR | 0o666, os.makedev(1, 5))
    seen: list[object] = []
    for name in ("p", "zero"):
        fd = os.open(top / name, os.O_RDWR)
        os.unlink(top / name)
        seen += [attempt(os.fchmod, fd, 0o640), attempt(os.fchown, fd, USER, GROUP), shown(fd)]
        os.close(fd)
    os.mkfifo(top / "old")
    os.mkfifo(top / "new")
    replaced = os.open(top / "new", os.O_RDWR)
    os.rename(top / "old", top / "new")
    seen.append(shown(replaced))
    os.close(replaced)
    return seen


@case
def sockets_accept(top: Path) -> object:
    os.chdir(top)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind("s")
    listener.listen()

    def connect() -> None:
        client = socket.socket(socket.AF_UNIX)
        client.connect("s")
        client.sendall(b"hello")

    in_child(connect)
    accepted, _ = listener.accept()
    seen = [accepted.recv(10).decode(), oct(os.stat("s").st_mode)]
    again = socket.socket(socket.AF_UNIX)
    seen.append(attempt(again.bind, "s"))
    for each in (listener, accepted, again):
        each.close()
    os.chdir("/")
    return seen


@case
def programs_run(top: Path) -> object:
    shutil.copy2("/usr/bin/id", top / "id")
    make(top / "script", b"#!/bin/sh\necho ran $0\n", 0o755)
    make(top / "plain", b"#!/bin/sh\necho ran\n", 0o644)
    seen: list[object] = []
    for name in ("id", "script", "plain"):
        try:
            done = subprocess.run([f"./{name}"], cwd=top, capture_output=True, check=False)
            seen.append(done.returncode)
        except OSError as error:
            seen.append(str(error.strerror))
    (top / "id").chmod(0o4755)
    command = [str(top / "id"), "-u"]

    def who() -> str:
        return subprocess.run(command, capture_output=True, check=True).stdout.decode()

    seen.append(as_user(who))
    shutil.copy2("/usr/bin/sleep", top / "busy")
    with subprocess.Popen([str(top / "busy"), "60"]) as running:
        # The program is being executed once its image shows it.
        while os.readlink(f"/proc/{running.pid}/exe") != str(top / "busy"):
            pass
        seen.append(opened(top / "busy", os.O_WRONLY))
        seen.append(attempt(os.truncate, top / "busy", 0))
        running.kill()
    return [*seen, opened(top / "busy", os.O_WRONLY)]


def with_flags(path: Path, flags: int) -> object:
    def act() -> None:
        fd = os.open(path, os.O_RDONLY)
        try:
            syscalls.set_flags(fd, flags)
        finally:
            os.close(fd)

    return attempt(act)


def flags_of(path: Path) -> int:
    fd = os.open(path, os.O_RDONLY)
    try:
        return syscalls.get_flags(fd) & 0xFF
    finally:
        os.close(fd)


@case
def immutable_files(top: Path) -> object:
    file = make(top / "f", b"fixed")
    seen: list[object] = [with_flags(file, syscalls.FLAG_IMMUTABLE), flags_of(file)]
    seen += [opened(file, os.O_WRONLY), opened(file, os.O_RDONLY), attempt(os.unlink, file)]
    seen += [attempt(os.rename, file, top / "g"), attempt(os.link, file, top / "g")]
    seen += [attempt(os.chmod, file, 0o600), attempt(os.chown, file, 1, 1)]
    seen += [attempt(os.utime, file), attempt(os.truncate, file, 0)]
    seen += [attempt(os.setxattr, file, "user.x", b"y"), with_flags(file, 0)]
    return [*seen, opened(file, os.O_WRONLY), flags_of(file), sorted(os.listdir(top))]


@case
def immutable_directories(top: Path) -> object:
    directory = top / "d"
    directory.mkdir()
    make(directory / "inside", b"1")
    seen: list[object] = [with_flags(directory, syscalls.FLAG_IMMUTABLE), flags_of(directory)]
    seen += [opened(directory / "new", os.O_CREAT | os.O_WRONLY)]
    seen += [attempt(os.unlink, directory / "inside"), attempt(os.mkdir, directory / "n")]
    seen += [attempt(lambda: (directory / "inside").write_bytes(b"2"))]
    seen += [attempt(os.rename, directory / "inside", top / "x")]
    return [*seen, with_flags(directory, 0), attempt(os.unlink, directory / "inside")]


@case
def append_only_files(top: Path) -> object:
    file = make(top / "log", b"one\n")
    seen: list[object] = [with_flags(file, syscalls.FLAG_APPEND), flags_of(file)]
    seen += [opened(file, os.O_WRONLY), opened(file, os.O_WRONLY | os.O_APPEND | os.O_TRUNC)]

    def append() -> None:
        fd = os.open(file, os.O_WRONLY | os.O_APPEND)
        try:
            os.write(fd, b"two\n")
            os.fsync(fd)
        finally:
            os.close(fd)

    seen += [attempt(append), attempt(append), attempt(os.truncate, file, 0)]
    seen += [attempt(os.unlink, file), file.read_bytes().decode(), with_flags(file, 0)]
    return [*seen, shown(file)]


@case
def other_flags(top: Path) -> object:
    file = make(top / "f")
    seen: list[object] = []
    for flag in (syscalls.FLAG_NODUMP, syscalls.FLAG_NOATIME, syscalls.FLAG_SYNC):
        seen += [with_flags(file, flag), flags_of(file)]

    def as_owner() -> list[object]:
        return [with_flags(file, syscalls.FLAG_IMMUTABLE), with_flags(file, syscalls.FLAG_NODUMP)]

    os.chown(file, 1234, 4321)
    seen.append(as_user(as_owner))
    os.chown(file, 0, 0)
    return [*seen, as_user(as_owner), flags_of(file)]


@case
def flags_move_ctime(top: Path) -> object:
    file = make(top / "f")
    before = file.stat().st_ctime_ns
    tries = 0
    while (moves := file.stat().st_ctime_ns > before) is False and tries < 1000:
        with_flags(file, syscalls.FLAG_NODUMP)  # until the clock of the file system moves
        tries += 1
    return moves


@case
def what_it_says_of_itself(top: Path) -> object:
    found = os.statvfs(top)
    names = ("PC_NAME_MAX", "PC_PATH_MAX", "PC_PIPE_BUF", "PC_CHOWN_RESTRICTED", "PC_NO_TRUNC")
    return [
        *(found.f_bsize, found.f_frsize, found.f_blocks, found.f_files, found.f_namemax),
        *(os.pathconf(top, name) for name in names),
        os.stat(top).st_blksize,
    ]


@case
def space_is_taken(top: Path) -> object:
    """What is written is taken from the free blocks.

    Others use the disk too: what they free meanwhile is none of ours, so it is tried again. How
    many extents a file has is the disk's affair, and a few blocks more for them.
    """
    size, seen = 64 << 20, [False, False]
    for number in range(8):
        before = os.statvfs(top).f_bfree
        make(top / f"f{number}", b"x" * size)
        fd = os.open(top / f"f{number}", os.O_RDWR)
        os.fsync(fd)
        found = os.statvfs(top)
        is_taken = (before - found.f_bfree) * found.f_frsize > size * 3 // 4
        seen = [is_taken, size <= os.fstat(fd).st_blocks * 512 <= size + (1 << 20)]
        os.close(fd)
        os.unlink(top / f"f{number}")
        if is_taken:
            break
    return seen

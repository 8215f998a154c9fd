"""Content: reads, writes, holes, mappings, and what open flags mean."""

import contextlib
import fcntl
import mmap
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.mount.posix.tools import attempt, case, in_child, make, parallel, shown
from tests.workload import syscalls

KEEP, PUNCH, COLLAPSE, ZERO, INSERT = 1, 2, 8, 16, 32
PAGE = 4096


@contextlib.contextmanager
def open_fd(path: Path, flags: int = os.O_RDWR | os.O_CREAT) -> Iterator[int]:
    fd = os.open(path, flags, 0o644)
    try:
        yield fd
    finally:
        os.close(fd)


@case
def errors_of_data_calls(top: Path) -> object:
    make(top / "f", b"x" * 100)
    seen: dict[str, object] = {}
    for name, flags in (("r", os.O_RDONLY), ("w", os.O_WRONLY), ("rw", os.O_RDWR)):
        with open_fd(top / "f", flags) as fd:
            calls: dict[str, Callable[[], object]] = {
                "read": lambda fd=fd: os.pread(fd, 5, 0),  # type: ignore[misc]
                "read behind": lambda fd=fd: os.pread(fd, 5, 1000),  # type: ignore[misc]
                "read before": lambda fd=fd: os.pread(fd, 5, -1),  # type: ignore[misc]
                "write": lambda fd=fd: os.pwrite(fd, b"y", 3),  # type: ignore[misc]
                "write before": lambda fd=fd: os.pwrite(fd, b"y", -1),  # type: ignore[misc]
                "truncate": lambda fd=fd: os.ftruncate(fd, 99),  # type: ignore[misc]
                "truncate negative": lambda fd=fd: os.ftruncate(fd, -1),  # type: ignore[misc]
                "truncate too far": lambda fd=fd: os.ftruncate(fd, 17 << 40),  # type: ignore[misc]
                "allocate": lambda fd=fd: os.posix_fallocate(fd, 0, 50),  # type: ignore[misc]
                "allocate nothing": lambda fd=fd: syscalls.fallocate(fd, 0, 0, 0),  # type: ignore[misc]
                "allocate before": lambda fd=fd: syscalls.fallocate(fd, 0, -1, 5),  # type: ignore[misc]
                "punch grows": lambda fd=fd: syscalls.fallocate(fd, PUNCH, 0, 5),  # type: ignore[misc]
                "fsync": lambda fd=fd: os.fsync(fd),  # type: ignore[misc]
                "seek behind": lambda fd=fd: os.lseek(fd, 10**9, os.SEEK_SET),  # type: ignore[misc]
                "seek before": lambda fd=fd: os.lseek(fd, -1, os.SEEK_SET),  # type: ignore[misc]
                "data behind": lambda fd=fd: os.lseek(fd, 1000, os.SEEK_DATA),  # type: ignore[misc]
                "hole": lambda fd=fd: os.lseek(fd, 0, os.SEEK_HOLE),  # type: ignore[misc]
                "map": lambda fd=fd: mmap.mmap(fd, 50).close(),  # type: ignore[misc]
                "advise": lambda fd=fd: os.posix_fadvise(fd, 0, 0, 4),  # type: ignore[misc]
            }
            for what, call in calls.items():
                seen[f"{name} {what}"] = [attempt(call), os.fstat(fd).st_size]
    for name in ("read", "write", "fsync", "truncate"):
        fd = os.open(top, os.O_RDONLY)
        directory_calls: dict[str, Callable[[int], object]] = {
            "read": lambda fd: os.read(fd, 5),
            "write": lambda fd: os.write(fd, b"5"),
            "fsync": os.fsync,
            "truncate": lambda fd: os.ftruncate(fd, 0),
        }
        seen[f"directory {name}"] = attempt(directory_calls[name], fd)
        os.close(fd)
    return seen


@case
def writes_behind_the_largest_file(top: Path) -> object:
    with open_fd(top / "f") as fd:
        return [attempt(os.pwrite, fd, b"y", at) for at in (17 << 40, 2**63 - 2)]


@case
def appending_processes_lose_nothing(top: Path) -> object:
    make(top / "log")

    def append(number: int) -> int:
        with open_fd(top / "log", os.O_WRONLY | os.O_APPEND) as fd:
            for turn in range(100):
                os.write(fd, b"%d-%03d" % (number, turn) + b"." * 90 + b"\n")
        return 0

    parallel(append, 4)
    lines = (top / "log").read_bytes().splitlines()
    return [len(lines), len(set(lines)), {len(line) for line in lines} == {95}]


@case
def append_ignores_the_offset(top: Path) -> object:
    make(top / "f", b"0123456789")
    with open_fd(top / "f", os.O_RDWR | os.O_APPEND) as fd:
        os.pwrite(fd, b"A", 2)
        os.lseek(fd, 1, os.SEEK_SET)
        os.write(fd, b"B")
        seen: list[object] = [os.lseek(fd, 0, os.SEEK_CUR)]
        flags = fcntl.fcntl(fd, fcntl.F_GETFL)
        fcntl.fcntl(fd, fcntl.F_SETFL, flags & ~os.O_APPEND)
        os.pwrite(fd, b"C", 0)
        seen.append(attempt(os.pwritev, fd, [b"D"], -1, os.RWF_APPEND))
    return [*seen, (top / "f").read_bytes().decode()]


@case
def truncation_and_zeros(top: Path) -> object:
    seen: list[object] = []
    with open_fd(top / "f") as fd:
        os.write(fd, b"x" * 10_000)
        for size in (5000, 9000, 4096, 4097, 0, 3, 100_000):
            os.ftruncate(fd, size)
            content = os.pread(fd, 200_000, 0)
            seen.append([len(content), content.count(b"x"), content.rstrip(b"\0").count(b"\0")])
    with open_fd(top / "f", os.O_WRONLY | os.O_TRUNC) as fd:
        seen.append(shown(fd))
    return seen


def told_as_data(path: Path) -> list[bool]:
    """Of each byte that is not zero."""
    content = path.read_bytes()
    with open_fd(path, os.O_RDONLY) as fd:
        at = [each for each, byte in enumerate(content) if byte]
        return [os.lseek(fd, each, os.SEEK_DATA) == each for each in at]


@case
def what_is_in_memory_only_is_no_hole(top: Path) -> object:
    seen: list[object] = []
    with open_fd(top / "written") as fd:
        os.ftruncate(fd, 1 << 20)
        os.pwrite(fd, b"w", 500_000)
        os.pwrite(fd, b"e", 2 << 20)
        seen.append(told_as_data(top / "written"))
        seen += [os.lseek(fd, 2 << 20, os.SEEK_HOLE), attempt(os.lseek, fd, 3 << 20, os.SEEK_DATA)]
    with open_fd(top / "mapped") as fd:
        os.ftruncate(fd, 1 << 20)
        with mmap.mmap(fd, 1 << 20) as mapped:
            mapped[700_000] = 1
            command = ["cp", "--sparse=auto", str(top / "mapped"), str(top / "copy")]
            subprocess.run(command, check=True)
            seen.append((top / "copy").read_bytes() == mapped[:])
            mapped[300_000] = 1
            seen.append(told_as_data(top / "mapped"))
    return seen


def holes(fd: int) -> list[tuple[int, int]]:
    """What is data, of the file on disk."""
    os.fsync(fd)
    found, at, end = [], 0, os.fstat(fd).st_size
    while at < end:
        try:
            start = os.lseek(fd, at, os.SEEK_DATA)
        except OSError:
            break
        at = os.lseek(fd, start, os.SEEK_HOLE)
        found.append((start, at))
    return found


@case
def sparse_files(top: Path) -> object:
    seen: list[object] = []
    # Not for reading and writing: a mapping might have what no disk has.
    with (
        open_fd(top / "f", os.O_WRONLY | os.O_CREAT) as fd,
        open_fd(top / "f", os.O_RDONLY) as to_read,
    ):
        os.pwrite(fd, b"a" * 70_000, 1 << 20)
        os.pwrite(fd, b"b" * 4096, 8 << 20)
        os.ftruncate(fd, 16 << 20)
        seen += [holes(fd), shown(fd), os.fstat(fd).st_blocks]
        syscalls.fallocate(fd, PUNCH | KEEP, (1 << 20) + 4096, 8192)
        seen += [holes(fd), os.fstat(fd).st_blocks]
        for at in (0, 1 << 20, (1 << 20) + 5000, 9 << 20):
            seen += [os.lseek(fd, at, os.SEEK_HOLE), attempt(os.lseek, fd, at, os.SEEK_DATA)]
        os.ftruncate(fd, 8 << 40)
        os.pwrite(fd, b"end", (8 << 40) - 3)
        seen += [shown(fd), os.pread(to_read, 10, (8 << 40) - 5).hex(), holes(fd)]
    return seen


@case
def fallocate_modes(top: Path) -> object:
    seen: dict[str, object] = {}
    for mode in (0, KEEP, PUNCH, PUNCH | KEEP, ZERO, ZERO | KEEP, KEEP | COLLAPSE, 0x100):
        for offset, length in ((0, 4096), (5000, 100), (8192, 50_000), (100_000, 4096)):
            with open_fd(top / "f", os.O_RDWR | os.O_CREAT | os.O_TRUNC) as fd:
                os.write(fd, b"y" * 20_000)
                answer = attempt(syscalls.fallocate, fd, mode, offset, length)
                content = os.pread(fd, 200_000, 0)
                seen[f"{mode} {offset} {length}"] = [answer, len(content), content.count(b"y")]
    return seen


@case
def modes_of_fallocate_that_move_bytes(top: Path) -> object:
    with open_fd(top / "f") as fd:
        os.write(fd, b"y" * 20_480)
        return [attempt(syscalls.fallocate, fd, mode, 4096, 4096) for mode in (COLLAPSE, INSERT)]


@case
def copies_within_the_filesystem(top: Path) -> object:
    make(top / "from", bytes(range(256)) * 1000)
    seen: list[object] = []
    with open_fd(top / "from", os.O_RDWR) as source, open_fd(top / "to") as target:
        for count, at, to in (
            (1000, 0, 0),
            (100_000, 5000, 3000),
            (10**6, 200_000, 1),
            (5, 10**6, 9),
            (0, 0, 0),
        ):
            seen.append(attempt(os.copy_file_range, source, target, count, at, to))
            seen.append(len(os.pread(target, 10**6, 0)))
        seen.append(attempt(os.copy_file_range, source, source, 100, 0, 50))
        seen.append(attempt(os.copy_file_range, source, source, 100, 0, 5000))
        seen.append(os.pread(source, 100, 5000).hex())
        seen.append(attempt(os.copy_file_range, source, target, 10))
        seen.append([os.lseek(source, 0, os.SEEK_CUR), os.lseek(target, 0, os.SEEK_CUR)])
        with open_fd(top / "to", os.O_RDONLY) as reading:
            seen.append(attempt(os.copy_file_range, source, reading, 10))
        with open_fd(top / "to", os.O_WRONLY | os.O_APPEND) as appending:
            seen.append(attempt(os.copy_file_range, source, appending, 10))
        seen.append(attempt(os.sendfile, target, source, 0, 500))
    return seen


@case
def mappings_see_writes_and_writes_see_mappings(top: Path) -> object:
    seen: list[object] = []
    with open_fd(top / "f") as fd, open_fd(top / "f") as second:
        os.write(fd, b"a" * 20_000)
        with mmap.mmap(fd, 20_000) as shared, mmap.mmap(second, 20_000) as other:
            shared[5000:5005] = b"store"
            seen += [os.pread(second, 5, 5000), other[5000:5005]]
            os.pwrite(second, b"write", 9000)
            seen += [shared[9000:9005], other[9000:9005]]
            os.ftruncate(fd, 6000)
            seen += [shared[5990:6010].hex()]
            os.ftruncate(fd, 20_000)
            seen += [other[5990:6010].hex(), os.pread(fd, 20, 5990).hex()]
            syscalls.fallocate(fd, PUNCH | KEEP, 4096, 4096)
            seen += [shared[4090:4100].hex()]
            seen += [attempt(os.copy_file_range, fd, second, 100, 0, 12_000)]
            seen += [shared[12_000:12_005]]
            shared.flush()
        private = mmap.mmap(fd, 20_000, flags=mmap.MAP_PRIVATE)
        private[0:5] = b"mine!"
        seen += [os.pread(fd, 5, 0)]
        private.close()
    return [each.decode() if isinstance(each, bytes) else each for each in seen]


@case
def processes_share_a_mapping(top: Path) -> object:
    make(top / "f", bytes(PAGE))

    def count(_: int) -> int:
        with open_fd(top / "f", os.O_RDWR) as fd, mmap.mmap(fd, PAGE) as shared:
            for _turn in range(200):
                fcntl.lockf(fd, fcntl.LOCK_EX)
                shared[0:4] = (int.from_bytes(shared[0:4], "big") + 1).to_bytes(4, "big")
                fcntl.lockf(fd, fcntl.LOCK_UN)
        return 0

    parallel(count, 3)
    return int.from_bytes((top / "f").read_bytes()[:4], "big")


@case
def a_mapping_behind_the_end_is_a_signal(top: Path) -> object:
    make(top / "f", b"x" * 100)

    def act() -> object:
        with open_fd(top / "f", os.O_RDWR) as fd:
            mapped = mmap.mmap(fd, 100)
            os.ftruncate(fd, 0)
            return mapped[0]

    child = os.fork()
    if child == 0:
        with open(os.devnull, "w", encoding="ascii") as null:
            os.dup2(null.fileno(), 2)
        act()
        os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGBUS


@case
def mapped_stores_outlive_their_process(top: Path) -> object:
    make(top / "f", bytes(3 * PAGE))

    def act() -> None:
        with open_fd(top / "f", os.O_RDWR) as fd:
            mapped = mmap.mmap(fd, 3 * PAGE)
            mapped[PAGE : PAGE + 4] = b"kept"
            os.kill(os.getpid(), signal.SIGKILL)

    in_child(act)
    return (top / "f").read_bytes()[PAGE : PAGE + 4].decode()


@case
def direct_io(top: Path) -> object:
    seen: list[object] = []
    with mmap.mmap(-1, 16 * PAGE) as aligned:
        aligned[:] = b"d" * len(aligned)
        with open_fd(top / "f", os.O_RDWR | os.O_CREAT | os.O_DIRECT) as fd:
            seen.append(attempt(os.pwrite, fd, aligned, 0))
            seen.append(attempt(os.pwritev, fd, [aligned], PAGE))
            seen.append(attempt(os.preadv, fd, [aligned], 10 * PAGE))
            seen.append(shown(fd))
        with open_fd(top / "f") as fd:
            os.pwrite(fd, b"cached", 100)
        with open_fd(top / "f", os.O_RDONLY | os.O_DIRECT) as fd:
            os.preadv(fd, [aligned], 0)
        seen.append(aligned[98:108].decode())
    return seen


@case
def synchronous_writes(top: Path) -> object:
    seen: list[object] = []
    for flag in (os.O_SYNC, os.O_DSYNC):
        with open_fd(top / "f", os.O_RDWR | os.O_CREAT | flag) as fd:
            seen += [os.write(fd, b"x" * 5000), attempt(os.fdatasync, fd), shown(fd)]
            seen += [attempt(os.pwritev, fd, [b"y"], 0, os.RWF_DSYNC)]
    fd = os.open(top, os.O_RDONLY)
    seen += [attempt(os.fsync, fd), attempt(syscalls.syncfs, fd)]
    os.close(fd)
    return seen


@case
def writes_of_every_size_and_offset(top: Path) -> object:
    expected = bytearray()
    with open_fd(top / "f") as fd:
        for turn, size in enumerate((1, 4095, 4096, 4097, 65_537, 131_072, 1 << 20, 3_000_001)):
            offset = turn * 700_001
            data = bytes([turn + 1]) * size
            assert os.pwrite(fd, data, offset) == size
            expected.extend(bytes(max(0, offset + size - len(expected))))
            expected[offset : offset + size] = data
        same = os.pread(fd, len(expected) + 10, 0) == bytes(expected)
        vectors = [b"v" * size for size in (1, 100_000, 7)]
        return [same, os.pwritev(fd, vectors, 11), os.pread(fd, 9, 100_009).hex(), shown(fd)]


@case
def file_positions(top: Path) -> object:
    make(top / "f", b"0123456789")
    with open_fd(top / "f", os.O_RDWR) as fd:
        copy = os.dup(fd)
        seen: list[object] = [os.read(fd, 3).decode(), os.read(copy, 3).decode()]
        seen += [os.lseek(fd, -2, os.SEEK_END), os.read(copy, 9).decode()]
        os.close(copy)
    return seen

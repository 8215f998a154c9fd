"""Times: nanoseconds, what changes which, now and omit, before 1970 and far away."""

import os
from collections.abc import Callable
from pathlib import Path

from tests.mount.posix.tools import attempt, case, make
from tests.workload import syscalls

OLD_NS = 1_000_000_000_123_456_789


@case
def set_exactly(top: Path) -> object:
    seen: list[object] = []
    make(top / "f")
    (top / "d").mkdir()
    os.symlink("f", top / "l")
    os.mkfifo(top / "p")
    for name in ("f", "d", "l", "p"):
        for atime_ns, mtime_ns in ((1, 999_999_999), (-1, -(10**18)), (9 * 10**18, 15 * 10**17)):
            answer = attempt(os.utime, top / name, ns=(atime_ns, mtime_ns), follow_symlinks=False)
            found = os.lstat(top / name)
            seen.append([name, answer, found.st_atime_ns, found.st_mtime_ns])
    return seen


@case
def times_after_2262(top: Path) -> object:
    make(top / "f")
    os.utime(top / "f", ns=(10**19, 10**19))
    found = os.stat(top / "f")
    return [found.st_atime_ns, found.st_mtime_ns]


def changes() -> dict[str, Callable[[Path], object]]:
    """Each on the directory `d`, with `f` and a subdirectory `s` in it."""
    return {
        "nothing": lambda d: None,
        "write": lambda d: (d / "f").write_bytes(b"new"),
        "write nothing": lambda d: os.close(os.open(d / "f", os.O_WRONLY)),
        "truncate": lambda d: os.truncate(d / "f", 1),
        "truncate at open": lambda d: os.close(os.open(d / "f", os.O_WRONLY | os.O_TRUNC)),
        "read": lambda d: (d / "f").read_bytes(),
        "chmod": lambda d: (d / "f").chmod(0o600),
        "chown": lambda d: os.chown(d / "f", 5, 5),
        "xattr": lambda d: os.setxattr(d / "f", "user.x", b"y"),
        "create": lambda d: (d / "new").touch(),
        "unlink": lambda d: (d / "f2").unlink(),
        "mkdir": lambda d: (d / "newd").mkdir(),
        "rmdir": lambda d: (d / "s2").rmdir(),
        "symlink": lambda d: (d / "news").symlink_to("x"),
        "link": lambda d: os.link(d / "f", d / "newl"),
        "rename within": lambda d: os.rename(d / "f2", d / "f3"),
        "rename away": lambda d: os.rename(d / "f2", d / "s" / "f2"),
        "rename directory": lambda d: os.rename(d / "s2", d / "s" / "s2"),
        "rename over": lambda d: os.rename(d / "f2", d / "f"),
        "exchange": lambda d: syscalls.rename(-100, str(d / "f2"), -100, str(d / "f"), 2),
        "allocate": lambda d: allocate(d / "f", 0),
        "punch": lambda d: allocate(d / "f", 3),
        "copy": copy,
        "list": os.listdir,
    }


def allocate(path: Path, mode: int) -> None:
    fd = os.open(path, os.O_RDWR)
    syscalls.fallocate(fd, mode, 0, 4096)
    os.close(fd)


def copy(directory: Path) -> None:
    source = os.open(directory / "f2", os.O_RDONLY)
    target = os.open(directory / "f", os.O_WRONLY)
    os.copy_file_range(source, target, 2)
    os.close(source)
    os.close(target)


@case
def what_changes_which(top: Path) -> object:
    """Whether mtime is new, and whether ctime is, of directory, file and subdirectory."""
    seen: dict[str, object] = {}
    for name, change in changes().items():
        d = top / name
        (d / "s").mkdir(parents=True)
        (d / "s2").mkdir()
        make(d / "f", b"old")
        make(d / "f2", b"two")
        objects = [d / "f", d / "f2", d / "s", d / "s2", d]
        for each in objects:
            os.utime(each, ns=(OLD_NS, OLD_NS))
        fds = [os.open(each, os.O_RDONLY) for each in objects]
        before = [os.fstat(fd) for fd in fds]
        tick(top)
        answer = attempt(change, d)
        after = [os.fstat(fd) for fd in fds]
        seen[name] = [
            type(answer).__name__,
            *(
                [new.st_mtime_ns != OLD_NS, new.st_ctime_ns != old.st_ctime_ns]
                for old, new in zip(before, after, strict=True)
            ),
        ]
        for fd in fds:
            os.close(fd)
    return seen


@case
def truncation_to_the_same_size(top: Path) -> object:
    os.utime(make(top / "f", b"old"), ns=(OLD_NS, OLD_NS))
    os.truncate(top / "f", 3)
    return os.stat(top / "f").st_mtime_ns != OLD_NS


def tick(top: Path) -> None:
    """Until the clock of the file system has moved: times have the grain of a tick."""
    marks: set[int] = set()
    while len(marks) < 3:
        make(top / "tick")
        marks.add(os.stat(top / "tick").st_mtime_ns)
        os.unlink(top / "tick")


@case
def now_and_order(top: Path) -> object:
    make(top / "a")
    tick(top)
    make(top / "b")
    os.utime(top / "a")
    tick(top)
    (top / "b").write_bytes(b"x")
    a, b = os.stat(top / "a"), os.stat(top / "b")
    return [a.st_mtime_ns < b.st_mtime_ns, a.st_mtime_ns <= a.st_ctime_ns, a.st_mtime_ns > OLD_NS]


@case
def now_never_goes_back(top: Path) -> object:
    """Over files too; the clock that a program can read is up to a tick behind that of files."""
    seen = []
    for number in range(100):
        made, touched = top / f"made{number}", top / f"touched{number % 2}"
        made.touch()
        made_ns = made.stat().st_mtime_ns
        touched.touch()
        os.utime(made, ns=(0, 0))
        os.utime(made)
        again = made.stat()
        seen.append(
            made_ns <= touched.stat().st_mtime_ns <= again.st_mtime_ns <= again.st_ctime_ns
        )
    return seen.count(False)


@case
def times_through_a_descriptor(top: Path) -> object:
    fd = os.open(top / "f", os.O_CREAT | os.O_RDWR, 0o600)
    os.write(fd, b"x" * 10_000)
    os.utime(fd, ns=(3, 4))
    os.close(fd)
    seen = [os.stat(top / "f").st_mtime_ns]
    fd = os.open(top / "f", os.O_RDWR)
    os.write(fd, b"y")
    os.utime(top / "f", ns=(5, 6))
    os.fsync(fd)
    os.close(fd)
    return [*seen, os.stat(top / "f").st_mtime_ns]

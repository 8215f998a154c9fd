"""Names: which calls fail and how, renames, links, odd and long names, deep paths."""

import os
import stat
from collections.abc import Callable
from pathlib import Path

from tests.mount.posix.tools import attempt, case, make, opened, parallel, shown
from tests.workload import syscalls

NOREPLACE, EXCHANGE, WHITEOUT = 1, 2, 4
AT_CWD = -100


def link_open_file(fd: int, path: Path) -> object:
    """Give an open file a name, as open(2) shows it for O_TMPFILE."""
    follow = 0x400
    source = f"/proc/self/fd/{fd}".encode()
    return attempt(syscalls.call, "linkat", AT_CWD, source, AT_CWD, bytes(path), follow)


def rename2(source: Path, target: Path, flags: int) -> object:
    return attempt(syscalls.rename, AT_CWD, str(source), AT_CWD, str(target), flags)


@case
def errors_by_call_and_kind(top: Path) -> object:
    """Each call on each kind of object: the whole table of errors."""
    calls: dict[str, Callable[[str], object]] = {
        "open": lambda path: opened(path, os.O_RDONLY | os.O_NONBLOCK),
        "open write": lambda path: opened(path, os.O_WRONLY | os.O_NONBLOCK),
        "open directory": lambda path: opened(path, os.O_RDONLY | os.O_DIRECTORY),
        "open nofollow": lambda path: opened(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK),
        "create excl": lambda path: opened(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY),
        "create": lambda path: opened(path, os.O_CREAT | os.O_RDWR | os.O_NONBLOCK),
        "truncate at open": lambda path: opened(path, os.O_TRUNC | os.O_WRONLY | os.O_NONBLOCK),
        "o_path": lambda path: opened(path, os.O_PATH | os.O_NOFOLLOW),
        "mkdir": lambda path: attempt(os.mkdir, path),
        "rmdir": lambda path: attempt(os.rmdir, path),
        "unlink": lambda path: attempt(os.unlink, path),
        "readlink": lambda path: attempt(os.readlink, path),
        "truncate": lambda path: attempt(os.truncate, path, 3),
        "list": lambda path: attempt(lambda: sorted(os.listdir(path))),
        "symlink": lambda path: attempt(os.symlink, "x", path),
        "mkfifo": lambda path: attempt(os.mkfifo, path),
        "link from": lambda path: attempt(os.link, path, f"{path}.link", follow_symlinks=False),
        "link to": lambda path: attempt(os.link, top / "kinds" / "other", path),
        "rename file over": lambda path: attempt(os.rename, top / "kinds" / "other", path),
        "rename directory over": lambda path: attempt(os.rename, top / "kinds" / "dir2", path),
        "beneath": lambda path: opened(f"{path}/x", os.O_RDONLY),
        "create beneath": lambda path: opened(f"{path}/x", os.O_CREAT | os.O_WRONLY),
        "trailing slash": lambda path: (
            attempt(os.stat, f"{path}/") and opened(f"{path}/", os.O_RDONLY | os.O_NONBLOCK)
        ),
        "unlink slash": lambda path: attempt(os.unlink, f"{path}/"),
        "mkdir slash": lambda path: attempt(os.mkdir, f"{path}/"),
        "chmod": lambda path: attempt(os.chmod, path, 0o700),
        "chown": lambda path: attempt(os.chown, path, 1, 1, follow_symlinks=False),
    }
    seen: dict[str, object] = {}
    for name, call in calls.items():
        for kind in ("file", "dir", "full", "dangling", "link", "loop", "fifo", "socket", "none"):
            kinds = make_kinds(top / "kinds")
            seen[f"{name}: {kind}"] = [call(str(kinds / kind)), sorted(os.listdir(kinds))]
            remove_kinds(kinds)
    return seen


def make_kinds(kinds: Path) -> Path:
    kinds.mkdir()
    make(kinds / "file", b"content")
    make(kinds / "other")
    (kinds / "dir").mkdir()
    (kinds / "dir2").mkdir()
    (kinds / "full" / "inside").mkdir(parents=True)
    (kinds / "dangling").symlink_to("nothing")
    (kinds / "link").symlink_to("file")
    (kinds / "loop").symlink_to("loop")
    os.mkfifo(kinds / "fifo")
    os.mknod(kinds / "socket", stat.S_IFSOCK | 0o600)
    return kinds


def remove_kinds(kinds: Path) -> None:
    for below, directories, files in os.walk(kinds, topdown=False):
        for name in directories + files:
            path = Path(below, name)
            path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()
    kinds.rmdir()


@case
def special_names(top: Path) -> object:
    seen: dict[str, object] = {}
    for name in ("", ".", "..", "...", " ", "\n", "a/", "a//", "./b", "../d/c", "\\", "~", "é"):
        (top / "d").mkdir(exist_ok=True)
        path = f"{top}/d/{name}"
        seen[name] = [attempt(os.mkdir, path), attempt(os.rmdir, path), attempt(os.unlink, path)]
    return seen


@case
def names_of_every_length_and_byte(top: Path) -> object:
    base = os.fsencode(top)
    seen: list[object] = [
        opened(os.fsdecode(base + b"/" + b"n" * length), os.O_CREAT | os.O_WRONLY)
        for length in (1, 2, 127, 128, 254, 255, 256, 1000)
    ]
    for byte in (*range(1, 47), *range(48, 256)):
        make(Path(os.fsdecode(base + b"/x" + bytes([byte]))))
    make(top / ("é" * 127))
    make(top / ("\U0001f600" * 63))
    seen.append(sorted(os.fsencode(name).hex() for name in os.listdir(top)))
    return seen


@case
def paths_longer_than_path_max(top: Path) -> object:
    seen: list[object] = []
    fd = os.open(top, os.O_RDONLY)
    for depth in range(40):
        os.mkdir("d" * 200, dir_fd=fd)
        deeper = os.open("d" * 200, os.O_RDONLY, dir_fd=fd)
        os.close(fd)
        fd = deeper
        if depth % 10 == 0:
            file = os.open(f"f{depth}", os.O_CREAT | os.O_RDWR, 0o600, dir_fd=fd)
            os.write(file, b"deep")
            os.close(file)
    seen.append(attempt(os.stat, f"{top}/" + "/".join(["d" * 200] * 40)))
    for _ in range(40):
        seen.append(sorted(name[:3] for name in os.listdir(fd)))
        above = os.open("..", os.O_RDONLY, dir_fd=fd)
        os.close(fd)
        fd = above
    os.close(fd)
    padding = "/." * ((4095 - len(os.fsencode(top))) // 2)
    seen.append(attempt(lambda: len(os.listdir(f"{top}{padding}"))))
    seen.append(attempt(os.stat, f"{top}{padding}/././."))
    return seen


@case
def renames(top: Path) -> object:
    seen: dict[str, object] = {}
    for flags in (0, NOREPLACE, EXCHANGE, NOREPLACE | EXCHANGE, 8):
        for source in ("file", "dir", "full", "link", "fifo", "none"):
            for target in ("other", "dir2", "full2", "dangling", "new", "full/inside/x", "full"):
                kinds = make_kinds(top / "kinds")
                (kinds / "full2" / "inside").mkdir(parents=True)
                answer = rename2(kinds / source, kinds / target, flags)
                left = sorted(str(path.relative_to(kinds)) for path in kinds.rglob("*"))
                seen[f"{flags} {source} -> {target}"] = [answer, left]
                remove_kinds(kinds)
    return seen


@case
def renames_of_hard_links_and_of_oneself(top: Path) -> object:
    seen: list[object] = []
    for flags in (0, NOREPLACE, EXCHANGE):
        make(top / "a")
        os.link(top / "a", top / "b")
        seen += [rename2(top / "a", top / "b", flags), sorted(os.listdir(top))]
        seen += [rename2(top / "a", top / "a", flags), shown(top / "a")]
        for name in os.listdir(top):
            os.unlink(top / name)
        (top / "d").mkdir()
        seen += [rename2(top / "d", top / "d", flags)]
        (top / "d").rmdir()
    return seen


@case
def renames_of_directories_keep_parents(top: Path) -> object:
    (top / "one" / "moved" / "child").mkdir(parents=True)
    (top / "two").mkdir()
    os.rename(top / "one" / "moved", top / "two" / "moved")
    parent = os.stat(top / "two" / "moved" / "..").st_ino == os.stat(top / "two").st_ino
    return [shown(top / "one"), shown(top / "two"), shown(top / "two" / "moved"), parent]


@case
def a_renamed_directory_keeps_its_open_descriptors(top: Path) -> object:
    (top / "old").mkdir()
    fd = os.open(top / "old", os.O_RDONLY)
    os.rename(top / "old", top / "new")
    os.mkdir("inside", dir_fd=fd)
    seen: list[object] = [sorted(os.listdir(fd)), sorted(os.listdir(top / "new"))]
    os.rmdir(top / "new" / "inside")
    os.rmdir(top / "new")
    seen += [attempt(os.mkdir, "again", dir_fd=fd), attempt(lambda: os.listdir(fd))]
    seen += [opened_at(fd, "f"), shown(fd)]
    os.close(fd)
    return seen


def opened_at(fd: int, name: str) -> object:
    return attempt(lambda: os.close(os.open(name, os.O_CREAT | os.O_RDWR, dir_fd=fd)))


@case
def link_counts(top: Path) -> object:
    make(top / "f")
    (top / "d" / "e").mkdir(parents=True)
    os.link(top / "f", top / "d" / "f")
    os.symlink("nowhere", top / "s")
    os.link(top / "s", top / "s2", follow_symlinks=False)
    seen = [shown(path) for path in (top, top / "f", top / "d", top / "s2")]
    os.unlink(top / "f")
    os.rmdir(top / "d" / "e")
    return [*seen, *(shown(path) for path in (top, top / "d" / "f", top / "d"))]


@case
def links_to_open_and_unlinked_files(top: Path) -> object:
    fd = os.open(top / "f", os.O_CREAT | os.O_RDWR, 0o600)
    os.write(fd, b"kept")
    seen = [link_open_file(fd, top / "g")]
    os.unlink(top / "f")
    os.unlink(top / "g")
    seen += [shown(fd), attempt(os.pread, fd, 10, 0)]
    seen += [link_open_file(fd, top / "h")]
    os.ftruncate(fd, 100_000)
    os.pwrite(fd, b"still", 50_000)
    seen += [shown(fd), attempt(os.pread, fd, 10, 49_998), attempt(os.fchmod, fd, 0o644)]
    seen += [attempt(os.fchown, fd, 3, 4), attempt(os.fsync, fd), shown(fd)]
    seen += [attempt(os.utime, fd, ns=(5, 6)), attempt(os.setxattr, fd, "user.x", b"1")]
    seen += [attempt(os.getxattr, fd, "user.x"), os.fstat(fd).st_mtime_ns, os.listdir(top)]
    os.close(fd)
    return seen


@case
def a_nameless_file_gets_a_name(top: Path) -> object:
    fd = os.open(top, os.O_TMPFILE | os.O_RDWR, 0o640)
    os.write(fd, b"x" * 200_000)
    os.setxattr(fd, "user.a", b"b")
    seen = [shown(fd), os.listdir(top)]
    seen.append(link_open_file(fd, top / "named"))
    os.write(fd, b"more")
    seen += [shown(top / "named"), attempt(os.getxattr, top / "named", "user.a")]
    os.close(fd)
    fd = os.open(top, os.O_TMPFILE | os.O_RDWR | os.O_EXCL, 0o600)
    seen += [link_open_file(fd, top / "never")]
    os.close(fd)
    return [*seen, opened(top / "named", os.O_TMPFILE | os.O_RDWR), sorted(os.listdir(top))]


@case
def symbolic_links(top: Path) -> object:
    seen: list[object] = []
    for target in ("x", "a" * 59, "a" * 60, "a" * 255, "a/" * 2047, "é", "..", "/"):
        os.symlink(target, top / "s")
        seen += [os.readlink(top / "s") == target, shown(top / "s")]
        os.unlink(top / "s")
    seen += [attempt(os.symlink, "a" * 4096, top / "s"), attempt(os.symlink, "", top / "s")]
    for at in range(41):
        os.symlink(f"{top}/l{at + 1}", top / f"l{at}")
    make(top / "l41", b"end")
    return [*seen, attempt(os.stat, top / "l0"), (top / "l2").read_bytes().decode()]


@case
def exclusive_creation_has_one_winner(top: Path) -> object:
    def race(number: int) -> int:
        won = 0
        for turn in range(40):
            flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY
            won += opened(top / f"{turn}", flags) == "ok"
            won += attempt(os.mkdir, top / f"d{turn}") == "ok"
            won += attempt(os.symlink, str(number), top / f"s{turn}") == "ok"
        return won

    return sum(parallel(race, 4))

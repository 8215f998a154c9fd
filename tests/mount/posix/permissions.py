"""Who may do what: modes, groups, ACLs, sticky and setgid directories, umask, lost privileges."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

from tests.mount.posix.tools import (
    GROUP,
    OTHER_GROUP,
    USER,
    as_user,
    attempt,
    case,
    make,
    opened,
    shown,
)

CALLERS: dict[str, tuple[int, int, tuple[int, ...]]] = {
    "owner": (USER, 99, ()),
    "group": (2000, GROUP, ()),
    "supplementary": (2000, 99, (1, GROUP, 7)),
    "other": (2000, 99, ()),
}


@case
def modes_by_caller(top: Path) -> object:
    """Each of the permission bits, for owner, group, a supplementary group, others."""
    seen: dict[str, object] = {}
    for mode in (0o000, 0o400, 0o200, 0o100, 0o040, 0o020, 0o010, 0o004, 0o002, 0o001, 0o640):
        file = make(top / f"f{mode:o}", b"x", mode)
        directory = top / f"d{mode:o}"
        directory.mkdir()
        make(directory / "inside")
        directory.chmod(mode)
        for path in (file, directory):
            os.chown(path, USER, GROUP)

        def act(file: Path = file, directory: Path = directory) -> list[object]:
            return [
                opened(file, os.O_RDONLY),
                opened(file, os.O_WRONLY),
                [os.access(file, bits) for bits in (os.F_OK, os.R_OK, os.W_OK, os.X_OK)],
                attempt(lambda: sorted(os.listdir(directory))),
                attempt(lambda: oct(os.stat(directory / "inside").st_mode)),
                opened(directory / "new", os.O_CREAT | os.O_WRONLY),
                attempt(os.unlink, directory / "new"),
                attempt(os.rename, directory / "inside", directory / "inside"),
                attempt(os.truncate, file, 1),
            ]

        for name, caller in CALLERS.items():
            seen[f"{mode:o} {name}"] = as_user(act, *caller)
    return seen


@case
def changes_of_attributes_by_caller(top: Path) -> object:
    seen: dict[str, object] = {}
    for name, caller in CALLERS.items():
        directory = top / name
        directory.mkdir()
        directory.chmod(0o777)
        file = make(directory / "f", b"x", 0o6775)
        os.chown(file, USER, GROUP)
        file.chmod(0o6775)

        def act(file: Path = file) -> list[object]:
            answers: list[object] = []
            for call in attribute_calls(file):
                answers += [attempt(call), shown(file)]
            return answers

        seen[name] = as_user(act, *caller)
    return seen


def attribute_calls(file: Path) -> list[Callable[[], object]]:
    return [
        lambda: os.chmod(file, 0o2755),
        lambda: os.chmod(file, 0o4711),
        lambda: os.chown(file, -1, 7),
        lambda: os.chown(file, -1, GROUP),
        lambda: os.chown(file, 2000, -1),
        lambda: os.utime(file, ns=(1, 2)),
        lambda: os.utime(file),
        lambda: os.setxattr(file, "user.x", b"y"),
        lambda: os.setxattr(file, "trusted.x", b"y"),
        lambda: os.setxattr(file, "security.x", b"y"),
        lambda: os.getxattr(file, "trusted.x"),
        lambda: os.listxattr(file),
        lambda: os.removexattr(file, "user.x"),
        lambda: os.link(file, f"{file}.link"),
        lambda: os.close(os.open(file, os.O_RDONLY | os.O_NOATIME)),
        lambda: os.mknod(f"{file}.device", 0o020600, os.makedev(1, 3)),
        lambda: os.mkfifo(f"{file}.fifo"),
    ]


@case
def sticky_directories(top: Path) -> object:
    seen: dict[str, object] = {}
    for sticky in (0o777, 0o1777):
        directory = top / f"{sticky:o}"
        directory.mkdir()
        for name, uid in (("mine", USER), ("theirs", 2000), ("root", 0)):
            os.chown(make(directory / name, b"x", 0o666), uid, uid)
            (directory / f"{name}-d").mkdir()
            os.chown(directory / f"{name}-d", uid, uid)
        directory.chmod(sticky)

        def act(directory: Path = directory) -> list[object]:
            answers = []
            for name in ("mine", "theirs", "root"):
                answers.append(attempt(os.rename, directory / name, directory / "x"))
                answers.append(attempt(os.rename, directory / "x", directory / name))
                answers.append(attempt(os.unlink, directory / name))
                answers.append(attempt(os.rmdir, directory / f"{name}-d"))
            make(directory / "new")
            answers.append(attempt(os.rename, directory / "new", directory / "theirs"))
            return answers

        seen[oct(sticky)] = [as_user(act), sorted(os.listdir(directory))]
    return seen


@case
def owners_of_what_is_created(top: Path) -> object:
    """Setgid directories, by members of their group and by others, and umask."""
    seen: dict[str, object] = {}
    for mode in (0o777, 0o2777, 0o3777):
        for name, caller in (*CALLERS.items(), ("root", (0, 0, ()))):
            directory = top / f"{mode:o}-{name}"
            directory.mkdir()
            os.chown(directory, USER, GROUP)
            directory.chmod(mode)

            def act(directory: Path = directory) -> list[object]:
                return [create_all(directory / f"{umask:o}", umask) for umask in (0, 0o27, 0o77)]

            seen[f"{mode:o} {name}"] = as_user(act, *caller)
    return seen


def create_all(base: Path, umask: int) -> list[object]:
    os.umask(umask)
    os.close(os.open(f"{base}f", os.O_CREAT | os.O_WRONLY, 0o2777))
    os.close(os.open(f"{base}g", os.O_CREAT | os.O_WRONLY, 0o6766))
    os.mkdir(f"{base}d", 0o7777)
    os.symlink("x", f"{base}l")
    os.mknod(f"{base}n", 0o010666)
    os.umask(0o022)
    return [shown(f"{base}{kind}")[:3] for kind in "fgdln"]


@case
def default_acls(top: Path) -> object:
    seen: list[object] = []
    for entries in ("d:u:1234:rwx,d:g:77:r-x,d:m:r-x", "d:u::rwx,d:g::r-x,d:o::---", "d:o::rwx"):
        directory = top / str(len(seen))
        directory.mkdir()
        answer = subprocess.run(
            ["setfacl", "-m", entries, str(directory)], check=False, capture_output=True
        )
        seen.append(answer.returncode)
        directory.chmod(0o777)
        for caller in ((0, 0, ()), (USER, GROUP, ()), (2000, 99, (77,))):
            base = directory / str(caller[0])
            seen.append(as_user(lambda base=base: create_all(base, 0o027), *caller))  # type: ignore[misc]
            (directory / f"{caller[0]}dd").mkdir()
            seen.append(
                [
                    (name, value.hex())
                    for path in (f"{base}f", f"{base}d", f"{base}dd")
                    for name in sorted(os.listxattr(path))
                    for value in [os.getxattr(path, name)]
                ]
            )
    return seen


@case
def access_acls(top: Path) -> object:
    file = make(top / "f", b"x", 0o640)
    seen: list[object] = []
    for entries in ("u:1234:rw-", "u:1234:---,g:99:rw-", "m:r--", "g:99:r--,o::rw-"):
        subprocess.run(["setfacl", "-m", entries, str(file)], check=True)
        seen += [shown(file), os.getxattr(file, "system.posix_acl_access").hex()]
        for caller in ((USER, 5, ()), (2000, 99, ()), (2001, 5, (3, 99)), (2002, 5, ())):
            seen.append(
                as_user(lambda: [opened(file, os.O_RDONLY), opened(file, os.O_RDWR)], *caller)
            )
    file.chmod(0o600)
    seen += [shown(file), os.getxattr(file, "system.posix_acl_access").hex()]
    subprocess.run(["setfacl", "-b", str(file)], check=True)
    return [*seen, shown(file), os.listxattr(file)]


@case
def acls_and_setgid(top: Path) -> object:
    """An ACL set by one who is not in the file's group takes setgid away."""
    seen: list[object] = []
    for caller in ((USER, GROUP, ()), (USER, 99, ()), (USER, 99, (GROUP,))):
        file = make(top / f"f{len(seen)}", b"x")
        os.chown(file, USER, GROUP)
        file.chmod(0o2755)

        def act(file: Path = file) -> list[object]:
            command = ["setfacl", "-m", "u:3:r", str(file)]
            answer = subprocess.run(command, check=False, capture_output=True)
            return [answer.returncode, shown(file)]

        seen.append(as_user(act, *caller))
    return seen


def privileged(path: Path, mode: int) -> Path:
    make(path, b"x" * 5000)
    os.chown(path, USER, GROUP)
    path.chmod(mode)
    return path


@case
def privileges_lost_by_changes(top: Path) -> object:
    """Setuid and setgid after write, truncate, chown and so on, by several callers."""
    changes: dict[str, Callable[[Path], object]] = {
        "write": lambda path: write_through(path, os.O_WRONLY),
        "append": lambda path: write_through(path, os.O_WRONLY | os.O_APPEND),
        "direct": lambda path: write_through(path, os.O_WRONLY | os.O_SYNC),
        "write nothing": lambda path: opened(path, os.O_WRONLY),
        "truncate": lambda path: os.truncate(path, 10),
        "truncate at open": lambda path: opened(path, os.O_WRONLY | os.O_TRUNC),
        "truncate to the same": lambda path: os.truncate(path, 5000),
        "chown group": lambda path: os.chown(path, -1, GROUP),
        "chmod": lambda path: os.chmod(path, os.stat(path).st_mode & 0o7777),
        "rename": lambda path: os.rename(path, path),
        "link": lambda path: os.link(path, f"{path}.link"),
    }
    seen: dict[str, object] = {}
    for mode in (0o4777, 0o2777, 0o6777):
        for name, caller in (*CALLERS.items(), ("root", (0, 0, ()))):
            for what, change in changes.items():
                path = privileged(top / f"{mode:o}-{name}-{what}", mode)

                def act(path: Path = path, change: Callable[[Path], object] = change) -> object:
                    return [attempt(change, path), shown(path)]

                seen[f"{mode:o} {name} {what}"] = as_user(act, *caller)
    return seen


@case
def chown_of_nothing(top: Path) -> object:
    path = privileged(top / "f", 0o4777)
    by_another = as_user(lambda: attempt(os.chown, path, -1, -1), 2000, 99)
    return [by_another, attempt(os.chown, path, -1, -1), shown(path)]


def write_through(path: Path, flags: int) -> None:
    fd = os.open(path, flags)
    os.write(fd, b"new")
    os.close(fd)


@case
def capabilities_lost_by_changes(top: Path) -> object:
    """security.capability goes with any change of content or owner, root's too."""
    value = bytes.fromhex("0100000200040000000000000000000000000000")
    seen: dict[str, object] = {}
    changes: dict[str, Callable[[Path], object]] = {
        "write": lambda path: write_through(path, os.O_WRONLY),
        "truncate": lambda path: os.truncate(path, 1),
        "chown": lambda path: os.chown(path, 5, 5),
        "chmod": lambda path: os.chmod(path, 0o700),
        "rename": lambda path: os.rename(path, path),
    }
    for what, change in changes.items():
        path = make(top / what, b"x" * 100, 0o755)
        os.setxattr(path, "security.capability", value)
        change(path)
        seen[what] = attempt(os.getxattr, path, "security.capability")
    return seen


@case
def real_and_effective_ids(top: Path) -> object:
    file = make(top / "f", b"x", 0o600)

    def act() -> list[object]:
        os.setresuid(USER, 0, 0)
        real = os.access(file, os.R_OK)
        effective = os.access(file, os.R_OK, effective_ids=True)
        return [real, effective, opened(file, os.O_RDONLY)]

    return as_user(act, 0, 0)


@case
def open_files_outlive_permissions(top: Path) -> object:
    file = make(top / "f", b"x", 0o666)
    reading, writing = os.pipe()

    def act() -> list[object]:
        fd = os.open(file, os.O_RDWR)
        os.chmod(file, 0) if os.geteuid() == 0 else os.write(writing, b"1")
        os.write(fd, b"still")
        return [attempt(os.pread, fd, 9, 0), attempt(os.ftruncate, fd, 2), shown(fd)]

    seen = [as_user(act)]
    os.close(reading)
    os.close(writing)
    file.chmod(0)
    return [*seen, as_user(lambda: opened(file, os.O_RDONLY)), shown(file), OTHER_GROUP]

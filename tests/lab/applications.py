"""Applications of the tests, each in a directory of its own; they say what they committed.

    python -m tests.lab.applications write NAME DIRECTORY    a line for each thing committed
    python -m tests.lab.applications check NAME DIRECTORY    those lines on stdin

What was said is known outside of its host. It must be there wherever the service moves.
"""

import hashlib
import itertools
import os
import sqlite3
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

# Without a journal on disk SQLite itself promises nothing after a crash: those are only written.
SQLITE_MODES = ("delete", "truncate", "persist", "wal")
SQLITE_MODES_UNSAFE = ("memory", "off")
NAMES = (*SQLITE_MODES, *SQLITE_MODES_UNSAFE, "git", "maildir", "tar")
MESSAGE_BYTES = 5000
ARCHIVED = "/usr/include/linux"  # about a thousand files


def run_git(directory: Path, *words: str) -> str:
    command = ["git", "-C", str(directory), "-c", "user.name=n", "-c", "user.email=n@n", *words]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode != 0:
        raise OSError(done.returncode, done.stderr)
    return done.stdout.strip()


def write_sqlite(directory: Path, mode: str) -> Iterator[str]:
    if mode in SQLITE_MODES_UNSAFE:
        (directory / "base.db").unlink(missing_ok=True)  # a crash may have spoilt it
    base = sqlite3.connect(directory / "base.db", isolation_level=None)
    base.execute(f"PRAGMA journal_mode={mode}")
    base.execute("PRAGMA synchronous=EXTRA")  # FULL does not sync the end of a journal's name
    base.execute("CREATE TABLE IF NOT EXISTS t (n INTEGER PRIMARY KEY, content BLOB)")
    (first,) = base.execute("SELECT coalesce(max(n), 0) + 1 FROM t").fetchone()
    for number in itertools.count(first):
        base.execute("BEGIN IMMEDIATE")
        base.execute("INSERT INTO t VALUES (?, randomblob(3000))", (number,))
        base.execute("DELETE FROM t WHERE n = ?", (number - 1000,))
        base.execute("COMMIT")
        yield str(number)


def check_sqlite(directory: Path, said: list[str]) -> None:
    base = sqlite3.connect(directory / "base.db")
    assert base.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    found = {str(number) for (number,) in base.execute("SELECT n FROM t")}
    assert set(said[-900:]) <= found, set(said) - found


def write_git(directory: Path) -> Iterator[str]:
    run_git(directory, "init", "-q")
    for number in itertools.count():
        (directory / f"file{number % 20}").write_text(f"{number} {os.getpid()}\n" * 200)
        run_git(directory, "add", ".")
        run_git(directory, "commit", "-q", "--allow-empty", "-m", str(number))
        if number % 10 == 9:
            run_git(directory, "gc", "-q", "--prune=now")
        yield run_git(directory, "rev-parse", "HEAD")


def check_git(directory: Path, said: list[str]) -> None:
    for lock in directory.glob(".git/**/*.lock"):  # of a git that was killed: git says so itself
        lock.unlink()
    run_git(directory, "fsck", "--full", "--strict")
    history = run_git(directory, "rev-list", "HEAD").split()
    assert set(said) <= set(history), set(said) - set(history)


def write_maildir(directory: Path) -> Iterator[str]:
    for part in ("tmp", "new", "cur"):
        (directory / part).mkdir(exist_ok=True)
    for number in itertools.count():
        content = os.urandom(MESSAGE_BYTES)
        name = f"{number}.{os.getpid()}.{hashlib.sha256(content).hexdigest()}"
        with (directory / "tmp" / name).open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        (directory / "tmp" / name).rename(directory / "new" / name)
        if number % 3 == 0:
            (directory / "new" / name).rename(directory / "cur" / name)
        yield name


def check_maildir(directory: Path, said: list[str]) -> None:
    for name in said:
        places = [directory / part / name for part in ("new", "cur")]
        (content,) = [place.read_bytes() for place in places if place.exists()]
        assert hashlib.sha256(content).hexdigest() == name.rpartition(".")[2], name


def write_tar(directory: Path) -> Iterator[str]:
    """Unpacks a large tree, member by member, again and again."""
    archive = Path("/var/tmp/archive.tar")
    with tarfile.open(archive, "w") as made:
        made.add(ARCHIVED, arcname="tree")
    for number in itertools.count():
        top = directory / str(number % 2)
        subprocess.run(["rm", "-rf", str(top)], check=True)
        top.mkdir()
        with tarfile.open(archive) as packed:
            for member in packed:
                packed.extract(member, top, filter="fully_trusted")
                yield f"{number}/{member.name}"


def check_tar(directory: Path, said: list[str]) -> None:
    """What was unpacked since the last time it began."""
    last = said[-1].partition("/")[0]
    for line in said:
        number, _, name = line.partition("/")
        if number == last:
            source = Path(ARCHIVED) / Path(name).relative_to("tree")
            unpacked = directory / str(int(number) % 2) / name
            assert unpacked.lstat().st_mode == source.lstat().st_mode, line
            if source.is_file() and not source.is_symlink():
                assert unpacked.read_bytes() == source.read_bytes(), line


def writer_of(name: str, directory: Path) -> Iterator[str]:
    if name in SQLITE_MODES + SQLITE_MODES_UNSAFE:
        return write_sqlite(directory, name)
    return {"git": write_git, "maildir": write_maildir, "tar": write_tar}[name](directory)


def checker_of(name: str) -> Callable[[Path, list[str]], None]:
    if name in SQLITE_MODES:
        return check_sqlite
    return {"git": check_git, "maildir": check_maildir, "tar": check_tar}[name]


def main() -> None:
    """See the module."""
    verb, name, directory = sys.argv[1], sys.argv[2], Path(sys.argv[3])
    directory.mkdir(exist_ok=True)
    if verb == "write":
        for line in writer_of(name, directory):
            print(line, flush=True)
    elif name not in SQLITE_MODES_UNSAFE:
        checker_of(name)(directory, sys.stdin.read().split("\n")[:-1])


if __name__ == "__main__":
    main()

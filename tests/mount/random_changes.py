"""A tree of files kept busy from one seed: every kind of change an application makes."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import threading
from pathlib import Path

NAMES = ["a", "b", "c", "d", "e", "f"]
DEPTH_MAX = 4
FILE_BYTES_MAX = 400_000


class Changes:
    """Changes beneath `top`. An operation that the tree does not allow is none."""

    def __init__(self, top: Path, seed: int) -> None:
        self._top = top
        self._random = random.Random(seed)
        self._stop = threading.Event()
        self.begun = threading.Event()  # a first one was made
        self.count = 0

    def perform(self, count: int) -> None:
        """Do so many."""
        for _ in range(count):
            self._one()

    def until_stopped(self) -> None:
        """Go on until `stop`."""
        while not self._stop.is_set():
            self._one()

    def stop(self) -> None:
        """End `until_stopped`."""
        self._stop.set()

    def _one(self) -> None:
        act = self._random.choice(self._ACTS)
        with contextlib.suppress(OSError, shutil.Error):
            act(self)
            self.count += 1
            self.begun.set()

    def _path(self) -> Path:
        depth = self._random.randint(1, DEPTH_MAX)
        return self._top.joinpath(*(self._random.choice(NAMES) for _ in range(depth)))

    def _create(self) -> None:
        with self._path().open("xb") as file:
            file.write(self._random.randbytes(self._random.choice((0, 10, 5_000, 200_000))))

    def _make_directory(self) -> None:
        self._path().mkdir()

    def _make_tree(self) -> None:
        path = self._path()
        path.mkdir()
        for name in NAMES[:3]:
            (path / name).mkdir()
            (path / name / "leaf").write_bytes(self._random.randbytes(100))

    def _write(self) -> None:
        with self._path().open("r+b") as file:
            file.seek(self._random.randrange(FILE_BYTES_MAX))
            file.write(self._random.randbytes(self._random.choice((1, 4_096, 100_000))))

    def _truncate(self) -> None:
        os.truncate(self._path(), self._random.choice((0, 100, 65_536, 300_000)))

    def _punch(self) -> None:
        with self._path().open("r+b") as file:
            file.truncate(self._random.randrange(FILE_BYTES_MAX))
            file.seek(self._random.randrange(FILE_BYTES_MAX))
            file.write(b"after a hole")

    def _unlink(self) -> None:
        self._path().unlink()

    def _remove_tree(self) -> None:
        path = self._path()
        if path.is_dir():  # to open a fifo would wait for ever
            shutil.rmtree(path)

    def _rename(self) -> None:
        self._path().rename(self._path())

    def _link(self) -> None:
        os.link(self._path(), self._path(), follow_symlinks=False)

    def _symlink(self) -> None:
        os.symlink(self._random.choice(("nowhere", "../a", "x" * 200)), self._path())

    def _fifo(self) -> None:
        os.mkfifo(self._path())

    def _replace(self) -> None:
        path = self._path()
        fresh = path.with_name("fresh")
        fresh.write_bytes(self._random.randbytes(1_000))
        fresh.replace(path)

    def _chmod(self) -> None:
        self._path().chmod(self._random.choice((0o600, 0o755, 0o4711, 0o2775)))

    def _chown(self) -> None:
        os.chown(self._path(), self._random.randrange(9), 5, follow_symlinks=False)

    def _set_xattr(self) -> None:
        name = "user." + self._random.choice(NAMES)
        os.setxattr(self._path(), name, self._random.randbytes(20))

    def _remove_xattr(self) -> None:
        os.removexattr(self._path(), "user." + self._random.choice(NAMES))

    def _touch(self) -> None:
        os.utime(self._path(), ns=(self._random.randrange(10**18), self._random.randrange(10**18)))

    _ACTS = (
        *(_create,) * 6,
        *(_make_directory,) * 4,
        *(_make_tree,) * 2,
        *(_write,) * 8,
        *(_truncate,) * 2,
        _punch,
        *(_unlink,) * 2,
        _remove_tree,
        *(_rename,) * 6,
        *(_link,) * 3,
        *(_symlink,) * 2,
        _fifo,
        *(_replace,) * 2,
        *(_chmod,) * 2,
        *(_chown,) * 2,
        *(_set_xattr,) * 2,
        _remove_xattr,
        _touch,
    )
